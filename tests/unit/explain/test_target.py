"""The endpoints of a target for one client, and the reasons of the others, through a translator as clients have it."""

from collections.abc import Callable

import msgspec
import pytest

from steerway.catalog.locality.client_locality import PodLocality
from steerway.explain import Explainer, Question, access
from steerway.explain.explainer import Connected
from steerway.explain.target import Targets
from steerway.explain.target_row import TargetCluster, TargetRow
from steerway.sources.objects.core import Object, Service, ServicePort
from steerway.sources.policy.gateway import GRPCRoute
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.translate.client.audience import decode
from steerway.translate.client.client import parse
from testbed.mesh import BUCKETS, Mesh, endpoint, endpoint_slice, service

BACKEND = service(ServicePort(50051, "grpc"))
PODS = endpoint_slice(
    endpoint("10.0.0.1", "eu-1a", hostname="backend-0"),
    endpoint("10.0.0.2", "eu-1a"),
    endpoint("10.0.0.3", "eu-1b"),
    endpoint("10.0.0.4", "eu-1b", ready=False),
    endpoint("10.0.0.5", "eu-1b", ready=False, serving=True, terminating=True),
    endpoint("10.0.0.6", "eu-1b", ready=False, serving=False, terminating=True),
    port_name="grpc",
)
OTHERS = endpoint_slice("10.0.0.9", name="backend-2", port_name="http")
Ask = Callable[..., TargetRow]


def targets(*objects: Object, buckets: int = 0) -> Targets:
    mesh = Mesh(*objects)
    explainer = Explainer(
        find=mesh.catalog.service,
        known=lambda: mesh.catalog,
        metadata=lambda id: mesh.catalog.metadata(mesh.facts.get, id),
        preview=mesh.translator.preview_in_threads(mesh.catalog.service, lambda: mesh.catalog),
        topology="zone",
        domain="cluster.local",
        namespace="shop",
        buckets=buckets,
        access=access.of_catalog(mesh.catalog, mesh.facts.get),
    )
    pods = {"10.0.0.1": PodLocality("shop", "backend-0", node="n1")}
    return Targets(explainer, lambda id: mesh.catalog.endpoint_slices(mesh.facts.get, id), pods.get)


def only(row: TargetRow) -> TargetCluster:
    assert row.error is None
    (cluster,) = row.clusters
    return cluster


def reasons(cluster: TargetCluster) -> dict[str, str]:
    return {row.address: row.reason for row in cluster.left_out}


def test_a_client_gets_what_is_ready_with_its_share() -> None:
    """Each zone by the number of its endpoints; others with their reasons."""
    row = targets(BACKEND, PODS, OTHERS).row(Question("backend:50051", client="grpc-go/1.80"))
    assert (row.service, row.port, row.name) == (
        "shop/backend",
        50051,
        "backend.shop.svc.cluster.local:50051",
    )
    cluster = only(row)
    assert [(e.address, e.zone, e.share, e.pod, e.node) for e in cluster.endpoints] == [
        ("10.0.0.1", "eu-1a", 0.3333, "backend-0", "n1"),
        ("10.0.0.2", "eu-1a", 0.3333, None, None),
        ("10.0.0.3", "eu-1b", 0.3333, None, None),
    ]
    assert {e.state for e in cluster.endpoints} == {"healthy"}
    assert cluster.weight == 1.0
    assert reasons(cluster) == {
        "10.0.0.4": "not ready",
        "10.0.0.5": "terminating",
        "10.0.0.6": "terminating",
        "10.0.0.9": "slice backend-2 has no TCP port named grpc",
    }
    assert cluster.left_out[0].zone == "eu-1b"


def test_a_client_that_knows_the_state_keeps_draining_endpoints_without_new_requests() -> None:
    cluster = only(targets(BACKEND, PODS).row(Question("backend", client="grpcio/1.80")))
    draining = [endpoint for endpoint in cluster.endpoints if endpoint.state == "draining"]
    assert [(endpoint.address, endpoint.share) for endpoint in draining] == [("10.0.0.5", 0.0)]
    assert "10.0.0.5" not in reasons(cluster)


def policy(**spec: object) -> TrafficPolicy:
    manifest = {
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "backend"}], **spec},
    }
    return msgspec.convert(manifest, TrafficPolicy)


def test_a_strict_zone_leaves_out_the_others() -> None:
    world = targets(BACKEND, PODS, policy(zones={"mode": "Strict"}))
    cluster = only(world.row(Question("backend", zone="eu-1b")))
    assert [endpoint.address for endpoint in cluster.endpoints] == ["10.0.0.3"]
    assert reasons(cluster)["10.0.0.1"] == "other zone than eu-1b (Strict)"


def test_an_own_zone_comes_first_and_gets_all() -> None:
    """The other zone is the next priority."""
    world = targets(
        service(50051, traffic_distribution="PreferSameZone"),
        endpoint_slice(endpoint("10.0.0.1", "eu-1a"), endpoint("10.0.0.2", "eu-1b")),
    )
    cluster = only(world.row(Question("backend", zone="eu-1b")))
    assert [(e.address, e.priority, e.share) for e in cluster.endpoints] == [
        ("10.0.0.2", 0, 1.0),
        ("10.0.0.1", 1, 0.0),
    ]
    assert cluster.left_out == []


def test_internal_traffic_policy_leaves_out_other_nodes() -> None:
    world = targets(
        service(50051, internal_traffic_policy="Local"), endpoint_slice(endpoint("10.0.0.1", node="n1"))
    )
    cluster = only(world.row(Question("backend")))
    assert reasons(cluster) == {"10.0.0.1": "the node of the client is unknown (internalTrafficPolicy Local)"}


def test_a_subset_leaves_out_most() -> None:
    """Of the connected client, whose bucket counts."""
    slices = endpoint_slice(*(f"10.0.1.{number}" for number in range(1, 9)), port_name="grpc")
    world = targets(BACKEND, slices, policy(subset={"min": 2, "percent": 10}), buckets=BUCKETS)
    client = Connected(parse("grpc-go/1.80"), decode("grpc/go/shop/-/-/1"))
    cluster = only(world.row(Question("backend"), client))
    assert len(cluster.endpoints) == 2
    assert set(reasons(cluster).values()) == {"subset"} and len(cluster.left_out) == 6


def test_a_target_of_a_pod_leaves_out_the_others() -> None:
    cluster = only(targets(BACKEND, PODS).row(Question("backend-0.backend.shop:50051")))
    assert [endpoint.address for endpoint in cluster.endpoints] == ["10.0.0.1"]
    assert reasons(cluster)["10.0.0.2"] == "not the pod backend-0 that the target names"


def routed(*rules: dict[str, object]) -> GRPCRoute:
    manifest = {
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {
            "parentRefs": [{"group": "", "kind": "Service", "name": "backend"}],
            "rules": list(rules),
        },
    }
    return msgspec.convert(manifest, GRPCRoute)


def test_a_route_divides_requests_between_clusters() -> None:
    backends = [{"name": "backend", "port": 50051, "weight": 9}, {"name": "canary", "port": 80, "weight": 1}]
    canary: Service = service(80, name="canary")
    pods = endpoint_slice("10.0.2.1", service="canary", name="canary-1")
    row = targets(BACKEND, PODS, canary, pods, routed({"backendRefs": backends})).row(Question("backend"))
    assert [(cluster.name, cluster.weight, len(cluster.endpoints)) for cluster in row.clusters] == [
        ("backend.shop.svc.cluster.local:50051", 0.9, 3),
        ("canary.shop.svc.cluster.local:80", 0.1, 1),
    ]
    by_header = {
        "matches": [{"headers": [{"name": "x", "value": "1"}]}],
        "backendRefs": [{"name": "canary", "port": 80}],
    }
    row = targets(BACKEND, PODS, canary, pods, routed(by_header, {"backendRefs": backends[:1]})).row(
        Question("backend")
    )
    assert [cluster.weight for cluster in row.clusters] == [None, None]


def test_requests_to_a_missing_backend_fail() -> None:
    row = targets(BACKEND, PODS, routed({"backendRefs": [{"name": "gone", "port": 80}]})).row(
        Question("backend")
    )
    assert [(cluster.name, cluster.weight, cluster.endpoints) for cluster in row.clusters] == [
        ("steerway.blackhole", 1.0, [])
    ]


@pytest.mark.parametrize("client", ["envoy/1.40", "grpc-js/1.14", "grpc-java/1.60", ""])
def test_every_kind_of_client_gets_an_answer(client: str) -> None:
    """With the names of its dialect."""
    cluster = only(
        targets(service(50051, uid="u1"), endpoint_slice("10.0.0.1")).row(Question("backend", client=client))
    )
    assert [endpoint.address for endpoint in cluster.endpoints] == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("bakend", "service shop/bakend not found"),
        ("backend:99", "service shop/backend has no TCP port 99; it has 50051 (grpc)"),
        ("dns:///backend", "scheme"),
        ("", "the target is empty"),
    ],
)
def test_an_invalid_target_is_an_error_of_its_row(target: str, error: str) -> None:
    row = targets(BACKEND, PODS).row(Question(target))
    assert row.error is not None and error in row.error
    assert (row.target, row.clusters) == (target, [])


def test_a_client_that_may_not_see_the_service_gets_the_reason() -> None:
    meta = msgspec.structs.replace(BACKEND.metadata, annotations={"steerway.io/export-to": "."})
    row = targets(msgspec.structs.replace(BACKEND, metadata=meta), PODS).row(
        Question("backend.shop", namespace="web")
    )
    assert row.error == "service shop/backend is not exported to web"
