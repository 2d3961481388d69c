"""Servers and clients of all libraries, each with each: plaintext by default, mTLS with identities where a policy has
it."""

import pytest

from testbed.backend.xds_server import REPORTING
from testbed.client.grpc_client import Channel, Client, Library
from testbed.manifest import Manifest
from testbed.process.deadline import until
from tests.real.conftest import GRPC_GO, GRPC_JAVA, GRPC_JS
from tests.real.mesh.conftest import Clients, Servers
from tests.real.mesh.trusted_mesh import (
    CLIENT,
    DEADLINE_SECONDS,
    SERVER,
    Served,
    TrustedMesh,
    identity,
    refused,
    seen,
    server_policy,
    wait_for,
)

EVERY_SERVER = pytest.mark.parametrize("serving", ["grpcio", GRPC_GO, GRPC_JAVA, GRPC_JS])
EVERY_CLIENT = pytest.mark.parametrize("calling", ["grpcio", GRPC_GO, GRPC_JAVA, GRPC_JS])
STRICT = server_policy("all", "Strict")
PERMISSIVE = server_policy("all", "Permissive")


@EVERY_SERVER
@EVERY_CLIENT
def test_plaintext_without_a_policy(
    mesh: TrustedMesh, server: Servers, client: Clients, calling: Library, serving: Library
) -> None:
    """A server starts with its Listener, and has the name by which it is called."""
    mesh.policies()
    served = server(serving)
    if serving in REPORTING:
        served.only.wait_for_status(True)
    answer = wait_for(
        client(calling).dial(served.target, xds_credentials=True), seen(""), "an answer in plaintext"
    )
    assert answer.backend == served.only.name


@EVERY_SERVER
@EVERY_CLIENT
def test_strict_servers_see_the_identity_of_the_client(
    mesh: TrustedMesh, server: Servers, client: Clients, calling: Library, serving: Library
) -> None:
    mesh.policies(STRICT)
    served = server(serving)
    wait_for(
        client(calling).dial(served.target, xds_credentials=True),
        seen(identity(CLIENT)),
        "an answer over mTLS",
    )
    # The library's own choice: such a client does not read the TLS of the Cluster.
    plaintext = client(calling).dial(served.target, xds_credentials=False)
    assert refused(plaintext.call()[0])


@EVERY_CLIENT
def test_a_client_refuses_a_server_with_another_identity(
    mesh: TrustedMesh, client: Clients, calling: Library, impostor: Served
) -> None:
    """The Service has another account than the certificate of its only server; it is accepted when that is named."""
    named = {"mode": "Strict", "serviceAccounts": [SERVER]}
    mesh.policies(
        server_policy("all", None, tls=named), server_policy("own", None, impostor.service, tls=named)
    )

    def connect() -> Channel:
        return client(calling).dial(impostor.target, xds_credentials=True)

    # A connection that is open when the identities change stays: each question has one of its own.
    until(lambda: refused(connect().call(deadline_seconds=DEADLINE_SECONDS)[0]), "a refused connection")
    named = {"mode": "Strict", "serviceAccounts": ["other"]}
    mesh.policies(server_policy("all", "Strict"), server_policy("own", None, impostor.service, tls=named))
    wait_for(connect(), seen(identity(CLIENT)), "an answer of the account")


@pytest.fixture(scope="module")
def impostor(mesh: TrustedMesh) -> Served:
    return mesh.serve("grpcio", "impostor", account=SERVER, certified="other")


@EVERY_SERVER
@EVERY_CLIENT
def test_permissive_servers_accept_clients_with_and_without_a_certificate(
    mesh: TrustedMesh,
    server: Servers,
    client: Clients,
    anonymous: Client,
    calling: Library,
    serving: Library,
) -> None:
    """grpc-go servers do not ask for a certificate then, and see no identity."""
    mesh.policies(PERMISSIVE)
    served = server(serving)
    expected = "" if serving == "grpc-go" else identity(CLIENT)
    plaintext = client(calling).dial(served.target, xds_credentials=False)
    wait_for(client(calling).dial(served.target, xds_credentials=True), seen(expected), "an answer over TLS")
    wait_for(anonymous.dial(served.target, xds_credentials=True), seen(""), "an answer without an identity")
    wait_for(plaintext, refused, "the end of plaintext")


@pytest.fixture(scope="module")
def anonymous(mesh: TrustedMesh) -> Client:
    """A client that verifies servers and has no certificate of its own, which only grpc-go allows."""

    def edit(document: Manifest) -> None:
        for provider in document["certificate_providers"].values():
            del provider["config"]["certificate_file"]
            del provider["config"]["private_key_file"]

    return mesh.client("grpc-go", edit=edit)


@EVERY_CLIENT
def test_a_client_without_a_provider_keeps_plaintext_and_is_reported(
    mesh: TrustedMesh, server: Servers, client: Clients, calling: Library
) -> None:
    """It has no resource that it would refuse; `explain` names why its calls to the server fail."""
    mesh.policies(STRICT)
    served = server("grpcio")
    channel = client(calling, account=None).dial(served.target, xds_credentials=True)
    wait_for(channel, refused, "no connection")

    def limitations() -> str:
        return str(mesh.plane.get(f"/api/v1/explain?target={served.service}.shop"))

    until(lambda: "certificate" in limitations(), lambda: f"a limitation, only {limitations()}")


@EVERY_SERVER
def test_a_server_without_a_provider_is_not_served_in_plaintext(
    mesh: TrustedMesh, client: Clients, serving: Library
) -> None:
    """Where a policy has TLS; the reason names the fix."""
    mesh.policies(STRICT)
    served = mesh.serve(serving, f"{serving}-bare", account=None)
    channel = client("grpcio").dial(served.target, xds_credentials=False)
    wait_for(channel, refused, "no connection")
    until(lambda: "certificate provider" in str(mesh.plane.resources("lds")), "the reason")
    served.program.end()
