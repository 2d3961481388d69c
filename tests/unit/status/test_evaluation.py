"""The status of routes and policies: each reason with a hint, and its update when dependencies change."""

import pytest

from steerway.catalog.model.mesh import Port, Service, ServiceId
from steerway.status.condition import LIMITED, Condition
from tests.support.model.attached import EvaluatedMesh

SERVICES = """
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80, name: grpc}, {port: 81, name: admin}, {port: 53, name: dns, protocol: UDP}]}
---
kind: Service
metadata: {name: web-v2}
spec: {ports: [{port: 80}]}
"""
ACCEPTED = ("Accepted", True, "Accepted")
RESOLVED = ("ResolvedRefs", True, "ResolvedRefs")
PROGRAMMED = ("Programmed", True, "Programmed")


def route(
    rules: str = "[{backendRefs: [{name: web-v2, port: 80}]}]",
    parent: str = "{group: '', kind: Service, name: web}",
    kind: str = "GRPCRoute",
    meta: str = "name: a",
) -> str:
    return f"kind: {kind}\nmetadata: {{{meta}}}\nspec: {{parentRefs: [{parent}], rules: {rules}}}\n"


def policy(
    spec: str = "subset: {min: 3}",
    name: str = "p",
    target: str = "{group: '', kind: Service, name: web}",
    created: str = "",
) -> str:
    return (
        f"kind: TrafficPolicy\nmetadata: {{name: {name}, creationTimestamp: '{created}'}}\n"
        f"spec: {{targetRefs: [{target}], {spec}}}\n"
    )


GATEWAY = "gateway.networking.k8s.io"
ON_ROUTE = f"{{group: {GATEWAY}, kind: GRPCRoute, name: a}}"


def heads(conditions: dict[str, Condition]) -> list[tuple[str, bool, str]]:
    return [condition[:3] for condition in conditions.values()]


def test_a_good_route_is_accepted_for_each_service_that_it_names() -> None:
    """A Gateway is another controller's; the reference is reported as in the spec."""
    mesh = EvaluatedMesh(SERVICES)
    parents = [f"{{group: '', kind: Service, name: {name}}}" for name in ("web, port: 80", "web-v2")]
    mesh.put(route(parent=", ".join(["{name: ingress}", *parents])))
    object_status = mesh.object_status("GRPCRoute", "a")
    assert [
        (target_status.ref.name, target_status.ref.port) for target_status in object_status.target_statuses
    ] == [
        ("web", 80),
        ("web-v2", None),
    ]
    for target_status in object_status.target_statuses:
        assert [condition[:3] for condition in target_status.conditions] == [ACCEPTED, PROGRAMMED, RESOLVED]
    assert (object_status.refusals, mesh.target_statuses.problems()) == ((), [])
    mesh.put(route(parent="{name: ingress}"))
    assert mesh.object_status("GRPCRoute", "a").target_statuses == ()


@pytest.mark.parametrize(
    ("parent", "meta", "message"),
    [
        ("name: nope", "name: a", "Service shop/nope does not exist"),
        (
            "name: web, port: 82",
            "name: a",
            "Service shop/web has no port 82, its ports are: 80 (grpc), 81 (admin)",
        ),
        ("name: web, port: 53", "name: a", "has no port 53"),
        ("name: web, sectionName: http", "name: a", "has no port http"),
        ("name: inner, namespace: shop", "name: a, namespace: pay", "is not exported to pay"),
    ],
)
def test_a_parent_that_is_not_there_is_named(parent: str, meta: str, message: str) -> None:
    """A Service that does not exist, a port that it has not, clients that it is not exported to."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(
        "kind: Service\nmetadata: {name: inner, annotations: {steerway.io/export-to: ''}}\n"
        "spec: {ports: [{port: 80}]}\n"
    )
    mesh.put(route(parent=f"{{group: '', kind: Service, {parent}}}", meta=meta))
    namespace = "pay" if "pay" in meta else "shop"
    conditions = mesh.conditions("GRPCRoute", "a", namespace)
    accepted = conditions["Accepted"]
    assert accepted[:3] == ("Accepted", False, "NoMatchingParent")
    assert message in accepted.message
    assert accepted.hint
    assert conditions["Programmed"][1:3] == (False, "Invalid")
    assert [problem.reason for problem in mesh.target_statuses.problems()] == [
        refusal.message for refusal in mesh.object_status("GRPCRoute", "a", namespace).refusals
    ]


def test_a_port_may_be_named_as_a_section() -> None:
    """ParentReference: the name of a port is the section of a Service; the others keep their own endpoints."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route(parent="{group: '', kind: Service, name: web, sectionName: admin}"))
    assert mesh.conditions("GRPCRoute", "a")["Accepted"].status
    service = mesh.catalog.service(ServiceId("shop", "web"))
    assert service is not None
    assert [port.number for port in service.ports if port.routing.producer is not None] == [81]


def test_an_http_route_beside_a_grpc_route_is_in_conflict() -> None:
    """On one port and of one namespace; where it is used on other ports it is accepted, with a message."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route(parent="{group: '', kind: Service, name: web, port: 80}"))
    mesh.put(route(kind="HTTPRoute", meta="name: b"))
    partly = mesh.conditions("HTTPRoute", "b")["Accepted"]
    assert partly.status
    assert "GRPCRoute shop/a is for port 80 of Service shop/web" in partly.message
    mesh.put(
        route(kind="HTTPRoute", meta="name: b", parent="{group: '', kind: Service, name: web, port: 80}")
    )
    lost = mesh.conditions("HTTPRoute", "b")["Accepted"]
    assert lost[1:3] == (False, "Conflicted")
    mesh.put(
        route(
            kind="HTTPRoute",
            meta="name: c, namespace: pay",
            parent="{group: '', kind: Service, name: web, namespace: shop}",
        )
    )
    assert mesh.conditions("HTTPRoute", "c", "pay")["Accepted"].status
    assert mesh.remove("GRPCRoute", "a") == {"HTTPRoute shop/b"}, "a rival that goes is noticed"
    assert mesh.conditions("HTTPRoute", "b")["Accepted"].status


@pytest.mark.parametrize(
    ("rule", "what", "kind"),
    [
        ("filters: [{type: ExtensionRef}]", "filter ExtensionRef", "GRPCRoute"),
        ("filters: [{type: CORS}]", "filter CORS", "HTTPRoute"),
        ("matches: [{method: {type: Fuzzy, method: Get}}]", "match type Fuzzy", "GRPCRoute"),
        ("matches: [{headers: [{name: x, value: y, type: Fuzzy}]}]", "match type Fuzzy", "GRPCRoute"),
        ("matches: [{path: {type: Fuzzy, value: /x}}]", "match type Fuzzy", "HTTPRoute"),
        ("matches: [{queryParams: [{name: x, value: y, type: Fuzzy}]}]", "match type Fuzzy", "HTTPRoute"),
    ],
)
def test_unsupported_settings_are_refused(rule: str, what: str, kind: str) -> None:
    """As a whole where no rule is left, else the rule."""
    backend = "backendRefs: [{name: web-v2, port: 80}]"
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route(f"[{{{rule}, {backend}}}]", kind=kind))
    conditions = mesh.conditions(kind, "a")
    assert conditions["Accepted"][1:4] == (False, "UnsupportedValue", f"rule 0: {what} is not supported")
    mesh.put(route(f"[{{{rule}, {backend}}}, {{{backend}}}]", kind=kind))
    conditions = mesh.conditions(kind, "a")
    assert conditions["Accepted"].status
    assert conditions["Programmed"].status
    assert conditions["PartiallyInvalid"][1:4] == (
        True,
        "UnsupportedValue",
        f"Dropped Rule: rule 0: {what} is not supported",
    )
    assert len(mesh.target_statuses.problems()) == 1


def test_a_rule_with_a_match_of_unknown_type_matches_no_request() -> None:
    """It is no rule for everything either."""
    mesh = EvaluatedMesh(SERVICES)
    fuzzy = "matches: [{method: {type: Fuzzy, method: Get}}], backendRefs: [{name: web-v2, port: 80}]"
    mesh.put(route(f"[{{{fuzzy}}}]"))
    service = mesh.catalog.service(ServiceId("shop", "web"))
    assert service is not None
    assert service.ports[0].routing.producer == ()


@pytest.mark.parametrize(
    ("ref", "reason", "message"),
    [
        ("name: nope, port: 80", "BackendNotFound", "Service shop/nope does not exist"),
        ("name: web-v2, port: 90", "BackendNotFound", "Service shop/web-v2 has no port 90"),
        ("name: web-v2", "BackendNotFound", "the backend shop/web-v2 has no port"),
        ("name: web, port: 53", "UnsupportedProtocol", "port 53 of Service shop/web is not TCP"),
        ("group: a.b, kind: Pool, name: p, port: 80", "InvalidKind", "Pool of a.b p is not a Service"),
        (
            "name: inner, namespace: pay, port: 80",
            "RefNotPermitted",
            "Service pay/inner is not exported to shop",
        ),
        ("name: secret, namespace: pay, port: 80", "RefNotPermitted", "Service pay/secret is private"),
        ("name: web-v2, port: 80, filters: [{type: X}]", "UnsupportedValue", "filter X of a backend"),
    ],
)
def test_an_unresolved_reference_is_named(ref: str, reason: str, message: str) -> None:
    """The rest of the route is in use; without any backend left nothing of it is."""
    mesh = EvaluatedMesh(SERVICES)
    for name, stated in (("inner", "export-to: ''"), ("secret", "private: 'true'")):
        mesh.put(
            f"kind: Service\nmetadata: {{name: {name}, namespace: pay, annotations: {{steerway.io/{stated}}}}}\n"
            "spec: {ports: [{port: 80}]}\n"
        )
    mesh.put(route(f"[{{name: one, backendRefs: [{{{ref}}}]}}]"))
    conditions = mesh.conditions("GRPCRoute", "a")
    resolved = conditions["ResolvedRefs"]
    assert resolved[1:3] == (False, reason)
    assert resolved.message.startswith("rule one: ")
    assert message in resolved.message
    assert resolved.hint
    assert conditions["Accepted"].status
    assert conditions["Programmed"][1:3] == (False, "Invalid")
    mesh.put(route(f"[{{backendRefs: [{{{ref}}}, {{name: web-v2, port: 80}}]}}]"))
    conditions = mesh.conditions("GRPCRoute", "a")
    assert not conditions["ResolvedRefs"].status
    assert conditions["Programmed"].status


def test_a_backend_of_another_cluster_is_one() -> None:
    """Parents are of the own cluster."""
    service_id = ServiceId("shop", "far")
    mesh = EvaluatedMesh(SERVICES, lambda id: Service(service_id, (Port(80),)) if id == service_id else None)
    mesh.put(route("[{backendRefs: [{name: far, port: 80}]}]"))
    assert mesh.conditions("GRPCRoute", "a")["ResolvedRefs"].status
    mesh.put(route(parent="{group: '', kind: Service, name: far}"))
    assert mesh.conditions("GRPCRoute", "a")["Accepted"].reason == "NoMatchingParent"


def test_what_clients_of_some_kind_do_not_do_is_in_the_status_and_no_problem() -> None:
    """Each by its rule, with the clients; at most eight, since an API server bounds the message."""
    mesh = EvaluatedMesh(SERVICES)
    backend = "backendRefs: [{name: web-v2, port: 80, filters: [{type: RequestMirror}]}]"
    mesh.put(
        route(
            f"[{{filters: [{{type: ResponseHeaderModifier, responseHeaderModifier: {{remove: [x]}}}}], {backend}}},"
            " {name: get, matches: [{method: GET}]}, {sessionPersistence: {type: Header},"
            " retry: {codes: [501, 503], attempts: 9}}, {filters: [{type: RequestRedirect,"
            " requestRedirect: {port: 1}}], timeouts: {backendRequest: 1s}}]",
            kind="HTTPRoute",
        )
    )
    limited = mesh.conditions("HTTPRoute", "a")[LIMITED]
    assert (limited.status, limited.reason) == (True, "NotForAllClients")
    named = " not supported by gRPC clients: "
    assert [part.split(named)[0] for part in limited.message.split("; ")] == [
        "rule get: matches by HTTP method or query parameter are",
        "rule 0: changes of headers are",
        "rule 0: RequestMirror of a backend is supported by no client: requests are sent without it",
        "rule 2: sessions by header (sessionPersistence) are",
        "rule 2: retries by HTTP status 501 are",
        "rule 2: retries after the fourth (retry.attempts) are",
        "rule 3: redirects are",
        "rule 3: timeouts of single attempts (timeouts.backendRequest) are",
    ]
    assert mesh.target_statuses.problems() == []


def test_a_policy_is_accepted_for_what_is_there() -> None:
    """A Service, one of its ports, a route, one of its rules."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route("[{name: one, backendRefs: [{name: web-v2, port: 80}]}]"))
    targets = (
        "{group: '', kind: Service, name: web}, {group: '', kind: Service, name: web, sectionName: admin}"
    )
    mesh.put(policy(target=targets))
    fault = "fault: {abort: {code: Aborted}}"
    mesh.put(policy(fault, "q", f"{ON_ROUTE}, {ON_ROUTE[:-1]}, sectionName: one}}"))
    for name in "pq":
        target_statuses = mesh.object_status("TrafficPolicy", name).target_statuses
        assert [target_status.ref.namespace for target_status in target_statuses] == ["shop", "shop"]
        assert [
            [condition[:3] for condition in target_status.conditions] for target_status in target_statuses
        ] == [[ACCEPTED, PROGRAMMED]] * 2


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{group: '', kind: Service, name: nope}", "Service shop/nope does not exist"),
        (
            "{group: '', kind: Service, name: web, sectionName: x}",
            "Service shop/web has no port named x",
        ),
        (f"{{group: {GATEWAY}, kind: HTTPRoute, name: a}}", "HTTPRoute shop/a does not exist"),
        (f"{ON_ROUTE[:-1]}, sectionName: x}}", "GRPCRoute shop/a has no rule named x"),
    ],
)
def test_a_target_that_is_not_there_is_named(target: str, message: str) -> None:
    """As TargetNotFound."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route())
    mesh.put(policy("timeout: {request: 1s}", target=target))
    conditions = mesh.conditions("TrafficPolicy", "p")
    assert conditions["Accepted"][1:4] == (False, "TargetNotFound", message)
    assert conditions["Programmed"][1:3] == (False, "Invalid")


def test_of_two_policies_with_the_same_section_the_older_one_is_used() -> None:
    """The status of the newer one names the older one and the sections; it is used when that is deleted."""
    mesh = EvaluatedMesh(SERVICES)
    old = policy("limits: {maxRequests: 5}, subset: {min: 2}", "old", created="2026-01-01T00:00:00Z")
    mesh.put(old)
    mesh.put(policy("limits: {maxRequests: 6}", "new", created="2026-02-01T00:00:00Z"))
    lost = mesh.conditions("TrafficPolicy", "new")["Accepted"]
    assert lost[1:3] == (False, "Conflicted")
    assert "TrafficPolicy shop/old is older and has limits, too" in lost.message
    assert mesh.conditions("TrafficPolicy", "old")["Accepted"].status
    assert mesh.remove("TrafficPolicy", "old") == {"TrafficPolicy shop/new"}
    assert mesh.conditions("TrafficPolicy", "new")["Accepted"].status
    assert "TrafficPolicy shop/new" in mesh.put(old)


def test_rival_policies_on_a_route_that_came_later_are_evaluated_together() -> None:
    """They refer to no Service of their own."""
    mesh = EvaluatedMesh(SERVICES)
    for name in ("old", "young"):
        mesh.put(policy("timeout: {request: 1s}", name, ON_ROUTE))
    mesh.put(route())
    assert mesh.conditions("TrafficPolicy", "young")["Accepted"].reason == "Conflicted"
    assert mesh.remove("TrafficPolicy", "old") == {"TrafficPolicy shop/young"}
    assert mesh.conditions("TrafficPolicy", "young")["Accepted"].status


def test_a_policy_on_a_route_follows_what_becomes_of_the_route() -> None:
    """It is in use only as far as the route is."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(policy("timeout: {request: 1s}", "p", ON_ROUTE))
    mesh.put(route("[{backendRefs: [{name: new, port: 80}]}]"))
    assert mesh.conditions("TrafficPolicy", "p")["Programmed"][1:3] == (False, "Invalid")
    mesh.put("kind: Service\nmetadata: {name: new}\nspec: {ports: [{port: 80}]}\n")
    assert mesh.conditions("TrafficPolicy", "p")["Programmed"].status


def test_the_status_of_a_policy_lists_limitations_of_clients() -> None:
    """Section by section."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(policy("healthCheck: {}, balancing: {policy: Random, slowStart: {window: 5s}}"))
    named = " not supported by gRPC clients: "
    message = mesh.conditions("TrafficPolicy", "p")[LIMITED].message
    assert [part.split(named)[0] for part in message.split("; ")] == [
        "random balancing is",
        "slow start is",
        "checks of health by the client are",
    ]
    mesh.put(policy("balancing: {policy: LeastRequest}"))
    assert mesh.conditions("TrafficPolicy", "p")[LIMITED].message == (
        "least_request (gRFC A48) is not supported by C-core (C++, Python, Ruby), grpc-js:"
        " it falls back to round_robin"
    )


def test_a_status_follows_the_objects_that_it_depends_on() -> None:
    """A backend that is created, a port that is removed, an annotation of a Service or its Namespace, a grant."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route("[{backendRefs: [{name: db, namespace: pay, port: 80}]}]"))
    seen = []

    def look() -> None:
        seen.append(mesh.conditions("GRPCRoute", "a")["ResolvedRefs"].reason)

    def backend(port: int = 80, annotations: str = "{}") -> str:
        meta = f"{{name: db, namespace: pay, annotations: {annotations}}}"
        return f"kind: Service\nmetadata: {meta}\nspec: {{ports: [{{port: {port}}}]}}\n"

    mesh.put(backend())
    look()
    mesh.put(backend(81))
    look()
    mesh.put(backend(annotations="{steerway.io/export-to: web}"))
    look()
    origin = f"{{group: {GATEWAY}, kind: GRPCRoute, namespace: shop}}"
    grant = f"{{from: [{origin}], to: [{{group: '', kind: Service}}]}}"
    mesh.put(f"kind: ReferenceGrant\nmetadata: {{name: g, namespace: pay}}\nspec: {grant}\n")
    look()
    mesh.remove("ReferenceGrant", "g", "pay")
    look()
    mesh.put(backend())
    mesh.put("kind: Namespace\nmetadata: {name: pay, annotations: {steerway.io/export-to: web}}\n")
    look()
    mesh.put("kind: Namespace\nmetadata: {name: pay}\n")
    look()
    mesh.remove("Service", "db", "pay")
    look()
    no, permitted, message = "BackendNotFound", "RefNotPermitted", "ResolvedRefs"
    assert seen == [message, no, permitted, message, permitted, permitted, message, no]


def test_what_stays_as_it_is_stays_the_same_object() -> None:
    """The writer compares them often; a deleted object has none."""
    mesh = EvaluatedMesh(SERVICES)
    mesh.put(route())
    before = mesh.object_status("GRPCRoute", "a")
    assert mesh.put(SERVICES) == set()
    assert mesh.object_status("GRPCRoute", "a") is before
    mesh.put(route(parent="{group: '', kind: Service, name: nope}"))
    mesh.remove("GRPCRoute", "a")
    assert (dict(mesh.target_statuses.object_statuses), mesh.target_statuses.problems()) == ({}, [])


def test_many_objects_are_evaluated_in_small_batches() -> None:
    """And each new problem is reported once."""
    mesh = EvaluatedMesh(SERVICES)
    keys = []
    for number in range(5):
        evaluated_mesh = EvaluatedMesh(
            route(meta=f"name: r{number}", parent="{group: '', kind: Service, name: nope}")
        )
        keys.append(evaluated_mesh.object_status("GRPCRoute", f"r{number}").key)
        mesh.facts.update(evaluated_mesh.facts)
    mesh.catalog.update(mesh.facts.get, keys)
    received: list[int] = []
    while not received or mesh.target_statuses.unfinished:
        received.append(len(mesh.target_statuses.evaluate(2)))
    assert received == [2, 2, 1]
    assert mesh.target_statuses.evaluate(2) == []
