"""Rules of servers: by method, identity and header, changed without an effect on open connections."""

import pytest

from testbed.client.grpc_client import Library
from testbed.manifest import Manifest
from testbed.process.deadline import until
from tests.real.conftest import GRPC_GO, GRPC_JAVA, GRPC_JS
from tests.real.mesh.conftest import Clients, Servers
from tests.real.mesh.trusted_mesh import (
    CLIENT,
    TrustedMesh,
    authorization_policy,
    denied,
    identity,
    refused,
    seen,
    server_policy,
    wait_for,
)

SERVERS_WITH_RBAC = pytest.mark.parametrize("serving", ["grpcio", GRPC_GO, GRPC_JAVA])
SERVICE = "steerway.test.Backend"
NAME, BLOCK = f"/{SERVICE}/Name", f"/{SERVICE}/Block"
OTHER = "other"
STRICT = server_policy("all", "Strict")


def source(*accounts: str) -> list[Manifest]:
    """Clients with these service accounts of the namespace."""
    return [{"serviceAccounts": list(accounts)}]


def to(*methods: str) -> list[Manifest]:
    """Calls of these methods of the one service."""
    return [{"services": [SERVICE], "methods": list(methods)}]


@SERVERS_WITH_RBAC
def test_rules_by_method_identity_and_header(
    mesh: TrustedMesh, server: Servers, client: Clients, serving: Library
) -> None:
    team = [{"name": "x-team", "type": "Exact", "value": "pay"}]
    debug = [{"name": "x-debug", "type": "Present"}]
    mesh.policies(
        STRICT,
        authorization_policy(
            "allow",
            "Allow",
            {"from": source(CLIENT), "to": to("Name")},
            {"from": source(OTHER), "headers": team},
        ),
        authorization_policy("deny", "Deny", {"headers": debug}),
    )
    target = server(serving).target
    allowed = client("grpcio").dial(target, xds_credentials=True)
    other = client("grpcio", account=OTHER).dial(target, xds_credentials=True)
    wait_for(allowed, denied, "a denied header", metadata={"x-debug": "1"})
    assert seen(identity(CLIENT))(allowed.call()[0])
    assert denied(allowed.call(method=f"/{SERVICE}/Other")[0])
    wait_for(other, denied, "a denied identity")
    assert seen(identity(OTHER))(other.call(metadata={"x-team": "pay"})[0])
    assert denied(other.call(metadata={"x-team": "pays"})[0])
    assert denied(other.call(metadata={"x-team": "pay", "x-debug": ""})[0])


@SERVERS_WITH_RBAC
def test_a_changed_rule_leaves_open_calls_and_connections(
    mesh: TrustedMesh, server: Servers, client: Clients, serving: Library
) -> None:
    """Only the routes change: new calls are denied while the call that is under way ends well."""
    mesh.policies(STRICT)
    served = server(serving)
    channel = client("grpcio").dial(served.target, xds_credentials=True)
    wait_for(channel, seen(identity(CLIENT)), "an answer without rules", method=f"/{SERVICE}/Other")
    running = client("grpcio").dial(served.target, xds_credentials=True)
    running.begin(method=BLOCK)
    served.only.wait_for_blocked(1)
    states = len(channel.states)
    mesh.policies(STRICT, authorization_policy("deny", "Deny", {"to": to("Name")}))
    wait_for(channel, denied, "a denied call")
    mesh.policies(STRICT)
    wait_for(channel, seen(identity(CLIENT)), "an answer without the rule")
    served.only.release()
    assert running.wait_for_answers(1)[0].ok
    assert channel.states[states:] == []


@pytest.mark.parametrize("serving", [GRPC_GO])
def test_grpc_go_logs_what_a_policy_in_audit_mode_would_deny(
    mesh: TrustedMesh, server: Servers, client: Clients, serving: Library
) -> None:
    """The call is accepted."""
    mesh.policies(STRICT, authorization_policy("planned", "Deny", {"to": to("Name")}, mode="Audit"))
    served = server(serving)
    channel = client("grpcio").dial(served.target, xds_credentials=True)

    def logged() -> bool:
        assert channel.call()[0].ok
        served.program.read()
        return any(
            line["rpc_method"] == NAME and line["principal"] == identity(CLIENT)
            for line in served.program.audits
        )

    wait_for(channel, seen(identity(CLIENT)), "an answer over mTLS")
    until(logged, lambda: f"an audit line, only {served.program.audits}")


@pytest.mark.parametrize("serving", [GRPC_JS])
def test_a_server_without_rbac_is_refused(
    mesh: TrustedMesh, server: Servers, client: Clients, serving: Library
) -> None:
    """Unless the policy accepts that it serves without rules."""
    served = server(serving)
    channel = client("grpcio").dial(served.target, xds_credentials=True)
    mesh.policies(STRICT)
    wait_for(channel, seen(identity(CLIENT)), "an answer over mTLS")
    deny = authorization_policy("deny", "Deny", {"to": to("Name")})
    # Not the first change: a server keeps the Listener that it has (gRFC A53).
    late = mesh.serve(serving, "late")
    mesh.policies(STRICT, deny)
    refused_channel = client("grpcio").dial(late.target, xds_credentials=True)
    until(lambda: "calls are authorized" in str(mesh.plane.resources("lds")), "the reason")
    wait_for(refused_channel, refused, "no connection")
    served_anyway = server_policy("all", "Strict", authorization={"unsupported": "Serve"})
    mesh.policies(served_anyway, deny)
    wait_for(refused_channel, seen(identity(CLIENT)), "an answer")
    late.program.end()
