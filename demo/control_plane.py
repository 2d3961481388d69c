"""The two commands of steerway that the demo uses, run as a user runs them: `serve` and `bootstrap`."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

from demo.child import Children, DemoError
from demo.plan import NAMESPACE

_START_SECONDS = 30.0
_LISTENING = re.compile(r"\blistening on (\S+:\d+)")


def command() -> str:
    """The path of the installed `steerway`, this interpreter's own first; DemoError when there is none."""
    beside = Path(sys.executable).with_name("steerway")
    executable = str(beside) if beside.is_file() else shutil.which("steerway")
    if executable is None:
        raise DemoError(f"no steerway command beside {sys.executable} or on PATH; install the package first")
    return executable


async def serve(children: Children, directory: Path) -> str:
    """Start `steerway serve` on a directory of manifests and return the HOST:PORT that it listens on."""
    options = ("serve", "--files", str(directory), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    child = await children.start("steerway serve", (command(), *options))
    while True:
        match = _LISTENING.search(await child.read_line(_START_SECONDS))
        if match:
            return match[1]


async def bootstrap(server: str) -> str:
    """The gRPC bootstrap that `steerway bootstrap` prints for clients of `server`, as JSON."""
    arguments = ("bootstrap", "--server", server, "--node-id", "steerway-demo", "--namespace", NAMESPACE)
    process = await asyncio.create_subprocess_exec(
        command(), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    stdout, stderr = await process.communicate()
    if process.returncode != 0:
        message = stderr.decode(errors="replace").strip()
        raise DemoError(f"steerway bootstrap failed (exit code {process.returncode}): {message}")
    return stdout.decode()
