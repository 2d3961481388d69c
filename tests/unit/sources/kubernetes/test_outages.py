"""Failures of several informers of one API server: grouping into one problem and one log line."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from steerway.sources.kubernetes.event import Failure
from steerway.sources.kubernetes.outage import FailedRequest, Outages, listed
from steerway.sources.store import Batch, Problem

REFUSED = Failure(None, "connection refused", "127.0.0.1:6443")
UNAVAILABLE = Failure(503, "ServiceUnavailable")


@dataclass
class World:
    """Outages with what they log and report; `now` is their clock."""

    now: float = 0.0
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problems: dict[str, tuple[Problem, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outages = Outages(self._apply, lambda: "https://api:6443", self, lambda: self.now)

    def _apply(self, batch: Batch) -> None:
        self.problems |= batch.problems

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    warning = info

    def fail(self, subject: str, failure: Failure = REFUSED) -> None:
        self.outages.add(FailedRequest(subject, "watch", failure, "start it", 1.5, 3.0))

    def reasons(self) -> list[str]:
        return [str(item) for problem in self.problems.values() for item in problem]

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


@pytest.fixture
def world() -> World:
    return World()


def test_one_problem_names_all_kinds(world: World) -> None:
    """In the same order, whichever failed first."""
    world.fail("services")
    world.fail("endpointslices")
    assert world.reasons() == [
        "kubernetes API server https://api:6443: cannot watch endpointslices, services: connection refused:"
        " 127.0.0.1:6443 (start it)"
    ]


def test_each_round_of_retries_is_one_line(world: World) -> None:
    """Three informers that retry three times, in any order; the line has the time of the next retry."""
    for turn in (["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]):
        for subject in turn:
            world.fail(subject)
    assert world.events() == ["api_server_failed"] * 3
    assert world.lines[0][1]["retry_in_seconds"] == 1.5
    assert world.lines[0][1]["silent_seconds"] == 3.0


def test_an_outage_ends_with_its_last_informer(world: World) -> None:
    """The problem lists the remaining ones; the end is one line with the total duration."""
    world.fail("a")
    world.fail("b")
    world.now = 42.0
    world.outages.end("a")
    world.outages.end("a")
    assert world.events() == ["api_server_failed"]
    world.fail("b")
    assert "cannot watch b:" in world.reasons()[0]
    world.outages.end("b")
    assert world.reasons() == []
    assert world.lines[-1] == ("api_server_answers", {"after": "connection refused", "seconds": 42.0})


def test_an_informer_has_one_cause_at_a_time(world: World) -> None:
    """A starting server refuses connections first and then answers 503."""
    world.fail("a")
    world.fail("b")
    world.fail("a", UNAVAILABLE)
    assert len(world.reasons()) == 2
    world.fail("b", UNAVAILABLE)
    assert world.reasons() == [
        "kubernetes API server https://api:6443: cannot watch a, b: 503 ServiceUnavailable (start it)"
    ]


def test_many_subjects_are_counted() -> None:
    """A problem stays readable with informers for hundreds of namespaces."""
    text = listed({f"s{number:03}" for number in range(400)})
    assert text.startswith("s000, s001, ")
    assert text.endswith(", s011 and 388 more")
