"""The Gateway API's conformance tests for what is particular to a Service as parent: ports, the frontend, namespaces.

See docs/conformance.md, and `test_conformance_grpc` for the others.
"""

import grpc
import pytest

from testbed.backend.backend import Backends
from testbed.manifest import (
    GATEWAY,
    NAMESPACE,
    PORT,
    Endpoint,
    Files,
    Manifest,
    backend_ref,
    http_route,
    parent,
    path,
    rule,
    service,
    slices,
)
from tests.real.conftest import Connect, Steer
from tests.support.example.conformance import V1, V2, Case
from tests.support.example.echo import Echo, asked, targets
from tests.support.example.echo import echo as echo

CONSUMER = "consumer"
_FAILS = grpc.StatusCode.UNAVAILABLE.name


def test_mesh_ports(backends: Backends, echo: Echo, files: Files, steer: Steer, connect: Connect) -> None:
    """`MeshPorts`: a parentRef with a port is for that port alone, one without for all of them."""
    first, two = backends.open(2)
    own = {first: "one", two: "two", **echo}
    for name in ("some", "all"):
        ports = [*slices(name, [first], "grpc"), *slices(name, [two], "other")]
        files.write(f"{name}.yaml", service(name, {"grpc": PORT, "other": 7070}), *ports)
    files.write(
        "route.yaml",
        http_route("some", parent("some", port=PORT), rule(V1)),
        http_route("all", "all", rule(V2)),
    )
    client = connect(steer())
    results = {target: targets(client.dial(f"xds:///{target}"), own) for target in _TARGETS}
    assert results == _TARGETS


_TARGETS = {f"some:{PORT}": {V1}, "some:7070": {"two"}, f"all:{PORT}": {V2}, "all:7070": {V2}}


def test_mesh_frontend(echo: Echo, files: Files, steer: Steer, connect: Connect) -> None:
    """`MeshFrontend`: a route counts for calls to its Service, not for those to a pod of it, nor to it as a backend."""
    address = next(address for address, name in echo.items() if name == V2)
    files.publish([Endpoint(address, hostname="web-0")], V2)
    files.write("route.yaml", http_route("front", V2, rule(V1)), http_route("other", "echo", rule(V2)))
    client = connect(steer())
    results = {
        target: targets(client.dial(f"xds:///{target}"), echo) for target in (V2, f"web-0.{V2}.shop", "echo")
    }
    assert results == {V2: {V1}, f"web-0.{V2}.shop": {V2}, "echo": {V2}}


def test_mesh_consumer_route(echo: Echo, files: Files, steer: Steer, connect: Connect) -> None:
    """`MeshConsumerRoute`: a route of another namespace is for clients there, and for no others."""
    to = parent(V1, namespace=NAMESPACE)
    route = http_route("consumer", to, rule(backend_ref(V2, namespace=NAMESPACE)), namespace=CONSUMER)
    files.write("route.yaml", route)
    plane = steer()
    results = {
        namespace: targets(connect(plane, "--namespace", namespace).dial(f"xds:///{V1}.{NAMESPACE}"), echo)
        for namespace in (NAMESPACE, CONSUMER)
    }
    assert results == {NAMESPACE: {V1}, CONSUMER: {V2}}


@pytest.mark.parametrize(
    ("annotated", "granted", "answer"),
    [(False, False, V1), (True, False, _FAILS), (True, True, V1)],
    ids=["HTTPRouteCrossNamespace", "HTTPRouteInvalidCrossNamespaceBackendRef", "HTTPRouteReferenceGrant"],
)
def test_backends_of_other_namespaces(
    annotated: bool,
    granted: bool,
    answer: str,
    backends: Backends,
    files: Files,
    steer: Steer,
    connect: Connect,
) -> None:
    """GEP-1294: a mesh needs no ReferenceGrant. A Service that is exported to no other namespace does."""
    (address,) = backends.open(1)
    files.publish([], "echo")
    annotations = {"steerway.io/export-to": "."} if annotated else None
    files.publish([address], V1, "elsewhere", annotations=annotations)
    documents = [http_route("r", "echo", rule(backend_ref(V1, namespace="elsewhere")))]
    if granted:
        documents.append(_grant("elsewhere", V1))
    files.write("route.yaml", *documents)
    channel = connect(steer()).dial("xds:///echo")
    assert asked(channel, Case("/a/b", answer), {address: V1}) == answer


def test_an_invalid_grant_leaves_the_sibling(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """`HTTPRoutePartiallyInvalidViaInvalidReferenceGrant`: a grant for another Service lets this one's calls fail."""
    addresses = backends.open(2)
    files.publish([], "echo")
    for name, address in zip((V1, V2), addresses, strict=True):
        files.publish([address], name, "elsewhere", annotations={"steerway.io/export-to": "."})
    rules = [
        rule(backend_ref(V2, namespace="elsewhere"), matches=[path("/v2", prefix=True)]),
        rule(backend_ref(V1, namespace="elsewhere")),
    ]
    files.write("route.yaml", http_route("r", "echo", *rules), _grant("elsewhere", V1))
    channel = connect(steer()).dial("xds:///echo")
    echo = dict(zip(addresses, (V1, V2), strict=True))
    assert [asked(channel, Case(called, ""), echo) for called in ("/v2/a", "/a/b")] == [_FAILS, V1]


def _grant(namespace: str, name: str) -> Manifest:
    origin = {"group": GATEWAY, "kind": "HTTPRoute", "namespace": NAMESPACE}
    return {
        "apiVersion": f"{GATEWAY}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "grant", "namespace": namespace},
        "spec": {"from": [origin], "to": [{"group": "", "kind": "Service", "name": name}]},
    }
