"""The status of policies of servers: targets, conflicts, ports that are replaced, and limitations."""

from steerway.status.condition import LIMITED, Condition
from tests.support.model.attached import EvaluatedMesh

SERVICE = """
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80, name: plain}, {port: 81, name: grpc}]}
"""
WEB = "{group: '', kind: Service, name: web}"
GRPC = "{group: '', kind: Service, name: web, sectionName: grpc}"


def server_policy(spec: str, name: str = "p", created: str = "") -> str:
    meta = f"{{name: {name}, creationTimestamp: '{created}'}}"
    return f"\nkind: ServerPolicy\nmetadata: {meta}\nspec: {{{spec}}}\n"


def authorization_policy(spec: str, name: str = "a") -> str:
    return f"\nkind: AuthorizationPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"


def accepted(mesh: EvaluatedMesh, name: str, kind: str = "ServerPolicy") -> Condition:
    return mesh.conditions(kind, name)["Accepted"]


def test_a_policy_without_targets_has_the_status_of_its_namespace() -> None:
    """Programmed as well."""
    mesh = EvaluatedMesh(SERVICE)
    mesh.put(server_policy("tls: {mode: Strict}"))
    target_status = mesh.target_status("ServerPolicy", "p")
    assert target_status.ref[:4] == ("", "Namespace", "shop", None)
    assert [condition[:3] for condition in target_status.conditions] == [
        ("Accepted", True, "Accepted"),
        ("Programmed", True, "Programmed"),
    ]


def test_a_missing_target_is_refused_until_it_is_there() -> None:
    """A Service, and a port of it."""
    mesh = EvaluatedMesh(
        "---".join(
            (
                authorization_policy(f"targetRefs: [{WEB}]"),
                server_policy(f"targetRefs: [{GRPC}], authorization: {{}}"),
            )
        )
    )
    for kind, name in (("AuthorizationPolicy", "a"), ("ServerPolicy", "p")):
        refused = accepted(mesh, name, kind)
        assert refused[1:3] == (False, "TargetNotFound")
        assert "Service shop/web does not exist" in refused.message
        assert mesh.conditions(kind, name)["Programmed"].reason == "Invalid"
    changed = mesh.put(SERVICE.replace("grpc", "other"))
    assert changed == {"AuthorizationPolicy shop/a", "ServerPolicy shop/p"}
    assert accepted(mesh, "a", "AuthorizationPolicy").status
    assert "has no port named grpc" in accepted(mesh, "p").message
    mesh.put(SERVICE)
    assert accepted(mesh, "p").status


def test_of_two_policies_the_older_one_has_each_part() -> None:
    """A policy that loses one of its parts is accepted, with a message."""
    mesh = EvaluatedMesh(SERVICE)
    mesh.put(server_policy("tls: {mode: Strict}", "old", "2026-01-01T00:00:00Z"))
    mesh.put(server_policy("tls: {mode: 'Off'}", "tls", "2026-02-01T00:00:00Z"))
    mesh.put(
        server_policy("tls: {mode: 'Off'}, authorization: {default: Deny}", "both", "2026-03-01T00:00:00Z")
    )
    mesh.put(server_policy(f"targetRefs: [{WEB}], tls: {{mode: 'Off'}}", "other", "2026-04-01T00:00:00Z"))
    assert accepted(mesh, "old")[1:4] == (True, "Accepted", "")
    assert accepted(mesh, "tls")[1:3] == (False, "Conflicted")
    assert "ServerPolicy shop/old is older and has tls, too" in accepted(mesh, "tls").message
    assert accepted(mesh, "both")[1:3] == (True, "Accepted")
    assert "ServerPolicy shop/old is older" in accepted(mesh, "both").message
    assert accepted(mesh, "other")[1:4] == (True, "Accepted", "")
    mesh.remove("ServerPolicy", "old")
    assert accepted(mesh, "tls").status
    assert "ServerPolicy shop/tls is older" in accepted(mesh, "both").message


def test_authorization_policies_do_not_conflict() -> None:
    """All of them count together."""
    mesh = EvaluatedMesh("---".join(authorization_policy("action: Allow", name) for name in ("a", "b")))
    for name in ("a", "b"):
        assert accepted(mesh, name, "AuthorizationPolicy")[1:4] == (True, "Accepted", "")


def test_ports_that_are_replaced_must_exist() -> None:
    """And be others than the one that replaces them."""
    mesh = EvaluatedMesh(SERVICE)
    for replaces, reason in (("plan", "TargetNotFound"), ("grpc", "Invalid"), ("plain", "ResolvedRefs")):
        mesh.put(server_policy(f"targetRefs: [{GRPC}], tls: {{mode: Strict, replaces: [{replaces}]}}"))
        resolved = mesh.conditions("ServerPolicy", "p")["ResolvedRefs"]
        assert (resolved.status, resolved.reason) == (replaces == "plain", reason)
    mesh.put(SERVICE.replace("name: plain", "name: old"))
    resolved = mesh.conditions("ServerPolicy", "p")["ResolvedRefs"]
    assert "Service shop/web has no port plain that grpc could replace" in resolved.message
    assert "its ports are: grpc, old" in resolved.hint


def test_limitations_of_libraries_are_stated() -> None:
    """Of their servers; an Envoy is none."""
    mesh = EvaluatedMesh(SERVICE)
    mesh.put(authorization_policy("action: Allow"))
    limited = mesh.conditions("AuthorizationPolicy", "a")[LIMITED].message
    assert limited.startswith("authorization at gRPC servers (gRFC A41) is not supported by grpc-js")
    assert "Envoy" not in limited
    mesh.put(authorization_policy("mode: Audit"))
    limited = mesh.conditions("AuthorizationPolicy", "a")[LIMITED].message
    assert limited.startswith("audit mode of AuthorizationPolicy (gRFC A59) is not supported by C-core")
    mesh.put(server_policy("authorization: {default: Deny}"))
    assert LIMITED in mesh.conditions("ServerPolicy", "p")
    mesh.put(server_policy("authorization: {default: Allow}"))
    assert LIMITED not in mesh.conditions("ServerPolicy", "p")
