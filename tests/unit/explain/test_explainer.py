"""Explanations of services of every kind, and of policies with the names of TrafficPolicy."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from envoy.config.core.v3 import base_pb2

from steerway.catalog.policy.traffic import of_object
from steerway.errors import TranslateError, UnknownServiceError
from steerway.explain import Explainer, Question, access, wording
from steerway.explain.subscriber import Subscribers
from steerway.sources.objects.core import Object, Service, ServicePort
from steerway.sources.policy.gateway import GRPCRoute
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.translate.xds import type_url
from testbed.mesh import Mesh, endpoint, endpoint_slice, service
from tests.support.example.policy_example import FULL

DOMAIN = "cluster.local"


def explain(objects: Iterable[Object], target: str, **question: str) -> dict[str, Any]:
    """The explanation of a target in a mesh of these objects."""
    mesh = Mesh(*objects)
    explainer = Explainer(
        find=mesh.catalog.service,
        known=lambda: mesh.catalog,
        metadata=lambda id: mesh.catalog.metadata(mesh.facts.get, id),
        preview=mesh.translator.preview,
        topology="zone",
        domain=DOMAIN,
        namespace="default",
        buckets=0,
        access=access.of_catalog(mesh.catalog, mesh.facts.get),
    )
    return explainer.explain(Question(target, **question))


def annotated(**annotations: str) -> Service:
    """`backend` with annotations of steerway.io."""
    fact = service(ServicePort(50051, "grpc"))
    named = {f"steerway.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return msgspec.structs.replace(fact, metadata=msgspec.structs.replace(fact.metadata, annotations=named))


def route(namespace: str, backend: str, *, name: str = "r") -> GRPCRoute:
    """One rule for all calls of shop/backend."""
    manifest = {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [{"group": "", "kind": "Service", "name": "backend", "namespace": "shop"}],
            "rules": [{"backendRefs": [{"name": backend, "namespace": "shop", "port": 50051}]}],
        },
    }
    return msgspec.convert(manifest, GRPCRoute)


V1 = [service(50051, name="v1"), endpoint_slice("10.0.0.9", service="v1", name="v1-1")]


def test_an_external_name_is_explained_by_its_host() -> None:
    """It has no endpoints, and no assignment."""
    result = explain([service(443, external_name="example.org")], "backend.shop")
    assert result["facts"]["external_name"] == "example.org"
    assert [resource["type_url"] for resource in result["resources"]] == [
        type_url.LISTENER,
        type_url.ROUTE,
        type_url.CLUSTER,
    ]


def test_a_client_without_access_to_a_service_gets_the_reason() -> None:
    """The facts are explained nevertheless."""
    result = explain([annotated(export_to="pay")], "backend.shop", namespace="web")
    assert result["facts"]["exported_to"] == ["pay", "shop"]
    assert [resource["absent"] for resource in result["resources"]] == [
        "service shop/backend is not exported to web"
    ]
    assert explain([annotated(private="true")], "backend.shop")["facts"]["private"] is True


def test_a_consumer_route_is_used_in_its_namespace() -> None:
    """Both routes are listed, with their kind, and whether they are in use."""
    objects = [service(50051), *V1, route("shop", "v1"), route("pay", "gone")]
    for namespace, used in (("pay", [False, True]), ("web", [True, False])):
        rules = explain(objects, "backend.shop", namespace=namespace)["facts"]["rules"]
        assert [(rule["kind"], rule["namespace"]) for rule in rules] == [
            ("producer", "shop"),
            ("consumer", "pay"),
        ]
        assert [rule["in_use"] for rule in rules] == used
        assert rules[0]["backends"] == [{"port": "shop/v1:50051", "weight": 1, "served": True}]
        assert rules[1]["backends"] == [{"port": "shop/gone:50051", "weight": 1, "served": False}]


def test_the_resources_are_those_of_the_route() -> None:
    """Cluster and endpoints of the route's backend, not of the port."""
    objects = [service(50051), endpoint_slice("10.0.0.1"), *V1, route("shop", "v1")]
    result = explain(objects, "xds:///backend.shop:50051", client="grpc-go/1.70")
    assert [
        (resource["type_url"].rpartition(".")[2], resource["name"]) for resource in result["resources"]
    ] == [
        ("Listener", "backend.shop:50051"),
        ("RouteConfiguration", "backend.shop.svc.cluster.local:50051"),
        ("Cluster", "v1.shop.svc.cluster.local:50051"),
        ("ClusterLoadAssignment", "v1.shop.svc.cluster.local:50051"),
    ]
    (cluster,) = result["client"]["clusters"]
    assert cluster["localities"] == [{"priority": 0, "region": "", "zone": "", "weight": 1, "endpoints": 1}]


def test_a_service_without_endpoints_has_none_for_any_client() -> None:
    """The placeholder address in the assignment for grpc-java is no endpoint."""
    for client in ("grpc-java", "grpc-go"):
        result = explain([service(50051)], "backend.shop", client=client)
        (cluster,) = result["client"]["clusters"]
        assert cluster["localities"] == []


def test_one_pod_is_explained_without_routes() -> None:
    """A pod of a headless Service, by its name."""
    slice = endpoint_slice(endpoint("10.0.0.1", hostname="web-0"), "10.0.0.2")
    result = explain([service(50051), slice, *V1, route("shop", "v1")], "web-0.backend.shop")
    assert (result["target"]["pod"], result["target"]["name"]) == (
        "web-0",
        "web-0.backend.shop.svc.cluster.local:50051",
    )
    assert result["client"]["clusters"][0]["localities"][0]["endpoints"] == 1


def test_the_zone_of_a_client_determines_its_localities() -> None:
    """Its own zone is first."""
    slice = endpoint_slice(endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b"), port_name="grpc")
    result = explain([annotated(zones="failover"), slice], "backend.shop", zone="b", client="grpc-java")
    assert result["client"]["audience"] == "grpc/java/shop/b"
    assert [
        (locality["priority"], locality["zone"]) for locality in result["client"]["clusters"][0]["localities"]
    ] == [
        (0, "b"),
        (1, "a"),
    ]


def test_a_subset_that_is_not_followed_is_reported() -> None:
    """If clients are not divided into buckets."""
    result = explain([annotated(subset_min="1"), endpoint_slice("10.0.0.1")], "backend.shop")
    assert result["client"]["subset"] == {"followed": False, "size": 0, "buckets": 0}
    assert explain([annotated()], "backend.shop")["client"]["subset"] is None


def test_an_unknown_service_has_its_nearest_names() -> None:
    """The same name in other namespaces, swapped parts, and similar names in its own or a similar namespace."""
    objects = [service(1, name="backend"), service(1, name="backends"), service(1, name="x")]
    for target, nearest in (
        ("backend.shpo", ["shop/backend"]),
        ("backnd.shop", ["shop/backend", "shop/backends"]),
        ("shop.backend", ["shop/backend"]),
        ("backnd.shops", ["shop/backend", "shop/backends"]),
        ("zzz.shp", []),
        ("orders.pay", []),
    ):
        with pytest.raises(UnknownServiceError) as error:
            explain(objects, target)
        assert error.value.nearest == nearest
    with pytest.raises(TranslateError, match="has an empty label"):
        explain(objects, "a..b")


@pytest.mark.parametrize(
    "asked", [{"namespace": "a/b"}, {"zone": "a/b"}, {"node": "é"}, {"namespace": "Shop"}]
)
def test_an_invalid_name_of_a_client_is_refused(asked: dict[str, str]) -> None:
    """No client can have such an audience."""
    with pytest.raises(TranslateError, match="is not a valid name of a"):
        explain([service(1, name="backend")], "backend.shop", **asked)


def test_every_section_has_a_text() -> None:
    """With the field names of the TrafficPolicy that sets it."""
    spec = {"targetRefs": [{"group": "", "kind": "Service", "name": "backend"}], **FULL}
    policy = msgspec.convert({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec}, TrafficPolicy)
    sections = wording.sections(of_object(policy))
    assert {section["source"] for section in sections} == {"TrafficPolicy shop/p"}
    assert {section["section"]: section["value"] for section in sections} == {
        "zones": "mode Spill, overloadPercent 150, demand a=3",
        "subset": "min 3, percent 50",
        "balancing": "policy RingHash, hashOn header x-user then cookie sid, minSize 1024, maxSize 4096",
        "outlierDetection": "interval 10s, baseEjectionTime 30s, maxEjectionPercent 10, successRate stdevFactorPercent"
        " 190 enforcingPercent 100, failurePercentage threshold 50 enforcingPercent 100",
        "limits": "maxRequests 100",
        "safety": "whenEmpty KeepLast, panicPercent 50",
        "healthCheck": "service shop.Backend, interval 10s, timeout 1s",
        "timeout": "request 1500ms",
        "retry": "codes cancelled unavailable, attempts 3, backoff base 25ms max 1s",
        "session": "cookie sid, path /, ttl session",
        "fault": "delay 10ms percent 1, abort gRPC code 5 percent 2",
    }


def test_limitations_of_a_stream_depend_on_its_names() -> None:
    """Those of calls for listeners and routes, those of endpoints for clusters; each once."""
    mesh = Mesh(annotated(balancing="LeastRequest", timeout="1s"), *V1)
    subscribers = Subscribers(mesh.catalog.service, DOMAIN)
    node = base_pb2.Node(user_agent_name="gRPC Go", user_agent_version="1.36.0").SerializeToString()
    name = "backend.shop.svc.cluster.local:50051"
    subscribed = [
        (type_url.LISTENER, "backend"),
        (type_url.ROUTE, name),
        (type_url.CLUSTER, name),
        (type_url.ENDPOINT, name),
        (type_url.CLUSTER, "steerway.blackhole"),
        (type_url.ROUTE, "gone.shop.svc.cluster.local:1"),
    ]
    assert subscribers.client(node) == "grpc-go 1.36"
    assert subscribers.limitations(node, "grpc/go-a27/shop", subscribed) == [
        "shop/backend:50051: timeouts (gRFC A31) are not supported by grpc-go 1.36:"
        " calls last as long as their callers wait",
        "shop/backend:50051: least_request (gRFC A48) is not supported by grpc-go 1.36:"
        " it falls back to round_robin",
    ]


def test_limitations_of_an_envoy_cover_all_services() -> None:
    """Its routes include all services; those of a gateway the exposed ones."""
    policy = annotated(balancing="PickFirst")
    mesh = Mesh(policy, *V1)
    subscribers = Subscribers(mesh.catalog.service, DOMAIN, [item.id for item in mesh.catalog])
    node = base_pb2.Node(user_agent_name="envoy").SerializeToString()
    assert subscribers.limitations(node, "envoy/sidecar/shop", [(type_url.ROUTE, "steerway.sidecar")]) == [
        "shop/backend:50051: pick_first (gRFC A62) is not supported by Envoy: it falls back to round_robin"
    ]
    assert not subscribers.limitations(node, "envoy/gateway/shop", [(type_url.ROUTE, "steerway.gateway")])


@pytest.mark.parametrize(
    ("port", "protocol", "limits"),
    [
        (ServicePort(50051, "web"), (None, None, "HTTP/2 is assumed"), {}),
        (ServicePort(50051, "http"), ("HTTP/1.1", "the port name http", ""), {}),
        (
            ServicePort(50051, "web", app_protocol="https"),
            ("TLS", "appProtocol https", "Envoys do not connect to it"),
            {"envoy": "calls to port 50051 (web) fail"},
        ),
    ],
)
def test_the_protocol_of_a_port_is_a_fact(
    port: ServicePort, protocol: tuple[str | None, str | None, str], limits: dict[str, str]
) -> None:
    """An Envoy that does not connect has a limitation and no cluster; a gRPC client does not."""
    for client in ("envoy", "grpcio"):
        result = explain([service(port)], "xds:///backend.shop", client=client)
        facts, limitations = result["facts"]["protocol"], result["client"]["limitations"]
        assert (facts["name"], facts["stated_by"]) == protocol[:2]
        assert (facts["note"] or "").startswith(protocol[2])
        assert [
            limitation for limitation in limitations if limits.get(client, "-") in limitation
        ] == limitations
        assert bool(limitations) == (client in limits) != bool(result["resources"])
