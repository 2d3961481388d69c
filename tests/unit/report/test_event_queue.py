"""Which problems become Events, and when again."""

from steerway.report.events import AGAIN_SECONDS, EventQueue, Report
from steerway.sources.objects.core import ObjectKey
from steerway.sources.store import Problem

SHOP = ObjectKey("Service", "shop", "backend")


def problem(reason: str, about: ObjectKey | None = SHOP, hint: str = "") -> Problem:
    return Problem("somewhere", reason, hint, about)


def drained(queue: EventQueue) -> list[Report]:
    reports = []
    while (received := queue.next()) is not None:
        reports.append(received)
    return reports


def test_a_problem_that_stays_is_reported_once_and_again_before_its_event_expires() -> None:
    """An API server keeps Events for an hour."""
    queue = EventQueue()
    for now in (0.0, 1.0, AGAIN_SECONDS - 1):
        queue.look([problem("no ports", hint="add one")], now)
    assert drained(queue) == [Report(SHOP, "no ports; add one")]
    queue.look([problem("no ports", hint="add one")], AGAIN_SECONDS)
    assert len(drained(queue)) == 1


def test_a_problem_that_comes_back_is_reported_again() -> None:
    """The object was fixed, and is invalid once more."""
    queue = EventQueue()
    for problems in ([problem("no ports")], [], [problem("no ports")]):
        queue.look(problems, 0)
    assert len(drained(queue)) == 2


def test_what_is_about_no_object_of_kubernetes_is_no_event() -> None:
    """Files, clusters, permissions and raw resources have owners elsewhere."""
    queue = EventQueue()
    raw = ObjectKey("XdsResource", "type.googleapis.com/x", "a")
    queue.look([problem("a", None), problem("b", raw)], 0)
    assert drained(queue) == []


def test_an_object_that_changes_all_the_time_has_a_budget() -> None:
    """25 at once and one more in five minutes; others are not touched by it."""
    queue = EventQueue()
    for number in range(100):
        queue.look([problem(f"reason {number}")], number / 10)
    assert len(drained(queue)) == 25
    other = ObjectKey("Service", "shop", "other")
    queue.look([problem("x", other), problem("y")], 20)
    assert drained(queue) == [Report(other, "x")]
    queue.look([problem("z")], 320)
    assert drained(queue) == [Report(SHOP, "z")]


def test_a_long_text_is_cut_between_characters() -> None:
    """An Event's message has 1024 bytes."""
    queue = EventQueue()
    queue.look([problem("ä" * 2000)], 0)
    (report,) = drained(queue)
    assert report.message == "ä" * 512
