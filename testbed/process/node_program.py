"""JavaScript programs of the tests, with what their package-lock.json pins."""

from pathlib import Path

from testbed.process import built_program
from testbed.process.built_program import Progress, Recipe, Tool, progress_on_stderr

_NODE = Tool("node", "Node.js 20 or newer (nodejs)", ("--version",))
_NPM = Tool("npm", "npm 9 or newer (npm)")
TOOLS = (_NODE, _NPM)
NETWORK = ("ENOTFOUND", "ETIMEDOUT", "ECONNREFUSED", "EAI_AGAIN", "network")
HINT = "packages could not be fetched: check this machine's network and `npm config get registry`"
_OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund")
_FLAGS = ("--max-old-space-size=128",)


def build(package: Path, write_line: Progress = progress_on_stderr) -> Path:
    """A copy of the package with its dependencies in `node_modules`. Raises BuildError."""
    npm = _NPM.path(package.name)
    recipe = Recipe(
        source=package,
        tools=TOOLS,
        patterns=("*.js", "package.json", "package-lock.json"),
        options=_OPTIONS,
        command=lambda _: [npm, "ci", *_OPTIONS],
        network=NETWORK,
        hint=HINT,
        in_copy=True,
    )
    return built_program.build(recipe, write_line)


def command(program: Path, script: str) -> list[str]:
    """How a built program is started."""
    return [_NODE.path(script), *_FLAGS, str(program / script)]
