"""HTTP filters: what a Listener has, and what its routes set."""

import pytest
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.http.stateful_session.cookie.v3 import cookie_pb2
from envoy.extensions.http.stateful_session.header.v3 import header_pb2
from google.protobuf.message import Message

from steerway.catalog.model.policy import Fault, Policy, Session
from steerway.translate.grpc import http_filter, listener
from steerway.translate.xds import type_url
from testbed.mesh import NAMESPACE, Mesh, endpoint_slice, service
from tests.support.example.route_example import grpc_route, policy, rule
from tests.support.model import client_rules

FAULTY = Policy.from_object("x", fault=Fault(delay_seconds=0.25, delay_share=0.5))
STICKY = Policy.from_object("x", session=Session("s"))


def filters(body: bytes, name: str) -> list[hcm_pb2.HttpFilter]:
    """Those of a Listener, which every client accepts."""
    assert client_rules.refusals(type_url.LISTENER, name, body) == []
    message = listener_pb2.Listener.FromString(body)
    return list(
        hcm_pb2.HttpConnectionManager.FromString(message.api_listener.api_listener.value).http_filters
    )


def sources(result: Policy, name: str, message: Message) -> Message:
    """What a route sets in a filter: a fault, which all clients know, as it is (grpc-js-xds 1.14 refuses one in a
    FilterConfig), else so that a client without the filter passes it over."""
    wanted = http_filter.of_route(result)[name]
    if name != http_filter.FAULT:
        config = route_components_pb2.FilterConfig()
        assert wanted.Unpack(config)
        assert config.is_optional
        wanted = config.config
    assert wanted.Unpack(message)
    return message


def test_a_listener_has_every_filter_that_routes_may_speak_to() -> None:
    """Once, with nothing to do, optional; the router is there and last (gRFC A39)."""
    *result, router = filters(listener.build("a", "b"), "a")
    assert [item.name for item in result] == [
        "envoy.filters.http.fault",
        "envoy.filters.http.stateful_session",
    ]
    assert all(item.is_optional and not item.typed_config.value for item in result)
    assert (router.name, router.is_optional) == ("envoy.filters.http.router", False)


@pytest.mark.parametrize(
    ("target", "kind"), [("route", "GRPCRoute"), ("backend", "Service"), ("a", "Service")]
)
def test_a_port_with_routes_has_the_filters_for_every_client(target: str, kind: str) -> None:
    """Its route, itself or a backend: the Listener does not change with them."""
    silent = Mesh(*_routed()).get(type_url.LISTENER, "backend")
    body = Mesh(*_routed(), policy(kind, target, fault={"abort": {"code": "Internal"}})).get(
        type_url.LISTENER, "backend"
    )
    assert http_filter.FAULT in [route_filter.name for route_filter in filters(body, "backend")]
    assert body == silent


def _routed() -> list[object]:
    names = ("backend", "a")
    services = [service(50051, name=name, namespace=NAMESPACE) for name in names]
    slices = [
        endpoint_slice(f"10.0.0.{index}", service=name, name=name) for index, name in enumerate(names, 1)
    ]
    return [*services, *slices, grpc_route(rule("a"))]


def test_a_fault_is_a_share_of_calls() -> None:
    """In millionths (gRFC A33); the part that no policy sets is absent."""
    delay = sources(FAULTY, http_filter.FAULT, fault_pb2.HTTPFault())
    assert isinstance(delay, fault_pb2.HTTPFault)
    assert delay.delay.fixed_delay.ToJsonString() == "0.250s"
    assert delay.delay.percentage.numerator == 500_000
    assert not delay.HasField("abort")
    abort = sources(
        Policy.from_object("x", fault=Fault(abort_code=14, abort_share=0.01)),
        http_filter.FAULT,
        fault_pb2.HTTPFault(),
    )
    assert isinstance(abort, fault_pb2.HTTPFault)
    assert (abort.abort.grpc_status, abort.abort.percentage.numerator) == (14, 10_000)
    assert not abort.HasField("delay")


def test_a_delay_of_no_time_is_none() -> None:
    """Envoy would refuse all routes for it."""
    wanted = Policy.from_object("x", fault=Fault(delay_seconds=0.0, delay_share=1.0))
    result = sources(wanted, http_filter.FAULT, fault_pb2.HTTPFault())
    assert isinstance(result, fault_pb2.HTTPFault)
    assert not result.HasField("delay")


def test_a_session_by_header_is_for_envoy() -> None:
    """A gRPC client that knows sessions refuses one of another kind."""
    policy = Policy.from_object("x", session=Session("", header="x-cart"))
    assert http_filter.of_route(policy) == {}
    wrapper = route_components_pb2.FilterConfig()
    assert http_filter.of_route(policy, envoy=True)[http_filter.SESSION].Unpack(wrapper)
    route, state = stateful_session_pb2.StatefulSessionPerRoute(), header_pb2.HeaderBasedSessionState()
    assert wrapper.config.Unpack(route)
    assert route.stateful_session.session_state.name == "envoy.http.stateful_session.header"
    assert route.stateful_session.session_state.typed_config.Unpack(state)
    assert state.name == "x-cart"


@pytest.mark.parametrize(
    ("wanted", "path", "ttl"),
    [(Session("s"), "/", None), (Session("s", "/a", 60.0), "/a", 60), (Session("s", "/", 0.0), "/", None)],
)
def test_a_session_is_a_cookie(wanted: Session, path: str, ttl: int | None) -> None:
    """gRFC A55; one without a time ends with the browser, or the client."""
    result = sources(
        Policy.from_object("x", session=wanted),
        http_filter.SESSION,
        stateful_session_pb2.StatefulSessionPerRoute(),
    )
    assert isinstance(result, stateful_session_pb2.StatefulSessionPerRoute)
    state = cookie_pb2.CookieBasedSessionState()
    assert result.stateful_session.session_state.typed_config.Unpack(state)
    assert (state.cookie.name, state.cookie.path) == ("s", path)
    assert state.cookie.ttl.seconds == (ttl or 0)
    assert state.cookie.HasField("ttl") is (ttl is not None)
