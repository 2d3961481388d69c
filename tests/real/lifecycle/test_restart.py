"""Clients do not notice that steerway restarts, orderly or not, and follow it afterwards."""

import signal
from collections.abc import Callable

import pytest

from testbed.backend.backend import Backends
from testbed.manifest import Files
from testbed.process.control_plane import ControlPlane
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop:50051"


@pytest.mark.parametrize("end", [ControlPlane.stop, ControlPlane.kill], ids=["SIGTERM", "kill -9"])
def test_no_call_fails_while_steerway_restarts(
    end: Callable[[ControlPlane], None], backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Calls go on while it is away and while it comes back; what changed meanwhile is followed then."""
    first, second, third = backends.open(3)
    files.publish([first, second])
    plane = steer("--drain-seconds", "1")
    channel = connect(plane).dial(TARGET)
    with channel.load() as load:
        load.settle(first, second)
        end(plane)
        load.go_on(100)
        files.publish([first, third])
        plane.restart()
        load.settle(first, third)
        backends.close(second)
        files.publish([third])
        load.settle(third)
    assert load.failures == []


def test_a_client_that_starts_while_steerway_is_away_is_served_when_it_comes(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Calls fail or wait as long as it is away; then the client connects by itself."""
    addresses = backends.open(2)
    files.publish(addresses)
    plane = steer()
    plane.kill()
    channel = connect(plane).dial(TARGET)
    with channel.load() as load:
        plane.restart()
        load.settle(*addresses)


def test_clients_of_a_second_replica_see_the_same_versions(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Versions come from the content: what two replicas read from the same files has the same version."""
    files.publish(backends.open(2))
    versions = []
    for _ in range(2):
        plane = steer()
        assert connect(plane).dial(TARGET).call()[0].ok
        resources = [resource for kind in ("lds", "rds", "cds", "eds") for resource in plane.resources(kind)]
        versions.append({(r["type"], r["name"]): r["version"] for r in resources})
    assert len(versions[0]) == 4
    assert versions[0] == versions[1]


def test_signals_that_mean_no_end_do_not_end_it(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """SIGHUP reads the files again, SIGUSR1 and SIGUSR2 do nothing; clients notice none of them."""
    addresses = backends.open(1)
    files.publish(addresses)
    plane = steer()
    channel = connect(plane).dial(TARGET)
    with channel.load() as load:
        load.settle(*addresses)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            plane.process.signal(number)
        errors = plane.process.errors
        plane.process.wait(lambda: any("SIGUSR2" in line for line in errors), "a line about SIGUSR2")
        load.go_on(20)
    assert load.failures == []
    assert plane.ready()
