"""Runs the commands of a guide as a reader would paste them.

The `sh` blocks of some sections run as one script, in their order, in network and process namespaces of their own:
ports are those of the guide, and what a block starts with `&` ends with the script.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed import markdown

_SECONDS = 240
_MARK = "=== block "


def run(
    guide: Path, headings: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> list[str]:
    """The output of each block below these headings, standard error included.

    They run in `folder`, with the programs of this project's environment first in PATH. AssertionError with all output
    when a command fails.
    """
    texts = [block.text for heading in headings for block in markdown.blocks(guide, "sh", heading)]
    script = "".join(f"echo '{_MARK}{number}'\n{_unindented(text)}" for number, text in enumerate(texts))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(
        [*_namespaces(), "bash", "-euo", "pipefail", "-c", f"ip link set lo up\n{script}"],
        cwd=folder,
        env={**os.environ, **(environment or {}), "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
    )
    assert finished.returncode == 0, finished.stdout
    outputs = finished.stdout.split(_MARK)[1:]
    assert len(outputs) == len(texts), finished.stdout
    return [output.partition("\n")[2] for output in outputs]


def write_manifests(guide: Path, heading: str, file: Path) -> None:
    """Write the YAML block of a section to a file, as the guide asks its reader to."""
    (block,) = markdown.blocks(guide, "yaml", heading)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text)


def _namespaces() -> list[str]:
    """A command that runs another one in new namespaces of network and processes; the latter end with it."""
    unshare = shutil.which("unshare")
    assert unshare is not None, "unshare is missing: install util-linux"
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return [unshare, *user, "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


def _unindented(text: str) -> str:
    """Blocks within lists are indented."""
    lines = text.splitlines()
    width = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "".join(f"{line[width:]}\n" for line in lines)
