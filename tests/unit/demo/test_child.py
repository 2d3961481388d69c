"""Child processes: their end, and failures with their cause."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.child import Children, DemoError
from testbed.process import parent_death

WAITS = "import sys; print('up', flush=True); sys.stdin.readline()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"
FAILS = "import sys; sys.stdin.readline(); print('the cause', file=sys.stderr); sys.exit(3)"


def python(code: str) -> list[str]:
    """The command that runs this code."""
    return [sys.executable, "-c", code]


async def test_the_end_of_the_context_ends_every_child(tmp_path: Path) -> None:
    """Also after an exception."""
    children = Children(tmp_path)
    with pytest.raises(KeyError):
        async with children:
            first = await children.start("first", python(WAITS))
            second = await children.start("second", python(WAITS))
            assert [await first.read_line(20), await second.read_line(20)] == ["up", "up"]
            raise KeyError
    assert first.process.returncode == second.process.returncode == -signal.SIGTERM


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the timeout."""
    async with Children(tmp_path) as children:
        child = await children.start("stubborn", python(STUBBORN))
        await child.read_line(20)
        await child.end(timeout_seconds=0.05)
        assert child.process.returncode == -signal.SIGKILL


async def test_a_child_that_exits_fails_the_work_with_its_standard_error(tmp_path: Path) -> None:
    """The work would otherwise wait without end."""
    async with Children(tmp_path) as children:
        child = await children.start("backend", python(FAILS))
        child.write_line("go")
        with pytest.raises(DemoError, match=r"backend ended by itself \(exit code 3\):\n    the cause"):
            await children.run_beside(asyncio.Event().wait())


async def test_a_child_that_was_stopped_does_not_fail_the_work(tmp_path: Path) -> None:
    """A pod that a rollout removes is no failure."""
    async with Children(tmp_path) as children:
        child = await children.start("backend", python(WAITS))
        await child.read_line(20)

        async def work() -> str:
            await child.end()
            return "done"

        assert await children.run_beside(work()) == "done"


async def test_a_child_that_exits_before_its_line_is_an_error_at_once(tmp_path: Path) -> None:
    """Without a wait for the timeout."""
    async with Children(tmp_path) as children:
        child = await children.start("backend", python(FAILS))
        child.write_line("go")
        with pytest.raises(DemoError, match="the cause"):
            await child.read_line(60)


async def test_a_silent_child_is_an_error_after_the_timeout(tmp_path: Path) -> None:
    """The error has the length of the wait."""
    async with Children(tmp_path) as children:
        child = await children.start("backend", python(WAITS))
        await child.read_line(20)
        with pytest.raises(DemoError, match="backend wrote nothing for 0 s"):
            await child.read_line(0.01)


async def test_children_do_not_inherit_settings_that_divert_traffic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies, a bootstrap or settings of the user would change the measurement."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy")
    monkeypatch.setenv("GRPC_XDS_BOOTSTRAP", "file")
    monkeypatch.setenv("STEERWAY_LISTEN", "0.0.0.0:1")
    names = ("HTTPS_PROXY", "GRPC_XDS_BOOTSTRAP", "STEERWAY_LISTEN", "ADDED")
    code = f"import os; print([os.environ.get(name) for name in {names}])"
    async with Children(tmp_path) as children:
        child = await children.start("child", python(code), ADDED="yes")
        child.ending = True
        assert await child.read_line(20) == "[None, None, None, 'yes']"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
def test_a_watched_process_ends_with_its_killed_parent(tmp_path: Path) -> None:
    """SIGKILL does not let the parent end its children; the kernel does."""
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    # The child keeps the FIFO open for writing until it ends: the end of file marks its end.
    child = f"import time; f = open({str(alive)!r}, 'w'); f.write('up\\n'); f.flush(); time.sleep(600)"
    parent = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-S', {parent_death.__file__!r}, str(os.getpid()), "
        f"sys.executable, '-c', {child!r}])\n"
        "time.sleep(600)"
    )
    with subprocess.Popen(python(parent)) as process, alive.open() as reader:
        assert reader.readline() == "up\n"
        process.kill()
        assert reader.read() == ""
