"""The same manifests mean the same from a directory and from an API server, to the byte."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Steer
from tests.cluster.namespace import Namespace
from tests.support.control_plane import ControlPlane
from tests.support.deadline import until
from tests.support.manifest import Endpoint, Files, Manifest, service, slices
from tests.support.process import Processes

pytestmark = NEEDS_CLUSTER

_TYPES = ("lds", "rds", "cds", "eds")


def test_the_same_manifests_give_the_same_resources_from_either_source(
    namespace: Namespace, processes: Processes, steer: Steer, connect: Connect, tmp_path: Path
) -> None:
    """Every resource of every name: same version, same bytes; what is absent is absent for the same reason."""
    manifests = _manifests(namespace.name)
    namespace.api.apply(*manifests)
    files = Files(tmp_path / "manifests")
    files.directory.mkdir()
    files.write("all.yaml", *manifests)
    from_files = ControlPlane(processes, ["--files", str(files.directory)])
    from_api_server = steer()
    names = [
        *(f"{name}.{namespace.name}" for name in ("plain", "headless", "dual", "early", "empty", "nobody")),
        f"plain.{namespace.name}:admin",
        f"plain.{namespace.name}.svc.cluster.local:50051",
        f"web-0.headless.{namespace.name}:50051",
        f"plain.{namespace.name}:1",
    ]
    found = []
    for plane in (from_files, from_api_server):
        client = connect(plane)
        for name in names:
            client.dial(f"xds:///{name}").begin()
        until(_answered(plane, names), "an answer to every name")
        found.append(_everything(plane))
    from_files.close()
    assert len(found[0]) >= 3 * len(names)
    assert found[0] == found[1]


def _manifests(namespace: str) -> list[Manifest]:
    """What services look like: ports with and without names, conditions, zones, families, no endpoints."""

    def of(name: str, ports: dict[str, int], **spec: Any) -> Manifest:
        return service(name, ports, namespace=namespace, **spec)

    def endpoints(name: str, *listed: Endpoint | str, port: str = "") -> list[Manifest]:
        return slices(name, listed, port, namespace)

    ready = Endpoint("10.244.201.1:9000", zone="eu-1a")
    states = [
        Endpoint("10.244.201.2:9000", zone="eu-1b"),
        Endpoint("10.244.201.3:9000", ready=False, serving=False),
        Endpoint("10.244.201.4:9000", ready=False, terminating=True),
        Endpoint("10.244.201.5:9000", ready=False, serving=False, terminating=True),
    ]
    (admin,) = endpoints("plain", "10.244.201.1:9100", port="admin")
    return [
        of("plain", {"admin": 9000, "grpc": 50051}),
        *endpoints("plain", ready, *states, port="grpc"),
        {**admin, "metadata": {**admin["metadata"], "name": "plain-admin"}},
        of("headless", {"": 50051}, headless=True),
        *endpoints("headless", Endpoint("10.244.202.1:50051", hostname="web-0"), "10.244.202.2:50051"),
        of("dual", {"": 50051}, ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv6", "IPv4"]),
        *endpoints("dual", "10.244.203.1:50051", "[fd00:10::cb01]:50051"),
        of("early", {"": 50051}, publishNotReadyAddresses=True),
        *endpoints("early", Endpoint("10.244.204.1:50051", ready=False, serving=False)),
        of("empty", {"": 50051}),
    ]


def _answered(plane: ControlPlane, names: list[str]) -> Callable[[], bool]:
    """Whether every name has its answer, and every assignment that the clusters name, too."""

    def answered() -> bool:
        asked = {found["name"] for found in plane.resources("lds")}
        streams = plane.streams()
        return asked >= set(names) and bool(streams) and all(stream["in_sync"] for stream in streams)

    return answered


def _everything(plane: ControlPlane) -> dict[tuple[str, str, str], tuple[str, str | None, Any]]:
    """Version, reason of absence and body of each resource, by type, name and audience."""
    return {
        (variant["type"], variant["name"], variant["audience"]): (
            variant["version"],
            variant["absent"],
            variant["body"],
        )
        for kind in _TYPES
        for name in {found["name"] for found in plane.resources(kind)}
        for variant in plane.get(f"/api/v1/resources/{kind}/{name}")["variants"]
    }
