"""`steerway diff` against a real API server: what it shows is what clients get after the manifests are applied."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest, backend_ref, grpc_route, rule, service, slices, traffic_policy
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.process import installed
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Open, Steer

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("kinds")]

PORTS = {"grpc": 50051}
KINDS = {"RouteConfiguration": "rds", "Cluster": "cds", "ClusterLoadAssignment": "eds"}
Diff = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def diff(cluster: Cluster, namespace: Namespace, tmp_path: Path) -> Diff:
    """Exit code and document of `steerway diff` for manifests."""

    def run(plane: ControlPlane, *manifests: Manifest) -> tuple[int, dict[str, Any]]:
        file = tmp_path / "new.yaml"
        file.write_text(yaml.safe_dump_all(manifests))
        options = ["--address", plane.admin, "--namespace", namespace.name, "--output", "json", "--verbose"]
        result = subprocess.run(
            [installed("steerway"), "diff", str(file), *options],
            env={**os.environ, "KUBECONFIG": str(cluster.commands.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert result.stdout, result.stderr
        return result.returncode, json.loads(result.stdout)

    return run


def test_a_difference_is_what_clients_get_after_the_manifests_are_applied(
    namespace: Namespace, steer: Steer, connect: Connect, open_backends: Open, diff: Diff
) -> None:
    """To the field of each resource; what the API server adds to an object is no difference."""
    old, new = open_backends(2)
    name = namespace.name
    kept = [
        service("backend", PORTS, headless=True, namespace=name),
        traffic_policy("backend", "backend", namespace=name, timeout={"request": "9s"}),
    ]
    live = [*kept, *slices("backend", [old], "grpc", name)]
    namespace.api.apply(*live)
    plane = steer()
    channel = connect(plane).dial(namespace.target())
    channel.wait_for_answer()
    assert diff(plane, *live)[0] == 0
    backends = rule(backend_ref("backend", 1), backend_ref("canary", 3))
    changed = [
        *slices("backend", [old, new], "grpc", name),
        grpc_route("canary", "backend", backends, namespace=name),
        service("canary", PORTS, headless=True, namespace=name),
        *slices("canary", [new], "grpc", name),
    ]
    code, document = diff(plane, *kept, *changed)
    assert code == 1
    assert (document["clients"]["streams"], document["clients"]["workloads"]) == (1, 1)
    assert document["problems"] == {"new": [], "gone": []}
    changes = {row["service"]: row["changes"] for row in document["services"]}
    assert changes.keys() == {f"{name}/backend", f"{name}/canary"}
    added = {(change["field"], change["change"]) for change in changes[f"{name}/backend"]}
    assert {("endpoint", "added"), ("route", "added")} <= added
    namespace.api.apply(*changed)
    until(
        lambda: _differing(plane, document["resources"]) == [],
        lambda: str(_differing(plane, document["resources"])),
    )
    assert len(document["resources"]) == 4
    assert diff(plane, *kept, *changed)[0] == 0


def _differing(plane: ControlPlane, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The resources that are not served as they were predicted."""
    return [
        row
        for row in rows
        if row["after"] not in plane.bodies(KINDS[row["type_url"].rpartition(".")[2]], row["name"])
    ]
