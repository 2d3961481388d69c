"""New leaves, a new intermediate and a new root under load, in the order in which a signer brings them."""

import socket
import ssl
from contextlib import ExitStack

import pytest
from cryptography import x509

from testbed.backend.xds_server import XdsServer
from testbed.certificate import Authority
from testbed.client.grpc_client import Client, Library
from testbed.process.deadline import PATIENCE_SECONDS, until
from tests.real.mesh.conftest import Clients, Servers
from tests.real.mesh.trusted_mesh import (
    CLIENT,
    DEADLINE_SECONDS,
    Served,
    TrustedMesh,
    identity,
    seen,
    server_policy,
    wait_for,
)

LIBRARIES: tuple[Library, ...] = ("grpcio", "grpc-go", "grpc-java")
RATE = 15.0
"""Of each of nine channels."""

pytestmark = [pytest.mark.needs("go", "java"), pytest.mark.timeout(900)]


def test_no_call_fails_while_certificates_rotate(mesh: TrustedMesh, server: Servers, client: Clients) -> None:
    """Each step is complete when servers and new connections use it; the connections under load live on."""
    mesh.policies(server_policy("all", "Strict"))
    pairs = [(client(calling), server(serving)) for calling in LIBRARIES for serving in LIBRARIES]
    channels = [caller.dial(served.target, xds_credentials=True) for caller, served in pairs]
    for channel in channels:
        wait_for(channel, seen(identity(CLIENT)), "an answer over mTLS")
    old, new = mesh.root, Authority("root 2")
    intermediate, last = Authority("intermediate 2", issuer=old), Authority("intermediate 3", issuer=new)
    with ExitStack() as stack:
        loads = [stack.enter_context(channel.load(RATE)) for channel in channels]
        for issuer, roots in (
            (mesh.issuer, [old]),
            (intermediate, [old]),
            (intermediate, [old, new]),
            (last, [old, new]),
            (last, [new]),
        ):
            mesh.rotate(issuer, *roots)
            for library in LIBRARIES:
                wait_for_leaf(mesh, server(library))
            for caller, served in pairs:
                wait_for_new_connection(mesh, caller, served)
        for load in loads:
            load.go_on()
    for load in loads:
        assert load.failures == []


def wait_for_leaf(mesh: TrustedMesh, served: Served) -> None:
    """Wait until new connections see the newest certificate of a server."""
    expected = mesh.folder(served.service).serial
    until(lambda: presented(served.only) == expected, f"the new certificate of {served.service}")


def wait_for_new_connection(mesh: TrustedMesh, caller: Client, served: Served) -> None:
    """Wait until a server sees the newest certificate of a client at a new connection."""
    expected = mesh.folder(CLIENT, caller.library).serial

    def connect() -> bool:
        answer = caller.dial(served.target, xds_credentials=True).call(deadline_seconds=DEADLINE_SECONDS)[0]
        return answer.ok and answer.metadata["serial"] == expected

    until(connect, f"a connection of {caller.library} to {served.service} with the new certificate")


def presented(server: XdsServer) -> str:
    """The serial number of the certificate of a server."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = server.address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), PATIENCE_SECONDS) as raw,
        context.wrap_socket(raw) as connection,
    ):
        certificate = connection.getpeercert(binary_form=True)
    assert certificate is not None
    return f"{x509.load_der_x509_certificate(certificate).serial_number:x}"
