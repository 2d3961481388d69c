"""Absent names in the log: each once for a workload, at a limited rate, in bounded memory."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
import structlog

from steerway.admin import absence_log
from steerway.admin.absence_log import FORGET_SECONDS, LOOK_SECONDS, MAX_LINES, AbsenceLog
from testbed.process.deadline import PATIENCE_SECONDS
from tests.unit.admin.admin_world import CLUSTER, LISTENER

_Line = MutableMapping[str, Any]


@dataclass
class Absence:
    """A row of the engine."""

    name: str = "bakend:50051"
    node_id: str = "web-0"
    audience: str = "grpc/core/shop"
    reason: str = "service shop/bakend not found"
    removed: bool = False
    stream: int = 1
    peer: str = "10.0.0.9:4711"
    type_url: str = LISTENER
    count: int = 1


@dataclass
class Absences:
    """A page of such rows."""

    rows: list[Absence]


@dataclass
class Engine:
    """Gives rows of as many streams as it is asked for."""

    all_rows: list[Absence] = field(default_factory=list)

    def absences(self, *, after: int = 0, streams: int = 0) -> Absences:
        ids = sorted({row.stream for row in self.all_rows if row.stream > after})[:streams]
        return Absences([row for row in self.all_rows if row.stream in ids])


class World:
    """A log with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.engine = Engine()
        self.log = AbsenceLog(self.engine, "cluster.local", lambda: self.now)

    def look(self, *rows: Absence) -> list[_Line]:
        """What is logged when these are absent."""
        with structlog.testing.capture_logs() as lines:
            self.log.report(rows)
        return list(lines)


@pytest.fixture
def world() -> World:
    return World()


def test_a_line_names_the_client_the_name_and_the_reason(world: World) -> None:
    """And the command that shows similar names."""
    (line,) = world.look(Absence(node_id="web-6d4cf56db6-x7k2p.shop", count=3))
    assert line == {
        "event": "absent_name",
        "log_level": "warning",
        "namespace": "shop",
        "workload": "web",
        "peer": "10.0.0.9:4711",
        "type": "Listener",
        "name": "bakend:50051",
        "reason": "service shop/bakend not found",
        "removed": False,
        "absent_names": 3,
        "unreported": 0,
        "hint": "steerway explain bakend:50051 --namespace shop",
    }


def test_a_name_is_reported_once_for_each_workload(world: World) -> None:
    """However many pods and looks there are; another namespace, workload, type or name is another matter."""
    pods = [Absence(node_id=f"web-{number}") for number in range(9)]
    assert len(world.look(*pods)) == 1
    others = [
        Absence(audience="grpc/core/pay"),
        Absence(node_id="cart-0"),
        Absence(type_url=CLUSTER),
        Absence("front"),
    ]
    for _ in range(3):
        world.now += LOOK_SECONDS
        assert len(world.look(*pods, *others)) == len(others)
        others = []


def test_a_name_that_returned_and_goes_again_is_reported_again(world: World) -> None:
    """Not in each minute in which it flaps."""
    assert len(world.look(Absence())) == 1
    world.now += FORGET_SECONDS
    assert not world.look(Absence())
    world.now += FORGET_SECONDS + 1
    assert len(world.look(Absence())) == 1


def test_a_removed_name_is_reported_when_it_is_missed_for_a_while(world: World) -> None:
    """Clients unsubscribe from a removed name soon; the next removal is a new one."""
    for _ in range(5):
        assert not world.look(Absence(removed=True))
        world.now += absence_log.GAP_SECONDS + 1
    assert not world.look(Absence(removed=True))
    world.now += LOOK_SECONDS
    (line,) = world.look(Absence(removed=True))
    assert line["removed"] is True


def test_a_flood_of_names_is_reported_little_by_little(world: World) -> None:
    """One client with thousands of them neither fills the log nor is kept in memory."""
    fresh = (Absence(f"n{number}", node_id=f"client-{number}") for number in count())
    rows = [next(fresh) for _ in range(1000)]
    assert len(world.look(*rows)) == MAX_LINES
    world.now += LOOK_SECONDS
    later = world.look(*rows)
    assert [line["unreported"] for line in later] == [1000 - MAX_LINES] * 2
    for _ in range(11):
        world.look(*(next(fresh) for _ in range(1000)))
    assert len(world.log._memories) == absence_log.MAX_REMEMBERED


def test_a_workload_with_many_names_does_not_hide_the_others(world: World) -> None:
    """Each has its turn, the first ones at once."""
    hoard = [Absence(f"n{number}", node_id=f"hoard-{number % 7}") for number in range(100)]
    lines = world.look(*hoard, Absence(node_id="web-0"), Absence(node_id="cart-0"))
    assert [line["workload"] for line in lines[:3]] == ["hoard", "web", "cart"]
    assert len(lines) == MAX_LINES


def test_a_client_that_makes_up_workloads_does_not_hide_the_others(world: World) -> None:
    """Networks take turns before workloads do."""
    hoard = [
        Absence(f"n{number}", node_id=f"w{number}x", audience=f"grpc/core/ns{number}")
        for number in range(100)
    ]
    lines = world.look(*hoard, Absence(peer="10.0.0.8:1"), Absence("front", peer="10.0.0.7:1"))
    assert [line["peer"] for line in lines[:3]] == ["10.0.0.9:4711", "10.0.0.8:1", "10.0.0.7:1"]


def test_what_clients_choose_is_cut_and_quoted(world: World) -> None:
    """A line is read by people, and its hint is pasted into shells."""
    (line,) = world.look(Absence("a.b:$(id)"))
    assert line["hint"] == "steerway explain 'a.b:$(id)' --namespace shop"
    (line,) = world.look(Absence("x" * 5000, node_id="y" * 5000, reason="z" * 5000))
    assert max(len(str(value)) for value in line.values()) < 600
    assert "/api/v1/resources" in line["hint"]


def test_a_look_goes_on_behind_the_last_one(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """So that no stream hides another one."""
    monkeypatch.setattr(absence_log, "MAX_STREAMS", 2)
    world.engine.all_rows = [Absence(stream=id) for id in (3, 3, 5, 8, 9, 12)]
    looks = [[row.stream for row in world.log.look()] for _ in range(4)]
    assert looks == [[3, 3, 5], [8, 9], [12], [3, 3, 5]]


async def test_an_answer_makes_it_look_at_once(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """And again at once while streams are left out."""
    monkeypatch.setattr(absence_log, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(absence_log, "LOOK_SECONDS", 3600)
    monkeypatch.setattr(absence_log, "MAX_STREAMS", 1)
    world.engine.all_rows = [Absence(stream=id) for id in (1, 2)]
    reports: asyncio.Queue[list[Absence]] = asyncio.Queue()
    monkeypatch.setattr(world.log, "report", reports.put_nowait)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(world.log.run())
        world.log.hint()
        looks = [[row.stream for row in await reports.get()] for _ in range(3)]
        running.cancel()
    assert looks == [[1], [2], []]
