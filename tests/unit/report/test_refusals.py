"""Which NACKs become Events, and when."""

from dataclasses import dataclass, field

import pytest

from steerway.report.events import Report
from steerway.report.refusals import GATHER_SECONDS, REPEAT_SECONDS, RESOURCE_REJECTED, Refusals
from steerway.sources.objects.core import ObjectKey

SHOP = ObjectKey("Service", "shop", "backend")
POLICY = ObjectKey("TrafficPolicy", "shop", "backend")


@dataclass
class Nack:
    node_id: str = "web-1"
    message: str = "bad locality"
    type_url: str = "cds"
    stream: int = 1
    change: int = 7
    suppressed: int = 0
    resources: list[str] = field(default_factory=lambda: ["backend"])


class World:
    """Refusals that are about `about`, of clients of grpc-go 1.80."""

    def __init__(self) -> None:
        self.about: list[ObjectKey] = [SHOP]
        self.refusals = Refusals(lambda _: self.about, lambda _: "grpc-go 1.80", str, "steerway-0")

    def due(self, now: float) -> list[Report]:
        self.refusals.look(now)
        reports = []
        while (report := self.refusals.next()) is not None:
            reports.append(report)
        return reports


@pytest.fixture
def world() -> World:
    return World()


def test_clients_that_refuse_the_same_are_one_event(world: World) -> None:
    """A client that refuses it twice is one client."""
    for number in range(3):
        world.refusals.take([Nack(f"web-{number}"), Nack(f"web-{number}")], number)
    assert world.due(GATHER_SECONDS - 0.1) == []
    (report,) = world.due(GATHER_SECONDS)
    assert (report.about, report.reason) == (SHOP, RESOURCE_REJECTED)
    assert report.message == (
        "grpc-go 1.80 refused cds resources (3 clients of replica steerway-0), "
        "and keeps the last accepted ones: bad locality"
    )
    assert world.due(10_000) == []


def test_a_series_that_goes_on_is_written_again_after_a_while(world: World) -> None:
    """It is the same series with other numbers, so that it is one Event."""
    world.refusals.take([Nack()], 0)
    (first,) = world.due(GATHER_SECONDS)
    world.refusals.take([Nack("web-2")], GATHER_SECONDS + 1)
    assert world.due(GATHER_SECONDS + REPEAT_SECONDS - 1) == []
    (second,) = world.due(GATHER_SECONDS + REPEAT_SECONDS)
    assert second.series == first.series
    assert "2 clients" in second.message


def test_each_object_type_and_error_is_a_series(world: World) -> None:
    world.about = [SHOP, POLICY]
    world.refusals.take([Nack(), Nack(message="other"), Nack(type_url="eds")], 0)
    reports = world.due(GATHER_SECONDS)
    assert len({(report.about, report.series) for report in reports}) == len(reports) == 6


def test_refused_names_of_no_object_are_no_event(world: World) -> None:
    """As those of a file."""
    world.about = []
    world.refusals.take([Nack()], 0)
    assert world.due(GATHER_SECONDS) == []


def test_events_of_an_object_and_of_all_objects_are_bounded(world: World) -> None:
    """A client that invents errors, and a library that refuses everything."""
    world.refusals.take([Nack(message=f"error {number}") for number in range(5000)], 0)
    assert len(world.due(GATHER_SECONDS)) == 25
    other = World()
    for number in range(500):
        other.about = [ObjectKey("Service", "shop", f"s{number}")]
        other.refusals.take([Nack()], 0)
    assert len(other.due(GATHER_SECONDS)) == 100


def test_series_end_and_make_room(world: World) -> None:
    world.refusals.take([Nack(message=f"error {number}") for number in range(1000)], 0)
    world.due(GATHER_SECONDS)
    world.refusals.take([Nack(message="beyond")], GATHER_SECONDS)
    assert world.due(20 * GATHER_SECONDS) == []
    world.due(10_000)
    world.refusals.take([Nack(message="later")], 10_000)
    assert len(world.due(10_000 + GATHER_SECONDS)) == 1


def test_a_number_that_is_not_known_exactly_is_a_lower_bound(world: World) -> None:
    world.refusals.take([Nack(suppressed=9)], 0)
    (report,) = world.due(GATHER_SECONDS)
    assert "(at least 1 client of" in report.message


def test_texts_of_clients_have_no_control_characters_and_are_cut(world: World) -> None:
    """An API server refuses messages of more than 1024 bytes."""
    world.refusals.take([Nack(message="a\x1b[31m\n  b" + "ä" * 2000), Nack(message="\n")], 0)
    texts = [report.message for report in world.due(GATHER_SECONDS)]
    assert all(text.isprintable() and len(text.encode()) <= 1024 for text in texts)
    assert any("a [31m bää" in text for text in texts)
    assert any(text.endswith("no error text") for text in texts)
