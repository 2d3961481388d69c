"""BackendTLSPolicies: which one is for a port, the status of each, and that nothing connects where one is invalid."""

import pytest

from steerway.catalog.model.mesh import Port, ServiceId
from steerway.catalog.model.tls import BackendTLS
from steerway.catalog.service import connection
from steerway.status.condition import LIMITED
from tests.support.model.attached import EvaluatedMesh

SERVICES = """
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80, name: grpc}, {port: 81, name: admin}]}
"""
MAP = "hostname: web.example.org, caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]"
WEB = "{group: '', kind: Service, name: web}"

ROUTE = (
    "kind: GRPCRoute\nmetadata: {name: a}\n"
    f"spec: {{parentRefs: [{WEB}], rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}\n"
)


def policy(validation: str = MAP, target: str = WEB, name: str = "p", created: str = "") -> str:
    return f"""
kind: BackendTLSPolicy
metadata: {{name: {name}, creationTimestamp: '{created}'}}
spec: {{targetRefs: [{target}], validation: {{{validation}}}}}
"""


def ports(mesh: EvaluatedMesh, name: str = "web") -> dict[str, Port]:
    """Of a Service, by name."""
    service = mesh.catalog.service(ServiceId("shop", name))
    assert service is not None
    return {port.name: port for port in service.ports}


def origins(mesh: EvaluatedMesh) -> dict[str, str]:
    """The policy that is for each port, by its name."""
    return {
        name: "" if port.tls is None else port.tls.origin.partition("/")[2]
        for name, port in ports(mesh).items()
    }


@pytest.mark.parametrize(
    ("validation", "accepted", "resolved", "message"),
    [
        (MAP, "NoValidCACertificate", "InvalidCACertificateRef", "steerway does not read ConfigMaps"),
        (
            "hostname: a.b, caCertificateRefs: [{group: '', kind: Secret, name: ca}]",
            "NoValidCACertificate",
            "InvalidKind",
            "Secret ca, which is no ConfigMap",
        ),
        ("hostname: a.b", "Invalid", "", "neither caCertificateRefs nor wellKnownCACertificates"),
        (f"{MAP}, wellKnownCACertificates: System", "Invalid", "", "both caCertificateRefs and"),
        ("hostname: a.b, wellKnownCACertificates: Mozilla", "Invalid", "", "Mozilla is not supported"),
        ("wellKnownCACertificates: System", "Invalid", "", "hostname is empty"),
        (
            "hostname: a.b, wellKnownCACertificates: System, subjectAltNames: [{type: URI}]",
            "Invalid",
            "",
            "a URI without a value",
        ),
        (
            "hostname: a.b, wellKnownCACertificates: System, subjectAltNames: [{type: Email, hostname: a}]",
            "Invalid",
            "",
            "unknown type Email",
        ),
    ],
)
def test_a_policy_that_cannot_be_followed_ends_all_connections(
    validation: str, accepted: str, resolved: str, message: str
) -> None:
    """Its status, the Service's problem and the refusal of clients give the reason."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(policy(validation))
    conditions = mesh.conditions("BackendTLSPolicy", "p")
    assert conditions["Accepted"][:3] == ("Accepted", False, accepted)
    assert message in conditions["Accepted"].message
    assert conditions["Accepted"].hint
    assert conditions["ResolvedRefs"][1:3] == ((False, resolved) if resolved else (True, "ResolvedRefs"))
    for port in ports(mesh).values():
        for envoy in (False, True):
            assert message in connection.refusal(port, envoy)
    problems = [problem for problem in mesh.catalog.problems() if message in problem.reason]
    assert [(problem.where, problem.reason[:8]) for problem in problems] == [
        ("Service shop/web", "port 80:"),
        ("Service shop/web", "port 81:"),
    ]
    assert all(problem.about is not None and problem.hint for problem in problems)
    mesh.remove("BackendTLSPolicy", "p")
    assert mesh.catalog.problems() == []
    assert set(origins(mesh).values()) == {""}


def test_a_policy_with_the_systems_certificates_is_for_envoy() -> None:
    """It is accepted with a limit, and the Service's problem is one of gRPC clients."""
    mesh = EvaluatedMesh(SERVICES)
    names = "[{type: Hostname, hostname: other.example.org}, {type: URI, uri: 'spiffe://a/b'}]"
    mesh.put(policy(f"hostname: a.b, wellKnownCACertificates: System, subjectAltNames: {names}"))
    conditions = mesh.conditions("BackendTLSPolicy", "p")
    assert [condition[:3] for condition in conditions.values()] == [
        ("Accepted", True, "Accepted"),
        ("ResolvedRefs", True, "ResolvedRefs"),
        (LIMITED, True, "NotForAllClients"),
    ]
    for port in ports(mesh).values():
        assert port.tls == BackendTLS(
            "BackendTLSPolicy shop/p", "a.b", ("other.example.org",), ("spiffe://a/b",)
        )
        assert connection.refusal(port, envoy=True) == ""
        assert "is supported by Envoy only" in connection.refusal(port, envoy=False)
    problems = mesh.catalog.problems()
    assert [problem.partial for problem in problems] == [True, True]
    assert "port 80: gRPC clients do not connect" in problems[0].reason
    mesh.put(ROUTE)
    routed = mesh.conditions("GRPCRoute", "a")
    assert routed["Programmed"].status
    assert "rule 0: gRPC clients do not connect to port 80" in routed[LIMITED].message


@pytest.mark.parametrize(
    ("app_protocol", "envoys"), [("https", True), ("", True), ("http", True), ("grpc", True), ("tcp", False)]
)
def test_what_is_stated_of_the_port_is_inside_of_the_tls(app_protocol: str, envoys: bool) -> None:
    """A policy is what `https` asks for; what is not HTTP stays so."""
    port = Port(80, "x", app_protocol, tls=BackendTLS("p", "a.b"))
    assert bool(connection.refusal(port, envoy=True)) is not envoys


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{group: '', kind: Service, name: nope}", "Service shop/nope does not exist"),
        ("{group: '', kind: Service, name: web, sectionName: http}", "has no port named http"),
        ("{group: example.org, kind: Backend, name: web}", "Backend of example.org web is not a Service"),
        ("{group: gateway.networking.k8s.io, kind: GRPCRoute, name: web}", "GRPCRoute of gateway"),
    ],
)
def test_a_target_that_is_not_there_is_named(target: str, message: str) -> None:
    """Each target has its own status; the others are unchanged."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(policy(target=f"{target}, {WEB[:-1]}, sectionName: admin}}"))
    bad, good = mesh.object_status("BackendTLSPolicy", "p").target_statuses
    assert (good.ref.name, good.ref.section_name, good.ref.namespace) == ("web", "admin", "shop")
    (accepted,) = (condition for condition in bad.conditions if condition.type == "Accepted")
    assert accepted[:3] == ("Accepted", False, "TargetNotFound")
    assert message in accepted.message
    assert origins(mesh) == {"grpc": "", "admin": "p"}


def test_the_port_counts_before_the_service_and_then_the_older_policy() -> None:
    """The loser is in conflict, whatever is the matter with the winner."""
    mesh = EvaluatedMesh(SERVICES)
    on_admin = f"{WEB[:-1]}, sectionName: admin}}"
    mesh.put(policy(name="whole", created="2026-01-01T00:00:00Z"))
    mesh.put(policy(name="late", created="2026-03-01T00:00:00Z"))
    mesh.put(policy(name="port", target=on_admin, created="2026-04-01T00:00:00Z"))
    assert origins(mesh) == {"grpc": "whole", "admin": "port"}
    assert mesh.conditions("BackendTLSPolicy", "late")["Accepted"][1:3] == (False, "Conflicted")
    assert mesh.conditions("BackendTLSPolicy", "port")["Accepted"].reason == "NoValidCACertificate"
    assert mesh.put(policy(name="first", created="2025-01-01T00:00:00Z")) >= {"BackendTLSPolicy shop/whole"}
    assert origins(mesh) == {"grpc": "first", "admin": "port"}
    assert mesh.conditions("BackendTLSPolicy", "whole")["Accepted"].reason == "Conflicted"
    mesh.remove("BackendTLSPolicy", "first")
    mesh.remove("BackendTLSPolicy", "port")
    assert origins(mesh) == {"grpc": "whole", "admin": "whole"}


def test_a_route_to_a_port_without_connections_answers_nothing() -> None:
    """It is accepted, and its status gives the reason."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(ROUTE)
    assert mesh.conditions("GRPCRoute", "a")["Programmed"].status
    assert mesh.put(policy()) == {"BackendTLSPolicy shop/p", "GRPCRoute shop/a"}
    conditions = mesh.conditions("GRPCRoute", "a")
    assert conditions["Accepted"].status
    assert not conditions["Programmed"].status
    assert "rule 0: clients do not connect to port 80 of Service shop/web: BackendTLSPolicy shop/p" in (
        conditions[LIMITED].message
    )


def test_every_port_of_an_external_name_is_meant() -> None:
    """Those that its Service does not list, too."""
    mesh = EvaluatedMesh(
        "kind: Service\nmetadata: {name: web}\nspec: {type: ExternalName, externalName: db.example.org}\n"
    )
    mesh.put(policy())
    service = mesh.catalog.service(ServiceId("shop", "web"))
    assert service is not None
    port = service.port(5432)
    assert port is not None
    assert connection.refusal(port, envoy=True)
