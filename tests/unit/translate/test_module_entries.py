"""The way of one changed service through translate: it enters each module at most twice for each resource."""

from steerway.sources.objects.core import ServicePort
from steerway.translate.xds import type_url
from testbed.mesh import CORE, ENVOY, Mesh, endpoint_slice, service
from tests.unit.translate.module_trace import LEAVES, ModuleTrace

CANONICAL = "backend.shop.svc.cluster.local:50051"


def traced() -> ModuleTrace:
    """The refresh of a service that one gRPC client and one Envoy use."""
    mesh = Mesh(service(50051), endpoint_slice("10.0.0.1"))
    mesh.dial("backend", CORE)
    mesh.demand(*((served, "*", ENVOY) for served in (type_url.LISTENER, type_url.CLUSTER)))
    mesh.demand((type_url.ROUTE, "steerway.sidecar", ENVOY), (type_url.ENDPOINT, CANONICAL, ENVOY))
    changed = service(ServicePort(50051, app_protocol="kubernetes.io/h2c"))
    mesh.facts[changed.key] = changed
    services = mesh.catalog.update(mesh.facts.get, [changed.key])
    trace = ModuleTrace()
    trace.run(lambda: mesh.translator.refresh(services))
    return trace


def test_a_changed_service_enters_each_module_at_most_twice_for_each_resource() -> None:
    """One module plans it, its builder gives the variant and the resource (docs/decisions/0028). Leaves, which call no
    other module, do not count."""
    counts = traced().counts()
    assert sorted(counts) == [
        "Cluster for envoy",
        "Cluster for grpc",
        "ClusterLoadAssignment for envoy",
        "ClusterLoadAssignment for grpc",
        "Listener for grpc",
        "RouteConfiguration for envoy",
        "RouteConfiguration for grpc",
        "wildcards",
    ]
    often = {
        name: {module: count for module, count in counter.items() if count > 2 and module not in LEAVES}
        for name, counter in counts.items()
    }
    assert not any(often.values()), often


def test_each_type_has_one_builder() -> None:
    """It is entered for the variant and for the resource."""
    counts = traced().counts()
    builders = {
        "Listener": "xds/listener",
        "RouteConfiguration": "xds/route",
        "Cluster": "xds/cluster",
        "ClusterLoadAssignment": "xds/endpoint",
    }
    del counts["wildcards"]
    for name, counter in counts.items():
        entered = {module: count for module, count in counter.items() if module in builders.values()}
        assert entered == {builders[name.partition(" ")[0]]: 2}, name
