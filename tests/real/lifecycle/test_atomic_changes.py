"""One change of several objects, under load: a route moves to another Service, and the one that it leaves goes with it.

No call may fail, however the objects arrive: with one swap of a ConfigMap, as kubelet does it, or one by one through
the watches of an API server, the Service that goes first or last.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from testbed.api_server import ApiServer
from testbed.backend.backend import Backends
from testbed.client.grpc_client import Load
from testbed.config_map import swap
from testbed.manifest import NAMESPACE, PORT, Files, Manifest, grpc_route, rule, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.process import Processes
from tests.real.conftest import Connect, Steer

TARGET = f"xds:///front.{NAMESPACE}"
RATE = 500.0
MOVES = 24
SOON = 10
"""Calls until the next swap: 20 ms."""


def version(name: str, backend: str) -> list[Manifest]:
    """A Service with its one endpoint."""
    return [service(name, {"grpc": PORT}), *slices(name, [backend], "grpc")]


def front(to: str) -> list[Manifest]:
    """The Service that clients dial, with the route to a version."""
    return [service("front", {"grpc": PORT}), grpc_route("front", "front", rule(to))]


def test_no_call_fails_while_a_config_map_swaps_versions(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """40 swaps: some follow each other within 20 ms, others come only when the one before is in use."""
    addresses = dict(zip(("v1", "v2"), backends.open(2), strict=True))
    numbers = itertools.count()

    def publish(to: str) -> None:
        documents = [*front(to), *version(to, addresses[to])]
        swap(files.directory, next(numbers), all=yaml.safe_dump_all(documents))

    publish("v1")
    channel = connect(steer()).dial(TARGET)
    with channel.load(RATE) as load:
        load.wait_for_backend(addresses["v1"])
        for number in range(MOVES):
            to = ("v2", "v1")[number % 2]
            publish(to)
            load.wait_for_backend(addresses[to])
            if number % 3 == 0:
                publish(("v1", "v2")[number % 2])
                load.go_on(SOON)
                publish(to)
                load.go_on(SOON)
        load.settle(addresses[to])
    assert load.lost == []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    running = ApiServer(tmp_path / "kubeconfig")
    yield running
    running.close()


@pytest.fixture
def follow(server: ApiServer, processes: Processes) -> Iterator[Callable[[], ControlPlane]]:
    """Starts steerway on the API server."""
    running: list[ControlPlane] = []

    def start() -> ControlPlane:
        # Three processes share two cores here: give the watches more time than the default to be in step.
        options = ["--debounce-quiet-seconds", "0.15", "--debounce-max-seconds", "1.5"]
        options += ["--kubernetes", "--kubeconfig", str(server.kubeconfig), "--namespace", "all"]
        running.append(ControlPlane(processes, options))
        return running[-1]

    yield start
    for plane in running:
        plane.assert_no_nack()
        plane.close()


def test_no_call_fails_while_a_route_moves_and_its_service_goes(
    server: ApiServer, follow: Callable[[], ControlPlane], backends: Backends, connect: Connect
) -> None:
    """The Service is deleted before the route moves, with it, or 20 ms later; its slice before it or after it."""
    addresses = dict(zip(("v1", "v2"), backends.open(2), strict=True))

    def leave(name: str, slice_first: bool) -> None:
        gone = [
            ("EndpointSlice", slices(name, [addresses[name]], "grpc")[0]["metadata"]["name"]),
            ("Service", name),
        ]
        for kind, item in gone if slice_first else reversed(gone):
            server.act(lambda fake, kind=kind, entry=item: fake.delete(kind, NAMESPACE, entry))

    server.put(*front("v1"), *version("v1", addresses["v1"]))
    channel = connect(follow()).dial(TARGET)
    with channel.load(RATE) as load:
        load.wait_for_backend(addresses["v1"])
        for number in range(MOVES):
            old, new = ("v1", "v2")[number % 2], ("v2", "v1")[number % 2]
            _move(
                server,
                load,
                number,
                lambda old=old, number=number: leave(old, number % 4 < 2),
                front(new),
                version(new, addresses[new]),
            )
            load.wait_for_backend(addresses[new])
        load.settle(addresses[new])
    assert load.lost == []


def _move(
    server: ApiServer,
    load: Load,
    number: int,
    leave: Callable[[], None],
    route: list[Manifest],
    arrive: list[Manifest],
) -> None:
    """Every third time in another order."""
    match number % 3:
        case 0:
            leave()
            server.put(*route)
            server.put(*arrive)
        case 1:
            server.put(*arrive, *route)
            leave()
        case 2:
            server.put(*route, *arrive)
            load.go_on(SOON)
            leave()
