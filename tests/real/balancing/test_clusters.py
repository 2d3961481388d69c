"""One service in several clusters: a real control plane on three API servers, seen by a client."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from steerway.testing.ads_client import AdsClient, DeltaStream
from steerway.translate.xds.type_url import ENDPOINT
from testbed.api_server import ApiServer
from testbed.manifest import NAMESPACE, backend_ref, grpc_route, rule, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes

NAME = f"cart.{NAMESPACE}.svc.cluster.local:80"
Servers = dict[str, ApiServer]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """API servers of the local cluster, `east` and `west`, each with one endpoint of the service."""
    made = {name: ApiServer(tmp_path / name) for name in ("local", "east", "west")}
    for number, server in enumerate(made.values()):
        server.put(service("cart", {"grpc": 80}), *slices("cart", [f"10.{number}.0.1:8080"], "grpc"))
    yield made
    for server in made.values():
        server.close()


@pytest.fixture
def steer(processes: Processes, servers: Servers, tmp_path: Path) -> Iterator[Callable[..., ControlPlane]]:
    """Starts steerway on all of them."""
    running: list[ControlPlane] = []

    def start(**settings: object) -> ControlPlane:
        clusters = [
            {
                "name": name,
                "kubeconfig": str(servers[name].kubeconfig),
                "region": f"region-{name}",
                "priority": priority,
            }
            for name, priority in (("east", 1), ("west", 2))
        ]
        file = tmp_path / "steerway.yaml"
        local = {"enabled": True, "kubeconfig": str(servers["local"].kubeconfig), "namespaces": ["all"]}
        file.write_text(yaml.safe_dump({"kubernetes": local, "clusters": clusters, **settings}))
        running.append(ControlPlane(processes, ["--config", str(file)]))
        return running[-1]

    yield start
    for plane in running:
        plane.close()


def read(stream: DeltaStream) -> list[tuple[int, str, str]]:
    """Priority, region and address of each endpoint of the next assignment."""
    response = stream.read()
    stream.ack(response)
    (resource,) = response.resources
    assignment = ClusterLoadAssignment()
    resource.resource.Unpack(assignment)
    return [
        (group.priority, group.locality.region, lb_endpoint.endpoint.address.socket_address.address)
        for group in assignment.endpoints
        for lb_endpoint in group.lb_endpoints
    ]


LOCAL, EAST, WEST = (0, "", "10.0.0.1"), (1, "region-east", "10.1.0.1"), (2, "region-west", "10.2.0.1")


def test_others_take_over_in_their_order_and_a_lost_one_is_dropped_and_comes_back(
    servers: Servers, steer: Callable[..., ControlPlane]
) -> None:
    plane = steer(remote_stale_seconds=1)
    with AdsClient(plane.address) as client:
        stream = client.delta()
        stream.request(ENDPOINT, NAME)
        assert read(stream) == [LOCAL, EAST, WEST]
        servers["local"].put(*slices("cart", ["10.0.0.2:8080"], "grpc"))
        assert read(stream) == [(0, "", "10.0.0.2"), EAST, WEST]
        servers["east"].lose()
        assert read(stream) == [(0, "", "10.0.0.2"), (1, *WEST[1:])], "no gap"
        assert any(
            problem["where"] == "cluster east" and "not used" in problem["reason"]
            for problem in plane.problems()
        )
        servers["east"].come_back()
        assert read(stream) == [(0, "", "10.0.0.2"), EAST, WEST]
        plane.wait_for_no_problem()


def test_a_cluster_that_is_not_known_holds_up_the_start_for_a_time_and_joins_later(
    servers: Servers, steer: Callable[..., ControlPlane]
) -> None:
    servers["east"].lose()
    plane = steer(remote_sync_timeout_seconds=0.5, cluster_policy="all")
    with AdsClient(plane.address) as client:
        stream = client.delta()
        stream.request(ENDPOINT, NAME)
        assert read(stream) == [LOCAL, (0, *WEST[1:])]
        until(
            lambda: any("not known" in problem["reason"] for problem in plane.problems()),
            "the problem is reported",
        )
        servers["east"].come_back()
        assert read(stream) == [LOCAL, (0, *EAST[1:]), (0, *WEST[1:])]


def test_a_route_is_evaluated_again_when_another_cluster_has_its_backend(
    servers: Servers, steer: Callable[..., ControlPlane]
) -> None:
    """Its status names the missing Service first, and then resolves."""
    servers["local"].put(grpc_route("cart", "cart", rule(backend_ref("far", port=80))))

    def resolved() -> str:
        (result,) = servers["local"].objects("GRPCRoute")
        (entry,) = result.get("status", {}).get("parents") or [{"conditions": []}]
        reasons = {condition["type"]: condition["reason"] for condition in entry["conditions"]}
        return str(reasons.get("ResolvedRefs", ""))

    steer()
    until(lambda: resolved() == "BackendNotFound", resolved)
    servers["east"].put(service("far", {"grpc": 80}))
    until(lambda: resolved() == "ResolvedRefs", resolved)
