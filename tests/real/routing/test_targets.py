"""Every way to name a Service in a client's target, and what a name that means nothing gives."""

import grpc

from testbed.backend.backend import Backends
from testbed.manifest import NAMESPACE, Endpoint, Files, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer

_HOSTS = ("backend", "backend.shop", "backend.shop.svc", "backend.shop.svc.cluster.local")


def test_all_names_of_a_service_reach_it(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Short or full, with the port's number, its name, or none: the port named grpc is meant then."""
    grpc_port, admin_port = backends.open(2)
    files.write("service.yaml", service("backend", {"admin": 9000, "grpc": 50051}))
    files.write("grpc.yaml", *slices("backend", [grpc_port], "grpc"))
    files.write("admin.yaml", *slices("backend", [admin_port], "admin"))
    client = connect(steer())
    expected = {
        f"xds:///{host}{port}": backend
        for host in _HOSTS
        for port, backend in {
            "": grpc_port,
            ":50051": grpc_port,
            ":grpc": grpc_port,
            ":9000": admin_port,
            ":admin": admin_port,
        }.items()
    }
    answers = {target: client.dial(target).call()[0] for target in expected}
    assert {target: answer.backend for target, answer in answers.items()} == expected, answers
    assert len(answers) == 20
    # A final dot, as absolute names have it; the resource keeps the name that was asked for.
    for target in ("xds:///backend.shop.svc.cluster.local.:50051", "xds:///backend.:grpc"):
        assert client.dial(target).call()[0].backend == grpc_port, target


def test_the_pods_of_a_headless_service_have_names_of_their_own(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """`web-1.backend.shop` is one pod, also with the cluster's domain behind it."""
    addresses = backends.open(2)
    files.publish([Endpoint(address, hostname=f"web-{index}") for index, address in enumerate(addresses)])
    client = connect(steer())
    for index, address in enumerate(addresses):
        for name in (f"web-{index}.backend.shop:50051", f"web-{index}.backend.shop.svc.cluster.local"):
            answers = client.dial(f"xds:///{name}").call(5)
            assert {answer.backend for answer in answers} == {address}, answers


def test_a_short_name_is_looked_up_in_the_namespace_of_the_client(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """The client's bootstrap file names its namespace; the Service of the same name elsewhere is another."""
    own, other = backends.open(2)
    for namespace, address in ((NAMESPACE, own), ("elsewhere", other)):
        documents = slices("backend", [address], namespace=namespace)
        files.write(f"{namespace}.yaml", service("backend", {"": 50051}, namespace=namespace), *documents)
    client = connect(steer())
    assert client.dial("xds:///backend").call()[0].backend == own
    assert client.dial("xds:///backend.elsewhere").call()[0].backend == other


def test_an_unknown_name_fails_and_the_admin_server_shows_why(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """UNAVAILABLE, with a reason for each name; a Service that comes later is found by the same channel.

    Meanwhile operators see it: the client is not in sync, its names are counted, and each is logged once.
    """
    (address,) = backends.open(1)
    files.publish([address])
    plane = steer()
    client = connect(plane)
    channels = {name: client.dial(f"xds:///{name}") for name in ("absent.shop", "backend.shop:1", "BACKEND")}
    for channel in channels.values():
        channel.begin()
    # gRFC A27: a client takes a resource that it never had for absent after 15 s.
    client.wait(lambda: all(channel.answers for channel in channels.values()), "an answer to each name")
    for name, channel in channels.items():
        assert [answer.code for answer in channel.answers] == [grpc.StatusCode.UNAVAILABLE], (name, channel)
    reasons = {resource["name"]: resource["absent"] for resource in plane.resources("lds")}
    assert "absent" in reasons["absent.shop"]
    assert "no TCP port 1" in reasons["backend.shop:1"]
    assert "capital letters" in reasons["BACKEND"]

    def missed() -> set[str]:
        types = [part for stream in plane.streams("lds") for part in stream["types"]]
        assert not any(part["in_sync"] for part in types if part["absent"])
        return {name for part in types for name in part["absent"]}

    assert missed() == set(channels)
    assert plane.metric("steerway_absent_subscriptions", type="Listener") == 3
    plane.process.wait(lambda: all(warnings(plane, name) for name in channels), "a warning of each name")
    files.publish([address], "absent")
    until(lambda: channels["absent.shop"].call()[0].ok, "an answer of the Service that came later")
    until(lambda: missed() == {"backend.shop:1", "BACKEND"}, "one name is there")
    assert plane.metric("steerway_absent_subscriptions", type="Listener") == 2
    assert [len(warnings(plane, name)) for name in channels] == [1, 1, 1]


def warnings(plane: ControlPlane, name: str) -> list[str]:
    """The log lines about a name that does not exist."""
    return [line for line in plane.process.errors if "absent_name" in line and name in line]


def test_a_service_is_there_for_clients_of_the_namespaces_that_it_is_exported_to(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """One of another namespace, by its owner's word, for a client that comes while it is so."""
    there, hidden = backends.open(2)
    for name, address, exported in (("there", there, f"x, {NAMESPACE}"), ("hidden", hidden, "x")):
        manifest = service(name, {"": 50051}, namespace="elsewhere")
        metadata = {**manifest["metadata"], "annotations": {"steerway.io/export-to": exported}}
        files.write(f"{name}.yaml", {**manifest, "metadata": metadata})
        files.write(f"{name}-pods.yaml", *slices(name, [address], namespace="elsewhere"))
    plane = steer()
    client = connect(plane)
    assert client.dial("xds:///there.elsewhere").call()[0].backend == there
    channel = client.dial("xds:///hidden.elsewhere")
    with channel.load() as load:
        until(
            lambda: "hidden.elsewhere" in {resource["name"] for resource in plane.resources("lds")},
            "the client's question",
        )
        reasons = {resource["name"]: resource["absent"] for resource in plane.resources("lds")}
        assert reasons["hidden.elsewhere"] == f"service elsewhere/hidden is not exported to {NAMESPACE}"
        files.write("hidden.yaml", service("hidden", {"": 50051}, namespace="elsewhere"))
        load.settle(hidden)
