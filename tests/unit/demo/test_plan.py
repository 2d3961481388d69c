"""The phases of a run."""

from dataclasses import replace

import pytest

from demo.plan import (
    FEWEST_BACKENDS,
    LONGEST_SECONDS,
    MOST_BACKENDS,
    RESOLUTION_SECONDS,
    SHORTEST_SECONDS,
    make_plan,
    service_host,
)


@pytest.mark.parametrize("seconds", [SHORTEST_SECONDS, 30, 60, LONGEST_SECONDS])
@pytest.mark.parametrize("backends", [FEWEST_BACKENDS, 5, MOST_BACKENDS])
def test_the_rollout_ends_before_the_fleet_looks_up_again_and_before_the_run_ends(
    seconds: int, backends: int
) -> None:
    """Every plan with its own warm-up shows the outage."""
    plan = make_plan(seconds, backends, 200)
    end = plan.warm_up_seconds + backends * plan.pod_start_seconds + plan.pre_stop_seconds
    assert end < RESOLUTION_SECONDS
    assert end < seconds - 3


def test_a_given_warm_up_is_kept() -> None:
    """The warm-up can exceed the time between two lookups."""
    assert make_plan(90, 5, 200, 35.0).warm_up_seconds == 35.0


def test_a_given_deadline_is_kept() -> None:
    """It does not change the phases."""
    given, default = make_plan(30, 5, 200, deadline_seconds=9.0), make_plan(30, 5, 200)
    assert given == replace(default, deadline_seconds=9.0) != default


def test_pods_always_take_some_time_to_start() -> None:
    """However short the rest of the run is."""
    assert make_plan(15, MOST_BACKENDS, 200, 14.0).pod_start_seconds == 0.1


def test_the_host_is_the_one_that_kubernetes_gives_a_service() -> None:
    """SERVICE.NAMESPACE.svc.CLUSTERDOMAIN."""
    assert service_host() == "backend.shop.svc.cluster.local"
