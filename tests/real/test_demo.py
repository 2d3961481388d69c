"""The demo as a user runs it: it measures, writes what it promised and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("demo")

CHECKOUT = Path(__file__).parents[2]
_MARK = "DEMO_TEST_MARK"
_RATE, _SECONDS, _BACKENDS = 50, 15, 2
_FEWEST_PROCESSES = 1 + _BACKENDS + 1 + 1 + 3
"""Itself, two backends or more, steerway, the ClusterIP and three fleets."""


@dataclass
class Demo:
    """A running demo whose processes, and theirs, carry a mark in their environment."""

    process: subprocess.Popen[str]
    mark: str
    directory: Path

    def marked(self) -> int:
        """How many processes with the mark there are now."""
        return sum(self.mark.encode() in _environment(process) for process in Path("/proc").glob("[0-9]*"))

    def read_until(self, pattern: str) -> str:
        """Its output up to the first line that matches."""
        assert self.process.stdout is not None
        read = ""
        for line in self.process.stdout:
            read += line
            if re.search(pattern, line):
                return read
        pytest.fail(f"the demo ended without {pattern!r}:\n{read}")


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # it has just ended
        return b""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A short demo with two backends, its files under `tmp_path`."""
    mark = f"{_MARK}={uuid.uuid4()}"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    options = {
        "--seconds": _SECONDS,
        "--backends": _BACKENDS,
        "--rate": _RATE,
        "--deadline": 10,  # a request that waits for a busy machine is no failure
        "--json": "figures.json",
        "--picture": "demo.png",
    }
    arguments = [str(part) for option in options.items() for part in option]
    with subprocess.Popen(
        [sys.executable, "-m", "demo", "--no-live", *arguments],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            _MARK: mark.partition("=")[2],
            "TMPDIR": str(temporary),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield Demo(process, mark, tmp_path)
        process.kill()


def test_a_short_demo_measures_all_fleets_and_leaves_nothing_behind(demo: Demo) -> None:
    """DNS has its outage, the ClusterIP one connection per client, steerway neither; both files are written."""
    demo.read_until("rolling restart")
    assert demo.marked() >= _FEWEST_PROCESSES
    output = demo.read_until(r"^picture: demo\.png$")
    assert demo.process.wait(60) == 0, output
    document = json.loads((demo.directory / "figures.json").read_text())
    cluster_ip, dns, xds = (document["fleets"][name] for name in ("clusterip", "dns", "xds"))
    assert cluster_ip["requests"] == dns["requests"] == xds["requests"] == _RATE * _SECONDS
    clients = document["clients"]
    for fleet, connections in ((cluster_ip, clients), (dns, clients * _BACKENDS), (xds, clients * _BACKENDS)):
        assert fleet["balance_before"]["connections"] == connections
    assert document["rollout"]["to_seconds"] is not None
    assert xds["errors"] == 0, xds["error_details"]
    assert len(xds["balance"]["backends"]) == _BACKENDS
    assert dns["errors"] > 0
    assert dns["longest_gap_seconds"] > max(cluster_ip["longest_gap_seconds"], xds["longest_gap_seconds"])
    assert (demo.directory / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert demo.marked() == 0
    assert list((demo.directory / "tmp").iterdir()) == []


def test_a_demo_that_is_stopped_ends_everything(demo: Demo) -> None:
    """SIGTERM in the midst of the rollout: logged, exit code of the signal, no process, no file."""
    demo.read_until(r"\bterminating$")
    assert demo.marked() >= _FEWEST_PROCESSES
    demo.process.send_signal(signal.SIGTERM)
    demo.read_until("stopped by SIGTERM")
    assert demo.process.wait(60) == 128 + signal.SIGTERM
    assert demo.marked() == 0
    assert list((demo.directory / "tmp").iterdir()) == []
