"""grpc-js reaches a Service again that is deleted and created again, also without `ignore_resource_deletion`.

It keeps a removed Listener or Cluster and drops an equal one that follows, so that must not be equal.
"""

import json
from pathlib import Path

import grpc
import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Client
from testbed.manifest import NAMESPACE, Files, grpc_route, rule
from testbed.process.control_plane import ControlPlane
from testbed.process.process import Processes
from tests.real.conftest import Steer

# The first test with grpc-js installs its packages.
pytestmark = [pytest.mark.needs("node"), pytest.mark.timeout(900)]


def _client(plane: ControlPlane, processes: Processes, file: Path) -> Client:
    """A grpc-js client that follows deletions."""
    plane.bootstrap(file, "--namespace", NAMESPACE)
    bootstrap = json.loads(file.read_text())
    bootstrap["xds_servers"][0]["server_features"].remove("ignore_resource_deletion")
    file.write_text(json.dumps(bootstrap))
    return Client(processes, "grpc-js", file)


def test_a_service_that_is_created_again_is_reached_again(
    backends: Backends, files: Files, steer: Steer, processes: Processes, tmp_path: Path
) -> None:
    """One with its own endpoints, and one that another one's route sends calls to; both have what they had."""
    own, routed = backends.open(2)
    files.publish([own], "own", uid="1")
    files.publish([routed], "cart", uid="2")
    files.publish([], "front", uid="3")
    files.write("route.yaml", grpc_route("front", "front", rule("cart")))
    plane = steer()
    client = _client(plane, processes, tmp_path / "bootstrap.json")
    channels = {name: client.dial(f"xds:///{name}.shop:50051") for name in ("own", "front")}
    expected = {"own": own, "front": routed}
    for uid in ("4", "5"):
        for name, channel in channels.items():
            channel.wait_for_backend(expected[name])
        files.remove("own.yaml")
        files.remove("cart.yaml")
        for channel in channels.values():
            channel.wait_for_code(grpc.StatusCode.UNAVAILABLE, deadline_seconds=1)
        files.publish([own], "own", uid=uid)
        files.publish([routed], "cart", uid=f"{uid}0")
    for name, channel in channels.items():
        channel.wait_for_backend(expected[name])
    plane.assert_no_nack()
