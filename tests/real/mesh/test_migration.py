"""From plaintext to TLS under load: by a second port without a failed call, and what a changed port does."""

from contextlib import ExitStack

import pytest

from testbed.client.grpc_client import Library
from tests.real.conftest import GRPC_GO, GRPC_JAVA
from tests.real.mesh.conftest import Clients
from tests.real.mesh.trusted_mesh import CLIENT, TrustedMesh, identity, seen, server_policy, wait_for

EVERY_SERVER = pytest.mark.parametrize("serving", ["grpcio", GRPC_GO, GRPC_JAVA])
CALLING: tuple[Library, ...] = ("grpcio", "grpc-go", "grpc-java")
BLOCK = "/steerway.test.Backend/Block"
PLAIN, TLS = "plain", "tls"
RATE = 30.0

pytestmark = [pytest.mark.needs("go", "java"), pytest.mark.timeout(900)]


@EVERY_SERVER
def test_a_second_port_takes_over_without_a_failed_call(
    mesh: TrustedMesh, client: Clients, serving: Library
) -> None:
    """First the new port has TLS, then it replaces the old one for the clients that can use it."""
    service = f"{serving}-moving"
    served = mesh.serve(serving, service, ports=(PLAIN, TLS))
    mesh.policies()
    channels = [client(calling).dial(served.target, xds_credentials=True) for calling in CALLING]
    unable = client("grpcio", account=None).dial(served.target, xds_credentials=True)
    for channel in (*channels, unable):
        wait_for(channel, seen(""), "an answer in plaintext")
    probe = client("grpcio").dial(served.target_at(1), xds_credentials=True)
    with ExitStack() as stack:
        loads = [stack.enter_context(channel.load(RATE)) for channel in (*channels, unable)]
        mesh.policies(server_policy("moving", "Strict", service, TLS))
        wait_for(probe, seen(identity(CLIENT)), "an answer over mTLS at the new port")
        replacing = {"mode": "Strict", "replaces": [PLAIN]}
        mesh.policies(server_policy("moving", None, service, TLS, tls=replacing))
        for load in loads[:-1]:
            load.wait_for_backend(served.servers[TLS].name)
            load.settle(served.servers[TLS].name)
        loads[-1].settle(served.servers[PLAIN].name)
    for load in loads:
        assert load.lost == []
        assert not load.answers[-1].metadata["peer"] or load.answers[-1].metadata["peer"] == identity(CLIENT)
    served.program.end()


@EVERY_SERVER
def test_a_port_that_gets_tls_finishes_the_calls_in_plaintext(
    mesh: TrustedMesh, client: Clients, serving: Library
) -> None:
    """Its Listener changes, so the server drains its connections (gRFC A36) and accepts no new plaintext."""
    service = f"{serving}-draining"
    served = mesh.serve(serving, service)
    mesh.policies()
    channel = client("grpcio").dial(served.target, xds_credentials=True)
    running = client("grpc-go").dial(served.target, xds_credentials=True)
    for open_channel in (channel, running):
        wait_for(open_channel, seen(""), "an answer in plaintext")
    answers = len(running.answers)
    running.begin(method=BLOCK, deadline_seconds=60)
    served.only.wait_for_blocked(1)
    mesh.policies(server_policy("draining", "Strict", service))
    wait_for(channel, seen(identity(CLIENT)), "an answer over mTLS")
    served.only.release()
    assert running.wait_for_answers(answers + 1)[answers].ok
    wait_for(running, seen(identity(CLIENT)), "an answer over mTLS")
    served.program.end()
