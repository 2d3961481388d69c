"""A virtual API gateway: one target for all clients, a Service without endpoints, whose routes belong to many teams."""

import pytest

from testbed.manifest import (
    NAMESPACE,
    Files,
    Manifest,
    backend_ref,
    grpc_route,
    method,
    parent,
    rule,
    service,
)
from testbed.process.deadline import until
from tests.real.conftest import Connect, Serve, Steer

TARGET = "xds:///api.shop"
API = service("api", {"grpc": 50051}, selector={})


def _claim(name: str, backend: str, created: str = "", **fields: str) -> Manifest:
    return grpc_route(name, "api", rule(backend, matches=[method("pkg.A")]), created=created, **fields)


def test_each_grpc_service_behind_one_target_has_its_own_backend(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """One route for each, one of them with a backend in another namespace; a third comes and disturbs none."""
    a, c = serve("a", "c")
    (b,) = serve("b", namespace="billing")
    files.write("api.yaml", API)
    files.write("route-a.yaml", grpc_route("a", "api", rule("a", matches=[method("pkg.A")])))
    billing = backend_ref("b", namespace="billing")
    files.write("route-b.yaml", grpc_route("b", "api", rule(billing, matches=[method("pkg.B")])))
    client = connect(steer())
    channels = [client.dial(TARGET) for _ in range(3)]
    with channels[0].load(method="/pkg.A/Get") as of_a, channels[1].load(method="/pkg.B/Get") as of_b:
        of_a.settle(a)
        of_b.settle(b)
        assert not channels[2].call(method="/pkg.C/Get", deadline_seconds=10)[0].ok
        files.write("route-c.yaml", grpc_route("c", "api", rule("c", matches=[method("pkg.C")])))
        channels[2].wait_for_backend(c, method="/pkg.C/Get")
        of_a.settle(a)
        of_b.settle(b)
    assert of_a.failures == []
    assert of_b.failures == []


@pytest.mark.parametrize("created", [("", ""), ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")])
def test_of_two_routes_that_claim_a_grpc_service_the_older_one_wins(
    created: tuple[str, str], serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """The one that was created first; without times, as in files, the one whose name comes first in the alphabet."""
    first, second = serve("first", "second")
    older, newer = (first, second) if created == ("", "") else (second, first)
    files.write("api.yaml", API)
    files.write("route-first.yaml", _claim("a", "first", created[0]))
    files.write("route-second.yaml", _claim("b", "second", created[1]))
    channel = connect(steer()).dial(TARGET)
    assert {answer.backend for answer in channel.call(10, method="/pkg.A/Get")} == {older}
    files.remove("route-first.yaml" if older == first else "route-second.yaml")
    channel.wait_for_backend(newer, method="/pkg.A/Get")


def test_a_route_of_another_namespace_takes_no_calls_of_other_clients(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """Older or more specific, it counts for clients of its own namespace alone, where it stands instead of the rest."""
    (own,) = serve("own")
    (thief,) = serve("thief", namespace="elsewhere")
    files.write("api.yaml", API)
    files.write("route.yaml", _claim("mine", "own", "2026-01-01T00:00:00Z"))
    plane = steer()
    channel = connect(plane).dial(TARGET)
    there = connect(plane, "--namespace", "elsewhere").dial(TARGET)
    with channel.load(method="/pkg.A/Get") as load:
        load.settle(own)
        exact = rule("thief", matches=[method("pkg.A", "Get")])
        to = parent("api", namespace=NAMESPACE)
        files.write("thief.yaml", grpc_route("a", to, exact, namespace="elsewhere"))
        there.wait_for_backend(thief, method="/pkg.A/Get")
        load.go_on()
        load.settle(own)
    assert {answer.backend for answer in load.answers} == {own}


def test_a_route_for_one_port_leaves_the_others_as_they_are(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """By the port's number or its name; a target without a port is the port named grpc."""
    a, b = serve("a", "b")
    files.write("api.yaml", service("api", {"grpc": 50051, "beta": 50052}, selector={}))
    files.write("route-a.yaml", grpc_route("a", parent("api", port=50051), rule("a")))
    files.write("route-b.yaml", grpc_route("b", parent("api", sectionName="beta"), rule("b")))
    client = connect(steer())
    for port, backend in (("", a), (":grpc", a), (":50052", b), (":beta", b)):
        assert {answer.backend for answer in client.dial(TARGET + port).call(3)} == {backend}, port


def test_a_parent_that_comes_later_is_found(
    serve: Serve, files: Files, steer: Steer, connect: Connect
) -> None:
    """Routes may be there before the Service that they are attached to."""
    (a,) = serve("a")
    files.write("route.yaml", _claim("a", "a"))
    plane = steer()
    channel = connect(plane).dial(TARGET)
    channel.begin(method="/pkg.A/Get")
    until(
        lambda: "api.shop" in {resource["name"] for resource in plane.resources("lds")},
        "the client's question",
    )
    files.write("api.yaml", API)
    channel.wait_for_backend(a, method="/pkg.A/Get")
