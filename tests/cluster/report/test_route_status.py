"""A real API server takes the status of routes and policies as it is written, by an account that may do just that."""

from collections.abc import Iterator

import pytest

from testbed.cluster.guide_account import guide_account
from testbed.cluster.namespace import Account, Namespace
from testbed.manifest import Manifest, backend_tls_policy, service
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Steer

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("kinds")]

GATEWAY = "gateway.networking.k8s.io"
CONFIG_MAP = {"group": "", "kind": "ConfigMap", "name": "ca"}
OURS, THEIRS = "steerway.io/steerway", "example.com/gateway"
ADMITTED = {
    "parentRef": {"group": GATEWAY, "kind": "Gateway", "name": "ingress"},
    "controllerName": THEIRS,
    "conditions": [
        {
            "type": "Accepted",
            "status": "True",
            "reason": "Accepted",
            "message": "theirs",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}


@pytest.fixture
def account(namespace: Namespace) -> Iterator[Account]:
    """An account with the permissions of the guide, and no others."""
    with guide_account(namespace) as allowed:
        yield allowed


def route(namespace: str, backend: str, *parents: Manifest) -> Manifest:
    """A GRPCRoute for Service `web`; further `parents` stand first."""
    own = {"group": "", "kind": "Service", "name": "web", "port": 80}
    rules = [{"backendRefs": [{"name": backend, "port": 80}]}]
    return {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": "GRPCRoute",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"parentRefs": [*parents, own], "rules": rules},
    }


def policy(namespace: str, name: str, *targets: str) -> Manifest:
    refs = [{"group": "", "kind": "Service", "name": target} for target in targets]
    return {
        "apiVersion": "steerway.io/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"targetRefs": refs, "subset": {"min": 5}},
    }


def entries(namespace: Namespace, kind: str, name: str, controller: str = OURS) -> list[Manifest]:
    """The conditions that a controller reports for an object."""
    status = namespace.api.get(kind, namespace.name, name).get("status", {})
    ancestors = status.get("ancestors", status.get("parents", []))
    return [ancestor for ancestor in ancestors if ancestor["controllerName"] == controller]


def conditions_of(namespace: Namespace, kind: str, name: str) -> list[dict[str, str]]:
    """Of each reference: condition → reason, with the status before it."""
    return [
        {
            condition["type"]: f"{condition['status']} {condition['reason']}"
            for condition in entry["conditions"]
        }
        for entry in entries(namespace, kind, name)
    ]


def test_owners_of_routes_and_policies_see_what_became_of_them(
    account: Account, namespace: Namespace, steer: Steer
) -> None:
    """As their objects and what they refer to change; the entries of another controller stay."""
    name, api = namespace.name, namespace.api
    ingress = {"group": GATEWAY, "kind": "Gateway", "name": "ingress"}
    api.apply(service("web", {"grpc": 80}, namespace=name), route(name, "web-v2", ingress))
    api.write_status("GRPCRoute", name, "web", {"parents": [ADMITTED]})
    api.apply(policy(name, "a", "web"), policy(name, "b", "web", "nope"))
    plane = steer("--lease-namespace", name, kubeconfig=account.kubeconfig())
    good = {"Accepted": "True Accepted", "Programmed": "True Programmed"}

    def wait_for_conditions(kind: str, what: str, *expected: dict[str, str]) -> None:
        until(
            lambda: conditions_of(namespace, kind, what) == list(expected),
            lambda: (
                f"{kind} {what}: {conditions_of(namespace, kind, what)} instead of {expected}; {plane.problems()}"
            ),
        )

    missing = {
        "Accepted": "True Accepted",
        "Programmed": "False Invalid",
        "ResolvedRefs": "False BackendNotFound",
    }
    wait_for_conditions("GRPCRoute", "web", missing)
    wait_for_conditions("TrafficPolicy", "a", good)
    refused = {"Accepted": "False Conflicted", "Programmed": "False Invalid"}
    wait_for_conditions("TrafficPolicy", "b", refused, refused | {"Accepted": "False TargetNotFound"})
    (entry,) = entries(namespace, "GRPCRoute", "web")
    assert entry["parentRef"] == route(name, "web-v2")["spec"]["parentRefs"][0]
    api.apply(service("web-v2", {"grpc": 80}, namespace=name))
    wait_for_conditions("GRPCRoute", "web", good | {"ResolvedRefs": "True ResolvedRefs"})
    api.apply(route(name, "web", ingress))
    until(
        lambda: entries(namespace, "GRPCRoute", "web")[0]["conditions"][0]["observedGeneration"] == 2,
        "the next generation",
    )
    assert entries(namespace, "GRPCRoute", "web", THEIRS) == [ADMITTED]
    api.delete("TrafficPolicy", name, "a")
    wait_for_conditions("TrafficPolicy", "b", good, refused | {"Accepted": "False TargetNotFound"})
    assert not [line for line in plane.process.errors if "403 Forbidden" in line or "not_written" in line]


def test_owners_see_why_a_tls_policy_ends_connections(
    account: Account, namespace: Namespace, steer: Steer
) -> None:
    """On the policy, for each Service that it targets, and by an Event on the Service."""
    name, api = namespace.name, namespace.api
    api.apply(service("web", {"grpc": 80}, namespace=name))
    made = backend_tls_policy("tls", "web", "nope", caCertificateRefs=[CONFIG_MAP])
    made["metadata"]["namespace"] = name
    api.apply(made)
    plane = steer("--lease-namespace", name, kubeconfig=account.kubeconfig())
    refused = {"Accepted": "False NoValidCACertificate", "ResolvedRefs": "False InvalidCACertificateRef"}
    expected = [refused, refused | {"Accepted": "False TargetNotFound"}]
    until(
        lambda: conditions_of(namespace, "BackendTLSPolicy", "tls") == expected,
        lambda: (
            f"{conditions_of(namespace, 'BackendTLSPolicy', 'tls')} instead of {expected}; {plane.problems()}"
        ),
    )
    (first, _) = entries(namespace, "BackendTLSPolicy", "tls")
    assert first["ancestorRef"] == {"group": "", "kind": "Service", "name": "web", "namespace": name}
    until(
        lambda: any(
            "BackendTLSPolicy" in item["message"] and item["involvedObject"]["name"] == "web"
            for item in api.list("Event", name)
        ),
        "an Event on the Service",
    )
    assert not [line for line in plane.process.errors if "403 Forbidden" in line or "not_written" in line]


def test_the_next_holder_writes_nothing_that_is_there(
    account: Account, namespace: Namespace, steer: Steer
) -> None:
    """It reads every object once."""
    name, api = namespace.name, namespace.api
    api.apply(service("web", {"grpc": 80}, namespace=name), route(name, "web"), policy(name, "a", "web"))
    first = steer("--lease-namespace", name, kubeconfig=account.kubeconfig())
    until(lambda: first.metric("steerway_statuses_written_total", result="written") >= 2, "two statuses")
    before = [api.get(*item)["metadata"]["resourceVersion"] for item in _both(name)]
    second = steer("--lease-namespace", name, kubeconfig=account.kubeconfig())
    until(second.ready, "the second replica")
    first.stop()
    until(
        lambda: second.metric("steerway_statuses_written_total", result="unchanged") >= 2,
        "the second replica to look",
    )
    assert [api.get(*item)["metadata"]["resourceVersion"] for item in _both(name)] == before


def _both(namespace: str) -> tuple[tuple[str, str, str], ...]:
    return ("GRPCRoute", namespace, "web"), ("TrafficPolicy", namespace, "a")
