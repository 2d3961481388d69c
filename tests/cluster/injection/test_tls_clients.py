"""Clients in pods that verify steerway, and send the token of their service account."""

from pathlib import Path

import pytest

from testbed.certificate import Authority
from testbed.client.grpc_client import Library
from testbed.cluster.namespace import Namespace
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.injection.client_pod import Clients
from tests.cluster.injection.conftest import Create, Mesh, metric, variables

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go")]
LIBRARIES: tuple[Library, ...] = ("grpcio", "grpc-go")
"""Those with TLS and tokens towards the control plane by the bootstrap."""
AUTHORITY = Authority()


@pytest.fixture(scope="module", autouse=True)
def installed(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> None:
    """steerway with TLS, which authenticates clients by TokenReviews."""
    folder: Path = tmp_path_factory.mktemp("tls")
    issued = AUTHORITY.issue(mesh.server.rpartition(":")[0], usage="server")
    (folder / "tls.crt").write_bytes(issued.certificate)
    (folder / "tls.key").write_bytes(issued.key)
    with mesh.namespace.cluster.network.entered():
        mesh.install("webhook/rbac.yaml", "webhook/webhook.yaml")
        mesh.allow_token_reviews()
        mesh.start(
            1,
            *("--tls-certificate", str(folder / "tls.crt"), "--tls-key", str(folder / "tls.key")),
            *("--injection-tls-servers", mesh.server, "--injection-credentials", "tls"),
            *("--injection-ca", "ConfigMap/roots", "--injection-token-audience", "mesh"),
            *("--authentication-service-account", "token_review", "--authentication-audiences", "mesh"),
        )


@pytest.mark.usefixtures("grpc_go")
def test_clients_verify_steerway_and_send_tokens(
    mesh: Mesh, namespace: Namespace, clients: Clients, create: Create
) -> None:
    """The volume has both files; steerway accepts the token, without which it refuses the stream."""
    metadata = {"name": "roots", "namespace": namespace.name}
    data = {"ca.crt": AUTHORITY.certificate.decode()}
    namespace.api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    until(lambda: "GRPC_XDS_BOOTSTRAP_CONFIG" in variables(create(label="enabled")), "an injected pod")
    clients.start("secure", LIBRARIES)
    clients.wait_for_answers("secure", LIBRARIES)
    (plane,) = mesh.planes
    streams = plane.get("/api/v1/streams")["streams"]
    assert {stream["node"] for stream in streams} == {f"secure.{namespace.name}"}
    accepted = {"method": "service_account", "outcome": "accepted"}
    assert metric(plane, "steerway_authentications_total", **accepted) >= len(LIBRARIES)
