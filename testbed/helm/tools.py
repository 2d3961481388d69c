"""Builds helmbox: Helm, kustomize and kubectl of fixed versions, in one program, from their Go modules alone.

Minutes the first time (most of it Kubernetes libraries), seconds to find it later.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from testbed.process import go_program
from testbed.process.built_program import Progress, progress_on_stderr

MODULE = Path(__file__).with_name("helmbox")
_SECONDS = 120.0

Tool = Literal["helm", "kustomize", "kubectl"]


def build(write_line: Progress = progress_on_stderr) -> Path:
    """The path of helmbox, built unless it is there already. Raises BuildError."""
    return go_program.build(MODULE, ["-ldflags", "-s -w"], write_line, CGO_ENABLED="0")


class ToolError(AssertionError):
    """A tool ended with another exit code than 0; the text is what it wrote to standard error."""


class Tools:
    """Runs the tools with an empty home directory at `folder`, so that nothing of the user's own is read."""

    def __init__(self, box: Path, folder: Path, kubeconfig: Path | None = None) -> None:
        self.box = box
        self.environment = environment(folder, kubeconfig)

    def run(self, tool: Tool, *arguments: str, stdin: str = "", cwd: Path | None = None) -> str:
        """Standard output of a command. Raises ToolError when it fails."""
        done = subprocess.run(
            [self.box, tool, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            cwd=cwd,
            timeout=_SECONDS,
        )
        if done.returncode:
            raise ToolError(
                f"{tool} {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}{done.stdout}"
            )
        return done.stdout

    def helm(self, *arguments: str) -> str:
        """Standard output of `helm ARGUMENTS`."""
        return self.run("helm", *arguments)


def environment(folder: Path, kubeconfig: Path | None = None) -> Mapping[str, str]:
    """Variables for a run of the tools: homes in `folder`, and the cluster of `kubeconfig` or none."""
    own = {
        "HOME": str(folder),
        "HELM_CACHE_HOME": str(folder / "cache"),
        "HELM_CONFIG_HOME": str(folder / "config"),
        "HELM_DATA_HOME": str(folder / "data"),
        "KUBECONFIG": str(kubeconfig or os.devnull),
    }
    return {**os.environ, **own}
