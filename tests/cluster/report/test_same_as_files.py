"""The same manifests mean the same from a directory and from an API server, to the byte."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.client.grpc_client import Client
from testbed.cluster.namespace import Namespace
from testbed.manifest import (
    Endpoint,
    Files,
    Manifest,
    backend_ref,
    grpc_route,
    http_route,
    method,
    path,
    rule,
    service,
    slices,
    target,
    traffic_policy,
)
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Steer

pytestmark = NEEDS_CLUSTER

_TYPES = ("lds", "rds", "cds", "eds")


def test_the_same_manifests_give_the_same_resources_from_either_source(
    namespace: Namespace, processes: Processes, steer: Steer, connect: Connect, tmp_path: Path
) -> None:
    """Every resource of every name: same version, same bytes; what is absent is absent for the same reason."""
    names = [
        *(f"{name}.{namespace.name}" for name in ("plain", "headless", "dual", "early", "empty", "absent")),
        f"plain.{namespace.name}:admin",
        f"plain.{namespace.name}.svc.cluster.local:50051",
        f"web-0.headless.{namespace.name}:50051",
        f"plain.{namespace.name}:1",
    ]
    namespace.api.apply(*_manifests(namespace.name))
    files = _in_files(_read(namespace, _manifests(namespace.name)), tmp_path)
    from_files, from_api_server = ControlPlane(processes, ["--files", str(files.directory)]), steer()
    results = [
        _received(connect(plane, node_id="the-same"), plane, names) for plane in (from_files, from_api_server)
    ]
    from_files.close()
    assert len(results[0]) >= 3 * len(names)
    assert results[0] == results[1]


@pytest.mark.usefixtures("kinds")
def test_policies_and_routes_mean_the_same_from_either_source(
    namespace: Namespace, processes: Processes, steer: Steer, connect: Connect, tmp_path: Path
) -> None:
    """Each with what the API server adds to it: defaults, and a time of creation."""
    manifests = [*_manifests(namespace.name), *_attached(namespace.name)]
    names = [f"{name}.{namespace.name}" for name in ("plain", "headless", "early")]
    namespace.api.apply(*manifests)
    files = _in_files(_read(namespace, manifests), tmp_path)
    from_files, from_api_server = ControlPlane(processes, ["--files", str(files.directory)]), steer()
    results = [
        _received(connect(plane, node_id="the-same"), plane, names) for plane in (from_files, from_api_server)
    ]
    from_files.close()
    clusters = {name.partition(".")[0] for kind, name, _ in results[0] if kind == "cds"}
    assert clusters == {"plain", "early", "steerway"}, "those of the route, and the one of calls that fail"
    assert results[0] == results[1]


def _read(namespace: Namespace, manifests: list[Manifest]) -> list[Manifest]:
    """The manifests with the UIDs of their Services, as a file has them that was read from the API server."""

    def uid(manifest: Manifest) -> dict[str, str]:
        if manifest["kind"] != "Service":
            return {}
        result = namespace.api.get("Service", namespace.name, manifest["metadata"]["name"])
        return {"uid": result["metadata"]["uid"]}

    return [{**manifest, "metadata": {**manifest["metadata"], **uid(manifest)}} for manifest in manifests]


def _in_files(manifests: list[Manifest], tmp_path: Path) -> Files:
    files = Files(tmp_path / "manifests")
    files.directory.mkdir()
    files.write("all.yaml", *manifests)
    return files


def _received(client: Client, plane: ControlPlane, names: list[str]) -> dict[tuple[str, str, str], Any]:
    """All resources that a client receives for these names."""
    for name in names:
        client.dial(f"xds:///{name}").begin()
    until(_answered(plane, names), "an answer to every name")
    return _everything(plane)


def _attached(namespace: str) -> list[Manifest]:
    """A policy for each of the others, and a route with rules of many kinds."""
    inside = {"namespace": namespace}
    return [
        traffic_policy(
            "all",
            "plain",
            **inside,
            zones={"mode": "Spill", "demand": [{"zone": "eu-1a", "weight": 2}]},
            subset={"min": 1, "percent": 50},
            balancing={"policy": "RingHash", "ringHash": {"hashOn": [{"header": "x-user"}]}},
            outlierDetection={"successRate": {}},
            limits={"maxRequests": 100},
        ),
        traffic_policy(
            "calls", "early", **inside, retry={"codes": ["Unavailable"]}, timeout={"request": "3s"}
        ),
        traffic_policy(
            "of-rule",
            target("web", "GRPCRoute", "first"),
            **inside,
            fault={"abort": {"code": "Internal", "percent": 1}},
        ),
        grpc_route(
            "web",
            "headless",
            rule(
                backend_ref("plain", 70, 9000),
                backend_ref("early", 30),
                backend_ref("absent", 1),
                name="first",
                matches=[method("p.A", "M"), method("p.B", x_user="7")],
            ),
            rule(backend_ref("early"), matches=[method("p[.].+", regex=True)]),
            **inside,
        ),
        http_route(
            "web",
            "plain",
            rule(backend_ref("early"), matches=[path("/p.C", prefix=True)], timeouts={"request": "1s"}),
            **inside,
        ),
    ]


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
    """Whether every name has its answer, and everything that the answers name, too: a client asks for one type after
    the other, and is in sync in between."""

    def answered() -> bool:
        asked = {kind: {resource["name"] for resource in plane.resources(kind)} for kind in _TYPES}
        bodies = [variant["body"] or {} for _, _, variant in _variants(plane)]
        named = {name for body in bodies for name in _named(body)}
        # Some names do not exist: a client that has the answer to them all is not in sync.
        done = (streams := plane.streams()) and all(
            stream["state"] in ("in_sync", "absent") for stream in streams
        )
        followed = named <= asked["rds"] | asked["cds"] | asked["eds"] and asked["cds"] <= asked["eds"]
        return bool(asked["lds"] >= set(names) and followed and done)

    return answered


def _everything(plane: ControlPlane) -> dict[tuple[str, str, str], tuple[str, str | None, Any]]:
    """Version, reason of absence and body of each resource, by type, name and audience."""
    return {
        (kind, name, variant["audience"]): (variant["version"], variant["absent"], variant["body"])
        for kind, name, variant in _variants(plane)
    }


def _variants(plane: ControlPlane) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind in _TYPES:
        for name in {resource["name"] for resource in plane.resources(kind)}:
            yield from (
                (kind, name, variant) for variant in plane.get(f"/api/v1/resources/{kind}/{name}")["variants"]
            )


def _named(body: Any) -> Iterator[str]:
    """The resources that a body names: routes, clusters, assignments."""
    if isinstance(body, list):
        for item in body:
            yield from _named(item)
    elif isinstance(body, dict):
        for key, value in body.items():
            if key in ("route_config_name", "cluster", "service_name") and isinstance(value, str):
                yield value
            elif key == "weighted_clusters":
                yield from (cluster["name"] for cluster in value["clusters"])
            else:
                yield from _named(value)
