"""`steerway explain` of a running control plane: acknowledgements and limitations of each client."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Client
from testbed.manifest import NAMESPACE, Files, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes, installed
from tests.real.conftest import Steer

TARGET = "xds:///backend.shop:50051"


def explain(plane: ControlPlane, *options: str) -> str:
    """What the command prints; it must succeed."""
    command = [installed("steerway"), "explain", TARGET, "--admin", plane.admin, *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.needs("go")
@pytest.mark.timeout(900)
def test_both_libraries_are_listed_with_acknowledged_resources_and_limitations(
    backends: Backends, files: Files, steer: Steer, processes: Processes, tmp_path: Path
) -> None:
    """For least_request grpc-go has what grpcio has not; both have acknowledged all that is served."""
    (backend,) = backends.open(1)
    document = service("backend", {"grpc": 50051}, headless=True)
    document["metadata"]["annotations"] = {"steerway.io/balancing": "LeastRequest"}
    files.write("backend.yaml", document, *slices("backend", [backend], "grpc"))
    plane = steer()
    for library in ("grpcio", "grpc-go"):
        options = ("--namespace", NAMESPACE, "--node-id", library)
        bootstrap = plane.bootstrap(tmp_path / f"{library}.json", *options)
        client = Client(processes, library, bootstrap)  # type: ignore[arg-type]
        client.dial(TARGET).wait_for_answer()

    def in_sync() -> dict[str, Any] | None:
        results: dict[str, Any] = json.loads(explain(plane, "--output", "json"))
        synced = [client["in_sync"] for client in results["clients"]]
        return results if synced == [True, True] else None

    result = until(in_sync, "both clients have acknowledged everything")
    assert result is not None
    go, core = result["clients"]
    assert (go["node"], core["node"]) == ("grpc-go", "grpcio")
    assert go["client"].startswith("grpc-go 1.")
    assert go["limitations"] == []
    (limitation,) = core["limitations"]
    assert limitation.startswith("shop/backend:50051: least_request (gRFC A48) is not supported by C-core")
    assert limitation.endswith(": it falls back to round_robin")
    versions = {resource["type"]: resource["version"] for resource in result["resources"]}
    assert sorted(versions) == ["cds", "eds", "lds", "rds"]
    for item in (go, core):
        assert {row["type"]: row["version"] for row in item["resources"]} == versions
    streams = {stream["node"]: stream["limitations"] for stream in plane.streams()}
    assert streams == {"grpc-go": [], "grpcio": [limitation]}
    text = explain(plane, "--client", "grpcio/1.85")
    assert "  balancing: policy LeastRequest, choices 2 — Service shop/backend annotations\n" in text
    assert "  ✗ least_request (gRFC A48) is not supported by C-core (C++, Python, Ruby) 1.85" in text
    assert text.count(" has acknowledged all, ") == 2
