"""Installations with different scopes in one cluster: the status of each, what it builds, and which filters match."""

import pytest

from steerway.catalog.catalog import Catalog
from steerway.catalog.federation import Federation, Member
from steerway.catalog.model.mesh import ServiceId
from steerway.catalog.service.scope import Selection
from steerway.sources.objects.core import ObjectKey
from steerway.status.condition import TargetStatus
from tests.support.model.attached import EvaluatedMesh

OBJECTS = """
kind: Namespace
metadata: {name: shop, labels: {stage: prod}}
---
kind: Service
metadata: {name: web, labels: {team: a}}
spec: {ports: [{port: 80}]}
---
kind: Service
metadata: {name: pay, labels: {team: b}}
spec: {ports: [{port: 81}]}
---
kind: Service
metadata: {name: spare}
spec: {ports: [{port: 80}]}
---
kind: GRPCRoute
metadata: {name: both}
spec:
  parentRefs: [{group: '', kind: Service, name: web, port: 80}, {group: '', kind: Service, name: pay, port: 80}]
  rules: [{backendRefs: [{name: spare, port: 80}, {name: spare, port: 81}]}]
---
kind: GRPCRoute
metadata: {name: missing}
spec: {parentRefs: [{group: '', kind: Service, name: gone}], rules: [{backendRefs: [{name: web, port: 80}]}]}
---
kind: TrafficPolicy
metadata: {name: on-services}
spec:
  targetRefs: [{group: '', kind: Service, name: web}, {group: '', kind: Service, name: pay, sectionName: x}]
  limits: {maxRequests: 5}
---
kind: TrafficPolicy
metadata: {name: on-route}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: GRPCRoute, name: both}]
  timeout: {request: 1s}
"""
WEB, PAY, SPARE = (ServiceId("shop", name) for name in ("web", "pay", "spare"))
ATTACHED = [
    ("GRPCRoute", "both"),
    ("GRPCRoute", "missing"),
    ("TrafficPolicy", "on-services"),
    ("TrafficPolicy", "on-route"),
]


def target_statuses(mesh: EvaluatedMesh) -> dict[tuple[str, str], list[TargetStatus]]:
    """The contents of a status, by the object and its reference."""
    return {
        (name, str(target_status.ref)): [target_status]
        for kind, name in ATTACHED
        for target_status in mesh.object_status(kind, name).target_statuses
    }


@pytest.mark.parametrize(
    ("selection", "services"),
    [
        (Selection(frozenset({"web"})), {"web"}),
        (Selection(frozenset({"shop/pay"})), {"pay"}),
        (Selection(services="team=a"), {"web"}),
        (Selection(services="team=b"), {"pay"}),
        (Selection(namespaces="stage=test"), set()),
        (Selection(namespaces="stage=prod"), {"web", "pay", "gone"}),
        (Selection(services="!team"), {"gone"}),
    ],
)
def test_installations_with_different_scopes_evaluate_alike(selection: Selection, services: set[str]) -> None:
    """Each has the part of an installation without filters that is about parents and targets in its scope."""
    whole, part = (
        target_statuses(EvaluatedMesh(OBJECTS)),
        target_statuses(EvaluatedMesh(OBJECTS, selection=selection)),
    )
    on_route = [item for item in whole if item[0] == "on-route"]
    expected = {
        key: value
        for key, value in whole.items()
        if value[0].ref.name in services or (key in on_route and services & {"web", "pay"})
    }
    assert part == expected
    assert len(whole) == 6


@pytest.mark.parametrize("fact", ["Service", "Namespace"])
def test_a_parent_that_its_owner_leaves_out_has_no_status(fact: str) -> None:
    """By the annotation of the Service or its Namespace; it is no backend either."""
    mesh = EvaluatedMesh(OBJECTS)
    off = "annotations: {steerway.io/enabled: 'false'}"
    name = "web" if fact == "Service" else "shop"
    mesh.put(f"kind: {fact}\nmetadata: {{name: {name}, {off}}}\nspec: {{ports: [{{port: 80}}]}}\n")
    left = {
        target_status.ref.name for target_status in mesh.object_status("GRPCRoute", "both").target_statuses
    }
    assert left == ({"pay"} if fact == "Service" else set())
    mesh.put(f"kind: Service\nmetadata: {{name: spare, {off}}}\nspec: {{ports: [{{port: 80}}]}}\n")
    assert mesh.catalog.service(SPARE) is None
    if fact == "Service":
        conditions = mesh.object_status("GRPCRoute", "both").target_statuses[0].conditions
        (resolved,) = [condition for condition in conditions if condition.type == "ResolvedRefs"]
        assert "shop/spare is left out by the annotation steerway.io/enabled" in resolved.message


def test_a_service_outside_the_scope_is_there_while_a_route_names_it() -> None:
    """And no target of clients. The scope and the routes may change; each change is reported."""
    mesh = EvaluatedMesh(OBJECTS, selection=Selection(services="team=a"))

    def outside(id: ServiceId) -> str | None:
        service = mesh.catalog.service(id)
        return None if service is None else service.outside

    assert (outside(WEB), outside(SPARE), outside(PAY)) == (
        "",
        "has no labels that match the setting service_selector",
        "has no labels that match the setting service_selector",
    )
    assert [item.id for item in mesh.catalog] == [WEB]
    mesh.put("kind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n")
    assert (outside(WEB), outside(SPARE), len(mesh.catalog)) == (None, None, 0)
    assert mesh.object_status("GRPCRoute", "both").target_statuses == ()
    mesh.put("kind: Service\nmetadata: {name: web, labels: {team: a}}\nspec: {ports: [{port: 80}]}\n")
    assert outside(SPARE)
    mesh.remove("GRPCRoute", "both")
    assert (outside(WEB), outside(SPARE), outside(PAY)) == ("", None, None)
    assert mesh.catalog.problems() == []


def test_the_labels_of_a_namespace_decide_about_missing_services_too() -> None:
    """They are evaluated again when it changes."""
    mesh = EvaluatedMesh(OBJECTS, selection=Selection(namespaces="stage=prod"))
    assert len(mesh.object_status("GRPCRoute", "missing").target_statuses) == 1
    mesh.put("kind: Namespace\nmetadata: {name: shop}\n")
    assert mesh.object_status("GRPCRoute", "missing").target_statuses == ()


def test_a_namespace_that_is_not_followed_is_outside_the_scope() -> None:
    """As far as its Services are not known otherwise."""
    mesh = EvaluatedMesh(OBJECTS, selection=Selection(followed=lambda: frozenset({"other"})))
    assert len(mesh.object_status("GRPCRoute", "both").target_statuses) == 2
    object_status = mesh.object_status("GRPCRoute", "missing")
    assert object_status.target_statuses == ()
    assert "kubernetes.namespaces" in object_status.ignored[0].message


def test_a_filter_that_matches_nothing_is_a_problem() -> None:
    """Of each setting and each name; not before anything is known."""
    only = frozenset({"web", "shop/pay", "other/web", "nope"})
    selection = Selection(only, "team=c", "stage")
    assert Federation(Catalog(selection), (), "local_first").problems() == []
    mesh = EvaluatedMesh(OBJECTS, selection=selection)
    federation = Federation(mesh.catalog, (), "local_first")
    assert [(problem.where, problem.reason) for problem in federation.problems()] == [
        ("setting upstream_services", "nope matches no Service"),
        ("setting upstream_services", "other/web matches no Service"),
        ("setting service_selector", "team=c matches the labels of no Service"),
    ]
    assert all(problem.hint for problem in federation.problems())
    mesh.put("kind: Service\nmetadata: {name: nope, labels: {team: c}}\nspec: {ports: [{port: 80}]}\n")
    assert [problem.reason for problem in federation.problems()] == ["other/web matches no Service"]
    mesh.remove("Service", "nope")
    assert len(federation.problems()) == 3


def test_what_leaves_a_service_out_is_named() -> None:
    """One that does not exist is left out by nothing."""
    mesh = EvaluatedMesh(OBJECTS, selection=Selection(frozenset({"web"})))
    assert mesh.catalog.left_out(PAY) == "is not listed in the setting upstream_services"
    assert (mesh.catalog.left_out(WEB), mesh.catalog.left_out(ServiceId("shop", "x"))) == ("", "")


@pytest.mark.parametrize(
    ("parent", "message", "mistake"),
    [
        ("{name: ingress}", "Gateway ingress is for other controllers", False),
        ("{kind: Service, name: web}", "names Service web of group gateway.networking.k8s.io", True),
        (
            "{group: multicluster.x-k8s.io, kind: ServiceImport, name: web}",
            "names ServiceImport of multicluster.x-k8s.io web, which is not a Service",
            True,
        ),
    ],
)
def test_a_parent_that_is_no_service_is_reported(parent: str, message: str, mistake: bool) -> None:
    """As a problem where it can be no other controller's; nothing is written to its status."""
    mesh = EvaluatedMesh(OBJECTS)
    mesh.put(
        f"kind: GRPCRoute\nmetadata: {{name: a}}\nspec: {{parentRefs: [{parent}],"
        " rules: [{backendRefs: [{name: web, port: 80}]}]}\n"
    )
    object_status = mesh.object_status("GRPCRoute", "a")
    assert object_status.target_statuses == ()
    assert message in object_status.ignored[0].message
    assert [problem.where for problem in mesh.target_statuses.problems()].count("GRPCRoute shop/a") == mistake


def test_the_core_group_may_be_spelled_out() -> None:
    """In parents, backends and grants; the status repeats the reference as it is."""
    mesh = EvaluatedMesh(OBJECTS)
    mesh.put(
        "kind: GRPCRoute\nmetadata: {name: a}\nspec: {parentRefs: [{group: core, kind: Service, name: web}],"
        " rules: [{backendRefs: [{group: core, name: db, namespace: pay, port: 80}]}]}\n"
    )
    mesh.put(
        "kind: Service\nmetadata: {name: db, namespace: pay, annotations: {steerway.io/export-to: ''}}\n"
        "spec: {ports: [{port: 80}]}\n"
    )
    origin = "{group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: shop}"
    to = "{group: core, kind: Service}"
    grant = f"kind: ReferenceGrant\nmetadata: {{name: g, namespace: pay}}\nspec: {{from: [{origin}], to: [{to}]}}\n"
    assert not mesh.conditions("GRPCRoute", "a")["ResolvedRefs"].status
    mesh.put(grant)
    target_status = mesh.target_status("GRPCRoute", "a")
    assert target_status.ref.group == "core"
    assert all(condition.status for condition in target_status.conditions)


def test_a_route_names_services_of_other_clusters_too() -> None:
    """One that is outside the scope there is used while a local route names it; what is in the scope in one cluster
    stays as it is when another has it outside."""
    selection = Selection(services="team=a")
    mesh = EvaluatedMesh(OBJECTS, selection=selection)
    mesh.remove("Service", "spare")
    facts = EvaluatedMesh("kind: Service\nmetadata: {name: spare}\nspec: {ports: [{port: 80}]}\n").facts
    facts |= EvaluatedMesh("kind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 99}]}\n").facts
    remote = Catalog(selection, named_elsewhere=True)
    remote.update(facts.get, facts)
    federation = Federation(
        mesh.catalog,
        [Member("east", remote, in_use=True)],
        "local_first",
        is_named=lambda id: mesh.catalog.is_named(mesh.facts.get, id),
    )
    service = federation.service(SPARE)
    assert service is not None
    assert "service_selector" in service.outside
    web = federation.service(WEB)
    assert web is not None
    assert [port.number for port in web.ports] == [80]
    assert [item.id for item in federation] == [WEB]
    assert remote.built == {SPARE, WEB}
    route = ObjectKey("GRPCRoute", "shop", "both")
    del mesh.facts[route]
    federation.changed(mesh.catalog.update(mesh.facts.get, [route]))
    assert federation.service(SPARE) is None
    assert "service_selector" in federation.left_out(SPARE)
