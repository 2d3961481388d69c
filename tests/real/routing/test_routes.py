"""GRPCRoutes with a Service as parent, as clients of two libraries follow them."""

import grpc
import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Request
from testbed.manifest import (
    NAMESPACE,
    Files,
    backend_ref,
    grpc_route,
    headers_of,
    method,
    parent,
    rule,
    service,
)
from tests.real.conftest import Connect, Serve, Steer

TARGET = "xds:///backend.shop"
PRECEDENCE = {
    "rest": rule("rest"),
    "headed": rule("headed", matches=[{"headers": headers_of(x_user="vip")}]),
    "named": rule("named", matches=[method(name="Ping")]),
    "service": rule("service", matches=[method("pkg.A")]),
    "regex": rule("regex", matches=[method(r"pkg\.(B|C)", "Get.*", regex=True)]),
    "exact": rule("exact", matches=[method("pkg.A", "Get"), method("pkg.B", "Get")]),
    "vip": rule("vip", matches=[method("pkg.A", "Get", x_user="vip")]),
    "tester": rule(
        "tester",
        matches=[
            {**method("pkg.A", "Get"), "headers": headers_of(regex=True, x_user="t-[0-9]+", x_debug=".+")}
        ],
    ),
}
"""Rules by the only backend of each, the least specific first."""
CALLS: list[tuple[str, Request]] = [
    ("exact", {"method": "/pkg.A/Get"}),
    ("exact", {"method": "/pkg.B/Get"}),
    ("exact", {"method": "/pkg.A/Get", "metadata": {"x-user": "t-1"}}),
    ("exact", {"method": "/pkg.A/Get", "metadata": {"x-user": "vip-2"}}),
    ("vip", {"method": "/pkg.A/Get", "metadata": {"x-user": "vip"}}),
    ("tester", {"method": "/pkg.A/Get", "metadata": {"x-user": "t-1", "x-debug": "1"}}),
    ("exact", {"method": "/pkg.A/Get", "metadata": {"x-user": "t-1x", "x-debug": "1"}}),
    ("service", {"method": "/pkg.A/GetMore"}),
    ("service", {"method": "/pkg.A/Get2", "metadata": {"x-user": "vip"}}),
    ("service", {"method": "/pkg.A/Ping"}),
    ("regex", {"method": "/pkg.B/GetMore"}),
    ("regex", {"method": "/pkg.C/Get"}),
    ("rest", {"method": "/pkg.D/Get"}),
    ("rest", {"method": "/pkg.CC/Get"}),
    ("rest", {"method": "/pkg.AA/Get"}),
    ("named", {"method": "/pkg.AA/Ping"}),
    ("named", {"method": "/pkg.AA/Ping", "metadata": {"x-user": "vip"}}),
    ("rest", {"method": "/pkg.AA/Pings"}),
    ("headed", {"method": "/pkg.AA/Pings", "metadata": {"x-user": "vip"}}),
]


def test_the_most_specific_rule_gets_a_call(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """Gateway API, GRPCRouteRule: characters of the service, then of the method, then headers; order does not count."""
    addresses = dict(zip(PRECEDENCE, serve(*PRECEDENCE), strict=True))
    files.write("parent.yaml", service("backend", {"": 50051}))
    files.write("route.yaml", grpc_route("all", "backend", *PRECEDENCE.values()))
    channel = connect(steer()).dial(TARGET)
    names = {address: name for name, address in addresses.items()}
    results = [(names.get(channel.call(**request)[0].backend), request) for _, request in CALLS]
    assert results == CALLS
    assert {name for name, _ in results} == set(PRECEDENCE)


def test_what_no_rule_matches_and_what_a_rule_has_no_backend_for_fails(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """At once and alone: the Service's own endpoints do not stand in (GEP-1294)."""
    _, a = serve("backend", "a")
    route = grpc_route(
        "some",
        "backend",
        rule("a", matches=[method("pkg.A")]),
        rule(matches=[method("pkg.Closed")]),
        rule(backend_ref("a", weight=0), matches=[method("pkg.Weightless")]),
    )
    files.write("route.yaml", route)
    channel = connect(steer()).dial(TARGET)
    for called in ("/pkg.Other/Get", "/pkg.Closed/Get", "/pkg.Weightless/Get"):
        answers = channel.call(5, method=called, deadline_seconds=10)
        assert {answer.code for answer in answers} == {grpc.StatusCode.UNAVAILABLE}, (called, answers)
        assert {answer.backend for answer in channel.call(5, method="/pkg.A/Get")} == {a}


def test_a_route_comes_changes_and_goes_without_a_failed_call(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """Calls that always have a backend go on, also when the old backend goes with the change."""
    own, a, b = serve("backend", "a", "b")
    channel = connect(steer()).dial(TARGET)
    with channel.load(rate=200, method="/pkg.A/Get") as load:
        load.settle(own)
        for backends, names in (([a], "a"), ([a, b], "ab"), ([b], "b"), ([a, own], ["a", "backend"])):
            rules = [rule(*names, matches=[method("pkg.A", "Get")]), rule("b")]
            files.write("route.yaml", grpc_route("some", "backend", *rules))
            load.settle(*backends)
        files.remove("route.yaml")
        load.settle(own)
    assert load.lost == []


def test_a_route_and_its_new_backend_may_come_in_any_order(
    backends: Backends, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """The share of a backend that is not there yet fails, and no other call does; then it gets its share."""
    serve("backend")
    (a,) = serve("a")
    files.write(
        "route.yaml", grpc_route("some", "backend", rule("new", matches=[method("pkg.New")]), rule("a"))
    )
    client = connect(steer())
    channel, other = client.dial(TARGET), client.dial(TARGET)
    assert other.call(method="/pkg.New/Get", deadline_seconds=10)[0].code is grpc.StatusCode.UNAVAILABLE
    with channel.load(rate=200) as load:
        load.settle(a)
        (new,) = backends.open(1)
        files.publish([new], "new")
        other.wait_for_backend(new, method="/pkg.New/Get")
    assert load.failures == []


@pytest.mark.parametrize("kind", ["producer", "consumer"])
def test_a_route_counts_for_all_clients_or_for_those_of_its_own_namespace(
    kind: str, serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """GEP-1324: that of the Service's namespace is for everybody, one of another namespace for clients there alone."""
    (own,) = serve("backend")
    (producer,) = serve("producer")
    (consumer,) = serve("consumer", namespace="elsewhere")
    files.write("everyone.yaml", grpc_route("producer", "backend", rule("producer")))
    if kind == "consumer":
        to = parent("backend", namespace=NAMESPACE)
        files.write("namespace.yaml", grpc_route("r", to, rule("consumer"), namespace="elsewhere"))
    plane = steer()
    channels = {
        namespace: connect(plane, "--namespace", namespace).dial(TARGET)
        for namespace in (NAMESPACE, "elsewhere", "third")
    }

    def answering() -> dict[str, set[str]]:
        return {
            namespace: {answer.backend for answer in channel.call(5)}
            for namespace, channel in channels.items()
        }

    there = consumer if kind == "consumer" else producer
    assert answering() == {NAMESPACE: {producer}, "elsewhere": {there}, "third": {producer}}
    files.remove("everyone.yaml")
    channels["third"].wait_for_backend(own)
    channels[NAMESPACE].wait_for_backend(own)
    there = consumer if kind == "consumer" else own
    channels["elsewhere"].wait_for_backend(there)
    assert answering() == {NAMESPACE: {own}, "elsewhere": {there}, "third": {own}}


_WRITTEN = {"content-type": ["grpcio"], "user-agent": [], "host": [], "te": [], "grpc-accept-encoding": []}
"""Headers of every call that a library writes itself, and the libraries that route by it."""


def test_headers_that_a_library_writes_after_it_has_chosen_the_route_never_match(
    serve: Serve, files: Files, steer: Steer, connect: Connect, request: pytest.FixtureRequest
) -> None:
    """Such calls go to the next rule, and the stream's limitations name the header."""
    matching, rest = serve("matching", "rest")
    for name in _WRITTEN:
        match = {"headers": [{"type": "RegularExpression", "name": name, "value": ".+"}]}
        route = grpc_route(name, name, rule("matching", matches=[match]), rule("rest"))
        files.write(f"{name}.yaml", service(name, {"": 50051}), route)
    plane = steer()
    client = connect(plane)
    hidden = {
        name: request.node.callspec.params["connect"] not in visible for name, visible in _WRITTEN.items()
    }
    for name, is_hidden in hidden.items():
        channel = client.dial(f"xds:///{name}.shop")
        channel.wait_for_answer()
        assert {answer.backend for answer in channel.call(5)} == {rest if is_hidden else matching}, name
    text = "\n".join(line for stream in plane.streams() for line in stream["limitations"])
    assert {name: f"by the header {name} are not supported" in text for name in hidden} == hidden
