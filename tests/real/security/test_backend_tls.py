"""A BackendTLSPolicy before servers of plaintext: no client connects to them, and all is as before when it is gone."""

import grpc
import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Answer
from testbed.envoy.envoy_mesh import EnvoyMesh, answered_by, eventually
from testbed.envoy.envoy_mesh import mesh as mesh
from testbed.manifest import Files, backend_tls_policy, grpc_route, rule
from testbed.process.deadline import until
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop"
CONFIG_MAP = {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}


def test_grpc_clients_are_not_sent_to_plaintext(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """A running channel fails at once, and so does a new one; both go on without the policy."""
    (address,) = backends.open(1)
    files.publish([address])
    plane = steer()
    running = connect(plane).dial(TARGET)
    running.wait_for_backend(address)
    files.write("tls.yaml", backend_tls_policy("tls", "backend", **CONFIG_MAP))
    running.wait_for_code(grpc.StatusCode.UNAVAILABLE)
    assert connect(plane).dial(TARGET).call()[0].code is grpc.StatusCode.UNAVAILABLE
    expected = {"Service shop/backend", "BackendTLSPolicy shop/tls"}
    until(lambda: {problem["where"] for problem in plane.problems()} == expected, "the reasons")
    files.remove("tls.yaml")
    running.wait_for_backend(address)


@pytest.mark.needs("envoy")
def test_envoys_are_not_sent_to_plaintext(mesh: EnvoyMesh) -> None:
    """By the Service's name, and by a route of another one."""
    (address,) = mesh.backends.open(1)
    mesh.files.publish([address])
    mesh.files.publish([], "front")
    mesh.files.write("route.yaml", grpc_route("front", "front", rule("backend")))
    mesh.start()
    names = ("backend.shop:50051", "front.shop:50051")
    for name in names:
        eventually(mesh.grpc(name).call, answered_by(address), name)
    mesh.files.write("tls.yaml", backend_tls_policy("tls", "backend", **CONFIG_MAP))
    for name in names:
        eventually(mesh.grpc(name).call, _failed, f"{name} to fail")
    mesh.files.remove("tls.yaml")
    for name in names:
        eventually(mesh.grpc(name).call, answered_by(address), name)


def _failed(answer: Answer) -> bool:
    return answer.code is grpc.StatusCode.UNAVAILABLE
