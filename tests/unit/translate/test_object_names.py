"""Names for grpc-js, which does not see the return of what was removed unless it has another name."""

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.explain.subscriber import Subscribers
from steerway.translate import resource_name
from steerway.translate.answer import Reason
from steerway.translate.client.audience import decode
from steerway.translate.xds import type_url
from testbed.mesh import CORE, ENVOY, NO_LRS, UNKNOWN, AbsentError, Mesh, endpoint, endpoint_slice, service
from tests.support.example.route_example import backend, grpc_route, rule

NODE = "grpc/node/shop"
CANONICAL = "backend.shop.svc.cluster.local:50051"
POD = endpoint_slice("10.0.0.1")


def mesh(uid: str | None) -> Mesh:
    return Mesh(service(50051, uid=uid), POD)


def of(name: str, uid: str, port: int = 50051) -> str:
    """The cluster of a Service with this UID."""
    return resource_name.of_object(f"{name}.shop.svc.cluster.local:{port}", uid)


def asked(result: Mesh) -> set[tuple[str, str]]:
    """What clients were answered but listeners, by type and name."""
    return {(served, name) for served, name, _ in result.published.entries if served != type_url.LISTENER}


@pytest.mark.parametrize("audience", [NODE, NO_LRS])
def test_a_service_that_returns_has_another_route_and_cluster_for_grpc_js(audience: str) -> None:
    """The assignment keeps its name: a client that leaves the cluster forgets it."""
    result = mesh("1")
    before = result.walk("backend", audience)
    result.update(delete=[service(50051).key])
    with pytest.raises(AbsentError):
        result.walk("backend", audience)
    result.update(service(50051, uid="2"))
    after = result.walk("backend", audience)
    assert (list(before), list(after)) == ([of("backend", "1")], [of("backend", "2")])
    assert result.dial("backend", audience) == ["10.0.0.1:50051"]
    assert {name for served, name in asked(result) if served == type_url.ENDPOINT} == {CANONICAL}


@pytest.mark.parametrize("audience", [UNKNOWN, CORE, "grpc/go/shop", "grpc/java/shop"])
def test_names_for_other_clients_are_those_of_the_port(audience: str) -> None:
    """Also while grpc-js asks for the same Service."""
    result = mesh("1")
    result.walk("backend", NODE)
    assert list(result.walk("backend", audience)) == [CANONICAL]
    assert result.dial("backend", audience) == result.dial("backend", NODE) == ["10.0.0.1:50051"]


def test_without_a_uid_all_clients_share_their_resources() -> None:
    """As from a file that gives none."""
    result = mesh(None)
    result.dial("backend.shop", UNKNOWN)
    before = result.published.entries.keys() - set()
    result.dial("backend.shop", NODE)
    new = result.published.entries.keys() - before
    assert new == {(type_url.ENDPOINT, CANONICAL, "grpc/node")}


def test_replicas_and_restarts_agree() -> None:
    """A name depends on the UID alone, not on what was there before."""
    old = mesh("1")
    old.walk("backend", NODE)
    old.update(service(50051, uid="2"))
    assert old.walk("backend", NODE) == mesh("2").walk("backend", NODE)


def test_names_of_the_object_before_are_served_until_clients_leave_them() -> None:
    """A Service that was created again at once takes no call away: a client goes from one name to the other."""
    result = mesh("1")
    result.walk("backend", NODE)
    retained = [
        (served, resource_name.of_object(CANONICAL, "1"), NODE)
        for served in (type_url.ROUTE, type_url.CLUSTER)
    ]
    result.update(service(50051, uid="2"))
    assert list(result.walk("backend", NODE)) == [of("backend", "2")]
    for wanted in retained:
        assert result.published.body(*wanted)
    result.update(delete=[service(50051).key])
    for wanted in retained:
        with pytest.raises(AbsentError, match="service shop/backend not found"):
            result.published.body(*wanted)


def test_each_backend_of_a_route_has_the_mark_of_its_own_object() -> None:
    """Those that get nothing yet, too; one that is not there is the cluster without endpoints."""
    routed = grpc_route(rule(backend("v1", 1), backend("v2", 0), backend("gone", 1)))
    backends = [service(50051, name=name, uid=f"{name}-uid") for name in ("v1", "v2")]
    result = Mesh(service(50051, uid="1"), *backends, routed)
    assert set(result.walk("backend", NODE)) == {
        of("v1", "v1-uid"),
        of("v2", "v2-uid"),
        "steerway.blackhole",
    }
    result.update(service(50051, name="v1", uid="other"))
    assert of("v1", "other") in result.walk("backend", NODE)


def test_a_pod_and_an_external_name_have_marks_too() -> None:
    """Every target of a Service."""
    pod = endpoint_slice(endpoint("10.0.0.1", hostname="web-0"))
    result = Mesh(service(50051, uid="1"), pod)
    assert list(result.walk("web-0.backend.shop", NODE)) == [of("web-0.backend", "1")]
    result = Mesh(service(443, uid="1", external_name="example.org"))
    assert list(result.walk("backend", NODE)) == [of("backend", "1", 443)]


def test_envoy_is_not_answered_by_such_names() -> None:
    """Its clusters have those of the port."""
    content = mesh("1").translator.preview(type_url.CLUSTER, of("backend", "1"), decode(ENVOY))
    assert isinstance(content, Reason)


def test_limitations_are_found_by_such_names() -> None:
    """Of routes and clusters that a stream is subscribed to."""
    result = Mesh(service(443, uid="1", external_name="example.org"))
    subscribers = Subscribers(result.catalog.service, "cluster.local")
    node = base_pb2.Node(user_agent_name="gRPC Node Pure JS", user_agent_version="1.4.0")
    canonical = "backend.shop.svc.cluster.local:443"
    marked, plain = (
        subscribers.limitations(
            node.SerializeToString(), NODE, [(type_url.ROUTE, name), (type_url.CLUSTER, name)]
        )
        for name in (of("backend", "1", 443), canonical)
    )
    assert marked == plain != []
