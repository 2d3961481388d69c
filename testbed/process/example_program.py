"""The programs of examples/, built and started by the commands of their READMEs, in a copy outside of the checkout."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testbed import markdown
from testbed.process import built_program, go_program, java_program, node_program
from testbed.process.built_program import Progress, Recipe, Tool, progress_on_stderr

Language = Literal["go", "java", "python", "node", "cpp"]

FOLDER = Path(__file__).parents[2] / "examples"
_PROTO = "../proto/*.proto"
_PYTHON = Tool("python3", "Python 3.11 or newer with its venv module (python3-venv)", ("--version",))
_CPP = (
    Tool("c++", "a C++ compiler (g++)", ("--version",)),
    Tool("cmake", "CMake 3.16 or newer (cmake)"),
    # The version of gRPC, too: the library and this tool come from one source package.
    Tool("grpc_cpp_plugin", "gRPC for C++ (libgrpc++-dev, libprotobuf-dev, protobuf-compiler-grpc)"),
)
_PIP_NETWORK = ("Max retries exceeded", "No matching distribution", "Connection", "Temporary failure")
_PIP_HINT = "packages could not be fetched: check this machine's network and `pip config list`"
_PARTS: dict[Language, tuple[tuple[Tool, ...], tuple[str, ...], tuple[str, ...], str]] = {
    "go": ((go_program.GO,), ("**/*.go", "go.mod", "go.sum"), go_program.NETWORK, go_program.HINT),
    "java": (java_program.TOOLS, ("pom.xml", "src/**/*.java"), java_program.NETWORK, java_program.HINT),
    "python": ((_PYTHON,), ("*.py", "requirements.txt"), _PIP_NETWORK, _PIP_HINT),
    "node": (node_program.TOOLS, ("*.js", "package*.json"), node_program.NETWORK, node_program.HINT),
    "cpp": (_CPP, ("CMakeLists.txt", "*.cc"), (), ""),
}
"""Tools, files, signs of a failed fetch and what to check then."""


@dataclass(frozen=True)
class Example:
    """A client and a server in one language. `server` and `client` are the words of the README that start them, up to
    the first argument, in the folder `program`."""

    language: Language
    program: Path
    server: str
    client: str

    def command(self, words: str, *arguments: str) -> list[str]:
        """How `server` or `client` is started with these arguments."""
        line = f'cd "$0" && exec {words} {shlex.join(arguments)}'
        return ["/bin/bash", "-c", line, str(self.program)]


def build(language: Language, write_line: Progress = progress_on_stderr) -> Example:
    """The example in a language, built by the commands below "Build" of its README. Raises BuildError."""
    source = FOLDER / language
    readme = source / "README.md"
    (commands,) = (block.text for block in markdown.blocks(readme, "sh", "Build"))
    tools, patterns, network, hint = _PARTS[language]
    recipe = Recipe(
        source=source,
        tools=tools,
        patterns=(*patterns, _PROTO),
        command=lambda _: ["/bin/bash", "-euxc", commands],
        network=network,
        hint=hint,
        in_copy=True,
        options=(commands,),
        # The versions are those of the example, not those of this project.
        environment={"PIP_CONSTRAINT": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    program = built_program.build(recipe, write_line)
    run = markdown.blocks(readme, "sh", "Run")[0].text
    return Example(language, program, _start(run, "--port"), _start(run, "dns:///"))


def _start(run: str, argument: str) -> str:
    (words,) = re.findall(rf"^(.*?) {argument}", run, re.MULTILINE)
    return str(words)
