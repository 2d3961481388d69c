"""From a run in monotonic times to an outcome in seconds, and its JSON form."""

import json
from collections.abc import Callable

from demo.cluster import Event, State
from demo.plan import Plan
from demo.view.outcome import Outcome, last_part

START = 1000.0
PLAN = Plan(60.0, 2, 10, 6.0, 1.0)


def event(at: float, address: str, state: State) -> Event:
    """An event `at` seconds after the start."""
    return Event(START + at, address, address, state)


def test_the_last_part_has_the_pods_that_are_ready_in_all_of_it() -> None:
    """A pod that became ready or was removed within it does not count."""
    events = [
        event(-1, "stays", State.READY),
        event(-1, "leaves early", State.READY),
        event(-1, "leaves late", State.READY),
        event(20, "leaves early", State.TERMINATING),
        event(55, "leaves late", State.TERMINATING),
        event(55, "comes late", State.READY),
    ]
    window = last_part(events, START, PLAN, rollout_to=25.0)
    assert (window.start, window.end) == (50.0, 60.0)
    assert window.ready == {"stays"}


def test_a_pod_removed_after_the_run_was_ready_to_its_end() -> None:
    """The cleanup is no part of the run."""
    events = [event(-1, "a", State.READY), event(61, "a", State.GONE)]
    assert last_part(events, START, PLAN, None).ready == {"a"}


def test_the_last_part_begins_after_the_rollout() -> None:
    """A late rollout shortens the window."""
    assert last_part([], START, PLAN, rollout_to=53.0).start == 53.0


def test_an_unfinished_rollout_does_not_move_the_window() -> None:
    """It has no end."""
    assert last_part([], START, PLAN, rollout_to=None).start == 50.0


def test_simultaneous_lookups_are_one_round(make_outcome: Callable[..., Outcome]) -> None:
    """All clients of a fleet look up at nearly the same time."""
    assert make_outcome().rounds() == [-0.5, 25.9]


def test_the_json_has_the_documented_figures_of_each_fleet(make_outcome: Callable[..., Outcome]) -> None:
    """The four keys that scripts use, as plain numbers."""
    document = json.loads(json.dumps(make_outcome().as_json()))
    assert set(document["fleets"]) == {"clusterip", "dns", "xds"}
    for fleet in document["fleets"].values():
        for key in ("requests", "errors", "longest_gap_seconds", "max_over_mean"):
            assert isinstance(fleet[key], int | float)
    dns, xds = document["fleets"]["dns"], document["fleets"]["xds"]
    assert (dns["requests"], dns["errors"], xds["errors"]) == (300, 100, 0)
    assert dns["longest_gap_seconds"] == 10.1
    assert dns["errors_by_code"] == {"UNAVAILABLE": 100}
    assert xds["max_over_mean"] == 1.0
    shares = {
        name: (fleet["balance_before"]["largest_share"], fleet["balance"]["largest_share"])
        for name, fleet in document["fleets"].items()
    }
    assert shares == {"clusterip": (1.0, 1.0), "dns": (0.5, 0.5), "xds": (0.5, 0.5)}
    connections = {name: fleet["balance"]["connections"] for name, fleet in document["fleets"].items()}
    assert connections == {"clusterip": 2, "dns": 4, "xds": 4}


def test_a_fleet_that_does_not_recover_still_has_a_balance(make_outcome: Callable[..., Outcome]) -> None:
    """One success of the fleet is enough for a number."""
    dns = make_outcome(recovers=30.0).as_json()["fleets"]["dns"]
    assert dns["max_over_mean"] == 1.0
    assert dns["balance"]["from_seconds"] == 0.0
