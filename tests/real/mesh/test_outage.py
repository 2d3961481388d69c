"""The control plane ends and comes back while servers and clients go on."""

from contextlib import ExitStack

import pytest

from testbed.client.grpc_client import Library
from tests.real.conftest import GRPC_GO, GRPC_JAVA
from tests.real.mesh.conftest import Clients, Servers
from tests.real.mesh.trusted_mesh import (
    CLIENT,
    TrustedMesh,
    authorization_policy,
    denied,
    identity,
    seen,
    server_policy,
    wait_for,
)

LIBRARIES = [pytest.param(("grpcio", "grpc-go", "grpc-java"), marks=[*GRPC_GO.marks, *GRPC_JAVA.marks])]  # type: ignore[attr-defined]
RATE = 30.0
FORBIDDEN = "/steerway.test.Backend/No"
DENY = authorization_policy(
    "deny", "Deny", {"to": [{"services": ["steerway.test.Backend"], "methods": ["No"]}]}
)


@pytest.mark.parametrize("libraries", LIBRARIES)
def test_nothing_changes_while_the_control_plane_is_down(
    mesh: TrustedMesh, server: Servers, client: Clients, libraries: tuple[Library, ...]
) -> None:
    """Killed under load: calls, identities and rules stay, also for new connections, and it comes back."""
    mesh.policies(server_policy("all", "Strict"), DENY)
    channels = {
        (calling, serving): client(calling).dial(server(serving).target, xds_credentials=True)
        for calling in libraries
        for serving in libraries
    }
    for channel in channels.values():
        wait_for(channel, seen(identity(CLIENT)), "an answer over mTLS")
        wait_for(channel, denied, "a denied method", method=FORBIDDEN)
    with ExitStack() as stack:
        loads = [stack.enter_context(channel.load(RATE)) for channel in channels.values()]
        mesh.plane.kill()
        for load in loads:
            load.go_on(60)
        for calling, serving in channels:
            later = client(calling).dial(server(serving).target, xds_credentials=True)
            assert seen(identity(CLIENT))(later.call()[0])
            assert denied(later.call(method=FORBIDDEN)[0])
        mesh.plane.restart()
        for load in loads:
            load.go_on(60)
    for load in loads:
        assert load.failures == []
