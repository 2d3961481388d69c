"""The live view and the plain lines, for a constructed run."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console

from demo.child import Child
from demo.cluster import Cluster, State
from demo.fleet import FLEETS, Fleet
from demo.manifests import Manifests
from demo.measure import Record
from demo.plan import make_plan
from demo.run import Run
from demo.view import live, plain
from testbed.process.deadline import PATIENCE_SECONDS


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """A run 10 s after its start in which one pod has been replaced and the dns fleet fails since 8 s."""
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    run = Run(make_plan(30, 2, 10))
    run.cluster = Cluster(run.zone, Manifests(tmp_path, 1))
    run.started_at = time.monotonic() - 10
    run.rollout_from = run.started_at + 3
    run.phase = "rolling restart"
    for name, state in (("old", State.READY), ("new", State.READY), ("old", State.TERMINATING)):
        run.cluster.set(name, f"127.0.0.{len(name)}{ord(name[0])}", state)
    child = Child("fleet", process, tmp_path / "stderr", ending=True)
    for name in FLEETS:
        fleet = Fleet(name, f"{name}:///backend", child)
        for due in (number / 10 for number in range(100)):
            broken = name == "dns" and due >= 8
            code, backend, peer = ("UNAVAILABLE", "", "") if broken else ("OK", "127.0.0.3111", "client")
            fleet.records.append(Record(due, due + 0.01, code, backend, peer))
        run.fleets.append(fleet)
    yield run


def drawn(run: Run, width: int) -> str:
    """One frame as text."""
    console = Console(file=io.StringIO(), width=width)
    console.print(live.render(run, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
async def test_a_frame_shows_all_fleets_and_the_pods_within_the_width(run: Run, width: int) -> None:
    """Errors, gap, rates and states fit any usual width without truncation."""
    text = drawn(run, width)
    for shown in (
        "clusterip fleet",
        "dns fleet",
        "xds fleet",
        "errors 20 of 100",
        "errors 0 of 100",
        "busiest pod 100%",
        "connections/client 0.25",
        *(kind.label for kind in FLEETS.values()),
        "rolling restart",
        "127.0.0.3110",
    ):
        assert shown in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_frame_before_the_first_fleet_names_the_phase() -> None:
    """The start takes some seconds."""
    assert "starting 5 backends" in drawn(Run(make_plan(30, 5, 200), phase="starting 5 backends"), 100)


@pytest.mark.parametrize(
    ("share", "cell"), [(-1, " "), (0, " "), (0.001, "▁"), (0.5, "▄"), (1, "█"), (3, "█")]
)
def test_a_cell_is_empty_only_for_zero(share: float, cell: str) -> None:
    """A single error among thousands is visible."""
    assert live.bar(share) == cell


async def test_plain_lines_have_phase_pods_and_all_fleets(run: Run) -> None:
    """The content of the live view, in lines."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    watching = asyncio.create_task(plain.watch(run, queue.put_nowait))
    lines = ""
    try:
        while "dns:" not in lines or "rolling restart" not in lines:
            lines += await asyncio.wait_for(queue.get(), PATIENCE_SECONDS) + "\n"
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert "dns: 80 ok, 20 errors, busiest pod 100%   xds: 100 ok, 0 errors, busiest pod 100%" in lines
    assert "old (127.0.0.3111) terminating" in lines
