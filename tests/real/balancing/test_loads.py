"""Load reports of real clients: what they report equals the calls that they made."""

import grpc

from testbed.backend.backend import Backends
from testbed.manifest import Endpoint, Files
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop:50051"
REPORTING = ("--load-reporting-enabled", "--load-reporting-interval-seconds", "1")
CLUSTER = "backend.shop.svc.cluster.local:50051"


def test_reports_of_a_client_equal_its_calls(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """By locality, with what failed; nothing is under way at the end."""
    here, there = backends.open(2)
    files.publish([Endpoint(here, "eu-1a"), Endpoint(there, "eu-1b")])
    plane = steer(*REPORTING)
    channel = connect(plane).dial(TARGET)
    made = channel.call(40)
    assert {answer.code for answer in made} == {grpc.StatusCode.OK}
    zones = {here: "eu-1a", there: "eu-1b"}
    expected = {zone: sum(answer.backend == address for answer in made) for address, zone in zones.items()}

    def reported() -> dict[str, tuple[int, int, int, int]]:
        clusters = plane.get("/api/v1/loads")["clusters"]
        return {
            locality["zone"]: (
                locality["issued"],
                locality["successful"],
                locality["errors"],
                locality["in_progress"],
            )
            for cluster in clusters
            if cluster["cluster"] == CLUSTER
            for locality in cluster["localities"]
        }

    wanted = {zone: (count, count, 0, 0) for zone, count in expected.items()}
    until(lambda: reported() == wanted, lambda: f"{wanted}, not {reported()}")
    assert plane.metric("steerway_load_requests_total", cluster=CLUSTER, outcome="success") == 40
    assert plane.metric("steerway_load_reporters") == 1
    channel.client.end()
    until(lambda: plane.metric("steerway_load_reporters") == 0, lambda: "the end of the reporter")


def test_clients_are_not_asked_unless_an_operator_wants_it(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """By default no cluster has a load reporting server."""
    files.publish(backends.open(1))
    plane = steer()
    connect(plane).dial(TARGET).call()
    (cluster,) = plane.bodies("cds", CLUSTER)
    assert "lrs_server" not in cluster
