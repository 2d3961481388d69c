"""Go programs of the tests: main packages with a module of their own."""

from collections.abc import Sequence
from pathlib import Path

from testbed.process import built_program
from testbed.process.built_program import Progress, Recipe, Tool, progress_on_stderr

GO = Tool("go", "Go 1.26 or newer", ("version",))
NETWORK = ("dial tcp", "no such host", "i/o timeout", "proxyconnect", "connection refused", "TLS handshake")
HINT = "Go modules could not be fetched: check this machine's network and `go env GOPROXY`"


def build(
    module: Path, flags: Sequence[str] = (), write_line: Progress = progress_on_stderr, **environment: str
) -> Path:
    """The executable of the main package in the folder `module`.

    `flags` are further flags of `go build`, `environment` is added to ours. Raises BuildError.
    """
    go = GO.path(module.name)

    def command(program: Path) -> list[str]:
        # -v names each module that is fetched and each package that is compiled
        fixed = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-v", "-o", str(program)]
        return [go, "build", *fixed, *flags, "."]

    recipe = Recipe(
        source=module,
        tools=(GO,),
        patterns=("**/*.go", "**/*.mod", "**/*.sum"),
        command=command,
        network=NETWORK,
        hint=HINT,
        options=flags,
        environment=environment,
    )
    return built_program.build(recipe, write_line)
