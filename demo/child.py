"""The processes of the demo: started, watched and ended together.

A child that ends without a request fails the whole demo with the last lines of its standard
error: figures measured with a part missing would be wrong without a trace.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from steerway.errors import SteerwayError
from testbed.process import parent_death

_PARENT_DEATH = Path(parent_death.__file__)
_LINE_LIMIT_BYTES = 4 << 20
_END_SECONDS = 3.0
"""How long `Children` waits for a child after SIGTERM before SIGKILL."""
_DROPPED = {
    "http_proxy",
    "https_proxy",
    "grpc_proxy",
    "all_proxy",
    "grpc_xds_bootstrap",
    "grpc_xds_bootstrap_config",
}
"""Environment that would send loopback traffic elsewhere, or an xDS client to another server (lower case)."""
_SETTINGS = "steerway_"
"""What the environment sets for the user's own control plane is not meant for the demo's (lower case)."""

_T = TypeVar("_T")


def _diverts(variable: str) -> bool:
    return variable.lower() in _DROPPED or variable.lower().startswith(_SETTINGS)


class DemoError(SteerwayError):
    """A part of the demo could not start, or ended before its time."""


@dataclass(slots=True)
class Child:
    """One running process; its standard error is kept in a file."""

    name: str
    process: asyncio.subprocess.Process
    errors: Path
    ending: bool = field(default=False)
    """True once somebody asked it to end, so that its end is no failure."""

    async def read_line(self, timeout_seconds: float) -> str:
        """Wait for the next line of its standard output; DemoError at its end or after the timeout."""
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), timeout_seconds)
        except TimeoutError:
            raise DemoError(self.complaint(f"wrote nothing for {timeout_seconds:.0f} s")) from None
        if not line:
            await self.process.wait()
            raise DemoError(self.complaint(f"ended at its start (exit code {self.process.returncode})"))
        return line.decode(errors="replace").rstrip("\n")

    def write_line(self, text: str) -> None:
        """Send one line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")

    async def end(self, timeout_seconds: float = _END_SECONDS) -> None:
        """Send SIGTERM and wait for its end; SIGKILL after the timeout. Ending it twice does no harm."""
        self.ending = True
        if self.process.returncode is None:
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), timeout_seconds)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def complaint(self, what: str, lines: int = 12) -> str:
        """`what` happened to this child, with the last lines that it wrote to standard error."""
        written = self.errors.read_text(errors="replace").splitlines()[-lines:]
        tail = "".join(f"\n    {line}" for line in written) or " (it wrote nothing to standard error)"
        return f"{self.name} {what}:{tail}"


class Children:
    """All processes of one run. Leaving the context ends every one of them.

    They have a session of their own, so that Ctrl-C reaches only the demo, and end with it
    (`parent_death.py`).
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self, name: str, command: Sequence[str], **environment: str) -> Child:
        """Start `command` (its first part an absolute path), watch it; `environment` is added to ours."""
        inherited = {key: value for key, value in os.environ.items() if not _diverts(key)}
        errors = self._directory / f"{len(self._children)}-{name.replace(' ', '-')}.stderr"
        with errors.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-S", str(_PARENT_DEATH), str(os.getpid()), *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=inherited | environment,
                limit=_LINE_LIMIT_BYTES,
                start_new_session=True,
            )
        child = Child(name, process, errors)
        self._children.append(child)
        self._watchers.append(asyncio.create_task(self._watch(child)))
        return child

    async def run_beside(self, work: Coroutine[None, None, _T]) -> _T:
        """Do `work`; raises DemoError as soon as a child ends unasked."""
        task = asyncio.create_task(work)
        try:
            both: set[asyncio.Future[Any]] = {task, self._failure}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self._failure.result()
            return await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self, child: Child) -> None:
        code = await child.process.wait()
        if not child.ending and not self._failure.done():
            self._failure.set_exception(DemoError(child.complaint(f"ended by itself (exit code {code})")))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(child.end() for child in self._children))
        await asyncio.gather(*self._watchers)
        if self._failure.done():
            self._failure.exception()  # taken note of, else asyncio reports it as never retrieved
        else:
            self._failure.cancel()
