"""Whatever stands in the files: it is reported with its line and a hint, the rest is served, and a fix ends it.

Each test has two services: `backend`, which must not notice anything, and `other`, which the bad input is about.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Channel, Client
from testbed.manifest import Endpoint, Files, Manifest, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer

pytestmark = pytest.mark.parametrize("connect", ["grpcio"], indirect=True)

OTHER = "xds:///other.shop"


@dataclass(frozen=True)
class World:
    """A running steerway and its client; `before` and `after` are backends for `other`."""

    plane: ControlPlane
    files: Files
    client: Client
    before: str
    after: str

    def follow(self, channel: Channel, *backends: str) -> None:
        """Wait until calls of `channel` are answered by these backends."""
        with channel.load(rate=50) as load:
            load.settle(*backends)

    def reported(self, where: str, reason: str) -> None:
        """Wait until a problem with this place and reason is reported, and see that it has a hint."""
        assert self.plane.wait_for_problem(where, reason)["hint"]


@pytest.fixture
def world(backends: Backends, files: Files, steer: Steer, connect: Connect) -> Iterator[World]:
    """Calls to `backend` go on throughout the test, and none of them may fail."""
    backend, before, after = backends.open(3)
    files.publish([backend])
    plane = steer()
    client = connect(plane)
    with client.dial("xds:///backend.shop").load(rate=50) as load:
        load.settle(backend)
        yield World(plane, files, client, before, after)
        load.settle(backend)
    assert load.failures == []


def _manifest(address: str) -> str:
    return yaml.safe_dump_all(_documents(address), sort_keys=False)


def _documents(address: str) -> list[Manifest]:
    return [service("other", {"grpc": 50051}, headless=True), *slices("other", [address], "grpc")]


def _mapping(address: str) -> str:
    endpoint = Endpoint(address)
    return f"mapping:\n  other:\n    eu-1a:\n    - ip: {endpoint.host}\n      port: {endpoint.port}\n      zone: a\n"


@pytest.mark.parametrize(
    ("written", "good", "bad", "reason"),
    [
        pytest.param(_manifest, "kind: EndpointSlice", "kind: Endpoint: Slice", "YAML", id="broken YAML"),
        pytest.param(_manifest, "addressType: IPv4", "addressType: 4", "expected a string", id="wrong type"),
        pytest.param(_manifest, "- 127.0.0.1", "- 127.0.0.1.1", "not an IP address", id="invalid address"),
        pytest.param(_mapping, "port: ", "port: 0 #", "out of range", id="port 0"),
        pytest.param(_manifest, "  - 127.0.0.1", "  - null #", "got nothing", id="missing value"),
        pytest.param(_mapping, "    - ip: ", "    - host: ", "unknown key", id="unknown key"),
        pytest.param(_mapping, "port: ", "port: port", "not a port number", id="wrong type in a mapping"),
    ],
)
def test_a_document_that_breaks_keeps_its_last_good_version_until_it_is_fixed(
    world: World, written: Callable[[str], str], good: str, bad: str, reason: str
) -> None:
    """The problem names the line; the other documents, also those of the same file, are not touched."""
    channel = world.client.dial(OTHER if written is _manifest else "xds:///other.default")
    world.files.write_text("other.yaml", written(world.before))
    world.follow(channel, world.before)
    broken = written(world.after).replace(good, bad, 1)
    world.files.write_text("other.yaml", broken)
    line = broken[: broken.index(bad)].count("\n") + 1
    world.reported(f"/other.yaml:{line}", reason)
    assert {answer.backend for answer in channel.call(10)} == {world.before}
    world.files.write_text("other.yaml", written(world.after))
    world.follow(channel, world.after)
    world.plane.wait_for_no_problem()


def test_a_raw_resource_with_an_unknown_field_keeps_its_last_good_version_until_it_is_fixed(
    world: World,
) -> None:
    """Raw resources may serve gRPC clients, too; what protobuf does not know is a problem of that resource alone."""
    channel = world.client.dial("xds:///raw")
    world.files.write("raw.yaml", *_raw_route())
    world.files.write("assignment.yaml", _raw_assignment(world.before))
    world.follow(channel, world.before)
    world.files.write("assignment.yaml", {**_raw_assignment(world.after), "endpoint": []})
    world.reported("/assignment.yaml:1", "endpoint")
    assert {answer.backend for answer in channel.call(10)} == {world.before}
    world.files.write("assignment.yaml", _raw_assignment(world.after))
    world.follow(channel, world.after)
    world.plane.wait_for_no_problem()


def test_json_that_ends_in_no_object_is_a_problem(world: World) -> None:
    """A number without bound and halves of characters, in a name, a key and an annotation, and a file name that is no
    text: at a start, too."""
    service = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"},\n "spec": {"ports": [{"port": %s}]}}'
    cluster = '{"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",\n "name": "\\ud800"}'
    noted = (
        '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x",\n "annotations": {"\\udfff": ""}}}'
    )
    for name, text in (("a.json", service % ("9" * 5000)), ("b.json", cluster), ("c.json", noted)):
        world.files.write_text(name, text)
    (world.files.directory / os.fsdecode(b"\xff.yaml")).write_text("a: [", encoding="utf-8")
    world.reported("/a.json:2", "5,000 digits")
    world.reported("/b.json:2", "half of a surrogate pair")
    world.reported("/c.json:2", "half of a surrogate pair")
    world.reported("/\\xff.yaml:1", "not valid YAML")
    assert world.plane.metric("steerway_problems") == 4


def test_of_two_definitions_of_a_service_the_first_is_used(world: World) -> None:
    """Files count in the order of their names; the second definition is the problem."""
    channel = world.client.dial(OTHER)
    world.files.write_text("a.yaml", _manifest(world.before))
    text = _manifest(world.before).replace("50051", "50052")
    world.files.write_text("b.yaml", text)
    world.reported("/b.yaml:1", "is defined at")
    world.follow(channel, world.before)
    world.client.dial(f"{OTHER}:50052").begin()
    until(lambda: "no TCP port 50052" in str(world.plane.resources("lds")), "the second one is not used")
    (world.files.directory / "b.yaml").unlink()
    world.plane.wait_for_no_problem()
    assert channel.call()[0].ok


@pytest.mark.parametrize(
    "content", [b"kind: Service # caf\xe9\n", None], ids=["not UTF-8", "cannot be opened"]
)
def test_a_file_that_cannot_be_read_keeps_its_last_content(world: World, content: bytes | None) -> None:
    """Bytes that are no text, or an error of the file system: the last good version stays."""
    channel = world.client.dial(OTHER)
    path = world.files.write_text("other.yaml", _manifest(world.before))
    world.follow(channel, world.before)
    if content is None:
        path.unlink()
        path.symlink_to(path)  # a loop; permissions would not stop root
        world.reported("/other.yaml", "cannot be read")
    else:
        path.write_bytes(content)
        world.reported("/other.yaml:1", "UTF-8")
    assert {answer.backend for answer in channel.call(10)} == {world.before}
    world.files.write_text("other.yaml", _manifest(world.after))
    world.follow(channel, world.after)
    world.plane.wait_for_no_problem()


def test_a_directory_that_disappears_and_returns_is_followed_again(world: World) -> None:
    """A mount that is gone is no wish to delete everything."""
    channel = world.client.dial(OTHER)
    world.files.write_text("other.yaml", _manifest(world.before))
    world.follow(channel, world.before)
    aside = world.files.directory.rename(world.files.directory.with_name("aside"))
    world.reported("/manifests", "cannot be read")
    assert {answer.backend for answer in channel.call(10)} == {world.before}
    aside.rename(world.files.directory)
    world.plane.wait_for_no_problem()
    world.files.write_text("other.yaml", _manifest(world.after))
    world.follow(channel, world.after)


def test_one_update_of_a_configmap_is_one_change(world: World) -> None:
    """kubelet swaps the symlink `..data`: files that changed together are translated together."""
    first, two = world.client.dial("xds:///one.default"), world.client.dial("xds:///two.default")
    mount = world.files.directory / "mount"
    mount.mkdir()
    _swap(mount, "1", world.before)
    world.follow(first, world.before)
    world.follow(two, world.before)
    changes = world.plane.metric("steerway_translate_seconds_count", trigger="change")
    _swap(mount, "2", world.after)
    world.follow(first, world.after)
    world.follow(two, world.after)
    assert world.plane.metric("steerway_translate_seconds_count", trigger="change") == changes + 1
    assert world.plane.problems() == []


def test_a_service_of_5000_endpoints_is_served_whole(world: World) -> None:
    """The client gets all of them and finds those that answer among those that refuse a connection."""
    hosts = [f"127.9.{number // 250}.{number % 250 + 1}" for number in range(4998)]
    refusing = [f"{host}:{Endpoint(world.before).port}" for host in hosts]
    listed = slices("other", [world.before, world.after, *refusing])
    world.files.write("other.yaml", service("other", {"": 50051}), *listed)
    channel = world.client.dial(OTHER)
    assert channel.call()[0].ok
    (assignment,) = world.plane.bodies("eds", "other.shop.svc.cluster.local:50051")
    assert sum(len(group["lb_endpoints"]) for group in assignment["endpoints"]) == 5000
    assert world.plane.problems() == []


def _swap(mount: Path, version: str, address: str) -> None:
    """Update a mounted ConfigMap as kubelet does (kubernetes/pkg/volume/util/atomic_writer.go)."""
    payload = mount / f"..{version}"
    payload.mkdir()
    for name in ("one", "two"):
        (payload / f"{name}.yaml").write_text(_mapping(address).replace("other:", f"{name}:"))
    link = mount / "..data_tmp"
    link.symlink_to(payload.name)
    link.rename(mount / "..data")
    for name in ("one.yaml", "two.yaml"):
        if not (mount / name).is_symlink():
            (mount / name).symlink_to(Path("..data", name))


def _raw_route() -> list[Manifest]:
    prefix = "type.googleapis.com/envoy"
    router = {"@type": f"{prefix}.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": f"{prefix}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "http_filters": [{"name": "router", "typed_config": router}],
        "rds": {"route_config_name": "raw", "config_source": {"ads": {}}},
    }
    return [
        {
            "@type": f"{prefix}.config.listener.v3.Listener",
            "name": "raw",
            "api_listener": {"api_listener": manager},
        },
        {
            "@type": f"{prefix}.config.route.v3.RouteConfiguration",
            "name": "raw",
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": ""}, "route": {"cluster": "raw"}}],
                }
            ],
        },
        {
            "@type": f"{prefix}.config.cluster.v3.Cluster",
            "name": "raw",
            "type": "EDS",
            "eds_cluster_config": {"eds_config": {"ads": {}}},
        },
    ]


def _raw_assignment(address: str) -> Manifest:
    endpoint = Endpoint(address)
    socket = {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}
    locality = {
        "locality": {"zone": "a"},
        "load_balancing_weight": 1,
        "lb_endpoints": [{"endpoint": {"address": socket}}],
    }
    return {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": "raw",
        "endpoints": [locality],
    }
