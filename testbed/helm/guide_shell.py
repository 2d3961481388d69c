"""The commands of a guide, run as they are written there, with the tools of the tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

from testbed.helm.tools import Tools

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROOT = Path(__file__).parents[2]
_SECONDS = 120.0
# Helm reads the last --values last; other verbs do not have the flag.
_HELM = """#!/bin/sh
case "$1" in
  install|upgrade|template) exec {box} helm "$@" --values {values} ;;
  *) exec {box} helm "$@" ;;
esac
"""


def commands(guide: str) -> dict[str, list[str]]:
    """The lines behind `$ ` in the blocks of each section of a guide, by its heading."""
    sections = re.split(r"^## ", guide, flags=re.MULTILINE)
    listed = {
        section.partition("\n")[0]: [
            line.removeprefix("$ ") for block in _BLOCK.findall(section) for line in block.splitlines()
        ]
        for section in sections
    }
    return {heading: lines for heading, lines in listed.items() if lines}


class GuideShell:
    """Runs commands in `folder`, which has `deploy` as the checkout has it.

    Every rendering of the chart by Helm also has the values of the file `values`, and nothing else is added.
    """

    def __init__(self, tools: Tools, folder: Path, values: Path) -> None:
        self.folder = folder
        (folder / "deploy").symlink_to(_ROOT / "deploy")
        programs = folder / "bin"
        programs.mkdir()
        (programs / "helm").write_text(_HELM.format(box=tools.box, values=values))
        (programs / "helm").chmod(0o755)
        for name in ("kubectl", "kustomize"):
            (programs / name).symlink_to(tools.box)
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        self._environment = {**tools.environment, "PATH": path}

    def run(self, *lines: str) -> str:
        """Standard output of commands, one after the other. AssertionError with what one wrote when it fails."""
        return "".join(self._run(line) for line in lines)

    def _run(self, command: str) -> str:
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self._environment,
            timeout=_SECONDS,
        )
        assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stderr}{done.stdout}"
        return done.stdout
