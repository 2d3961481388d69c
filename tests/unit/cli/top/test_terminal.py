"""The command in a real terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from testbed.process.deadline import PATIENCE_SECONDS
from tests.support.admin_replica import AdminReplica
from tests.unit.cli.top.conftest import publish
from tests.unit.cli.view.conftest import service


def test_the_command_in_a_terminal(pair: list[AdminReplica], tmp_path: Path) -> None:
    """It draws the lists, and q ends it with exit code 0."""
    for replica, name in zip(pair, ("first", "second"), strict=True):
        publish(replica, name, service())
    addresses = [part for name in ("first", "second") for part in ("--address", f"unix:{tmp_path / name}")]
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "140", "LINES": "30"}
    with subprocess.Popen(
        [sys.executable, "-m", "steerway", "top", *addresses],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
    ) as process:
        os.close(follower)
        written = b""
        while b"2/2 replicas" not in written:
            written += os.read(leader, 65536)
        os.write(leader, b"2")
        while b"shop/backend" not in written:
            written += os.read(leader, 65536)
        os.write(leader, b"q")
        while _read(leader):
            pass
        assert process.wait(PATIENCE_SECONDS) == 0
    os.close(leader)


def _read(leader: int) -> bytes:
    """Nothing at the end."""
    try:
        return os.read(leader, 65536)
    except OSError:
        return b""


def test_a_wrong_address(tmp_path: Path) -> None:
    """It is an error before the screen is taken."""
    command = [sys.executable, "-m", "steerway", "top", "--address", "unix:relative"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 2
    assert "absolute path" in done.stderr
