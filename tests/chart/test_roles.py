"""Permissions follow the settings: each rule is there with the feature that needs it, and only then."""

from typing import Any

import pytest

from testbed.cluster.guide_account import role_of_the_guide
from tests.chart.conftest import NEEDS_HELM, Render

pytestmark = NEEDS_HELM

LEASES = {("Role", "coordination.k8s.io", "leases", verb) for verb in ("get", "update")}
OPEN: dict[str, Any] = {"authentication": {"pod_address": "off"}}


def test_the_guide_has_the_same_rules(render: Render) -> None:
    """With all features on. The guide has the Lease in the ClusterRole, and creates it; the chart contains it."""
    rules = {rule[1:] for rule in render().rules()}
    guide = {
        (group, resource, verb)
        for rule in role_of_the_guide()["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert len(guide) > 30
    assert guide - rules == {("coordination.k8s.io", "leases", "create")}
    assert rules <= guide


def test_the_lease_is_an_object_of_the_release(render: Render) -> None:
    """Its name is that of the settings, and the only one that the role allows."""
    for settings, where in [
        ({}, ("steerway", "steerway-system")),
        ({"kubernetes": {"lease_name": "writer", "lease_namespace": "ops"}}, ("writer", "ops")),
    ]:
        rendering = render(values={"settings": settings})
        (lease,) = (manifest["metadata"] for manifest in rendering if manifest["kind"] == "Lease")
        assert (lease["name"], lease["namespace"]) == where
        assert f"lease_name: {lease['name']}" in rendering.settings()
        role = rendering.of("Role", "steerway-lease")
        assert role["metadata"]["namespace"] == lease["namespace"]
        assert role["rules"][0]["resourceNames"] == [lease["name"]]
    assert (
        "Lease" not in render(values={"settings": {"kubernetes": {"events": False, "status": False}}}).kinds()
    )


@pytest.mark.parametrize(
    ("settings", "absent"),
    [
        ({**OPEN, "kubernetes": {"client_locality": "off"}}, {"pods", "nodes"}),
        ({"kubernetes": {"events": False}}, {"events"}),
        ({"kubernetes": {"status": False}}, {"grpcroutes/status", "trafficpolicies/status"}),
        (
            {"kubernetes": {"policies": False}},
            {"grpcroutes", "httproutes", "referencegrants", "trafficpolicies", "trafficpolicies/status"},
        ),
        ({"kubernetes": {"events": False, "status": False}}, {"leases"}),
        ({"kubernetes": {"events": False, "policies": False}}, {"leases"}),
    ],
    ids=str,
)
def test_a_feature_that_is_off_has_no_rules(
    settings: dict[str, Any], absent: set[str], render: Render
) -> None:
    every = {resource for *_, resource, _ in render().rules()}
    assert absent <= every
    rest = {resource for *_, resource, _ in render(values={"settings": settings}).rules()}
    assert absent & rest == set()
    assert {"services", "endpointslices"} <= rest


def test_namespaces_are_read_for_authentication_and_selectors(render: Render) -> None:
    rule = ("ClusterRole", "", "namespaces", "watch")
    assert rule in render().rules()
    assert rule not in render(values={"settings": OPEN}).rules()
    assert rule in render(values={"settings": {**OPEN, "namespace_selector": "team=shop"}}).rules()
    assert rule in render("tls", {"settings": OPEN}).rules()


def test_pods_are_read_for_their_addresses(render: Render) -> None:
    """Also where clients have no locality by them."""
    settings = {"kubernetes": {"client_locality": "off"}}
    assert ("ClusterRole", "", "pods", "watch") in render(values={"settings": settings}).rules()


def test_reviews_of_tokens_are_cluster_wide(render: Render) -> None:
    rule = ("ClusterRole", "authentication.k8s.io", "tokenreviews", "create")
    review = {"settings": {"authentication": {"service_account": "token_review"}}}
    assert [granted for granted in render("namespaced", review).rules() if granted[0] == "ClusterRole"] == [
        rule
    ]
    assert rule not in render(values={"settings": {"authentication": {"service_account": "jwks"}}}).rules()


def test_one_namespace_needs_nothing_outside_of_it(render: Render) -> None:
    rendering = render("namespaced")
    assert not {kind for kind in rendering.kinds() if kind.startswith("Cluster")}
    assert "CustomResourceDefinition" not in rendering.kinds()
    assert {manifest["metadata"]["namespace"] for manifest in rendering} == {"steerway-system"}
    resources = {resource for *_, resource, _ in rendering.rules()}
    assert resources & {"nodes", "namespaces"} == set()


def test_several_namespaces_have_a_role_each(render: Render) -> None:
    """The Lease's is in the namespace of the release."""
    rendering = render(values={"settings": {"kubernetes": {"namespaces": ["shop", "pay"]}}})
    for kind in ("Role", "RoleBinding"):
        metadata = [manifest["metadata"] for manifest in rendering if manifest["kind"] == kind]
        locations = {(item["namespace"], item["name"]) for item in metadata}
        assert locations == {("shop", "steerway"), ("pay", "steerway"), ("steerway-system", "steerway-lease")}
    assert rendering.rules() >= LEASES
    subjects = [
        subject for item in rendering if item["kind"] == "RoleBinding" for subject in item["subjects"]
    ]
    assert {subject["namespace"] for subject in subjects} == {"steerway-system"}


def test_users_of_a_namespace_have_their_role_for_policies(render: Render) -> None:
    """By aggregation, with permissions in the cluster."""
    roles = {
        label.rpartition("-to-")[2]: manifest["rules"][0]["verbs"]
        for manifest in render()
        for label in manifest["metadata"]["labels"]
        if label.startswith("rbac.authorization.k8s.io/aggregate-to-")
    }
    assert roles["view"] == ["get", "list", "watch"]
    assert roles["edit"] == roles["admin"] == ["create", "delete", "deletecollection", "patch", "update"]
    for without in (render(values={"rbac": {"userRoles": False}}), render("namespaced")):
        assert "aggregate-to" not in str(without)


def test_roles_can_be_left_to_others(render: Render) -> None:
    given = {"rbac": {"create": False}, "serviceAccount": {"create": False, "name": "mesh"}}
    rendering = render(values=given)
    assert not rendering.kinds() & {"ClusterRole", "Role", "RoleBinding", "ServiceAccount"}
    assert rendering.pod()["serviceAccountName"] == "mesh"
