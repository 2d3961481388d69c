"""A real API server takes the status of policies of servers, by an account with the permissions of the guide."""

import pytest

from testbed.cluster.guide_account import guide_account
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest, service
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Steer

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("kinds")]


def policy(namespace: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "steerway.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def test_owners_of_server_policies_see_what_became_of_them(namespace: Namespace, steer: Steer) -> None:
    """Of targets, and of a namespace; a Service that comes later changes them."""
    name, api = namespace.name, namespace.api
    target = {"group": "", "kind": "Service", "name": "web", "sectionName": "grpc"}
    api.apply(
        policy(name, "ServerPolicy", "all", {"tls": {"mode": "Strict"}}),
        policy(name, "AuthorizationPolicy", "web", {"targetRefs": [target], "mode": "Audit"}),
    )

    def conditions(kind: str, what: str) -> dict[str, str]:
        ancestors = api.get(kind, name, what).get("status", {}).get("ancestors", [])
        return {
            f"{ancestor['ancestorRef']['kind']} {condition['type']}": condition["reason"]
            for ancestor in ancestors
            for condition in ancestor["conditions"]
        }

    def wait_for(kind: str, what: str, **expected: str) -> None:
        wanted = {reason.replace("_", " "): value for reason, value in expected.items()}
        until(
            lambda: conditions(kind, what).items() >= wanted.items(),
            lambda: f"{wanted} of {kind} {what}: {conditions(kind, what)}",
        )

    with guide_account(namespace) as account:
        steer("--lease-namespace", name, kubeconfig=account.kubeconfig())
        wait_for("ServerPolicy", "all", Namespace_Accepted="Accepted", Namespace_Programmed="Programmed")
        wait_for("AuthorizationPolicy", "web", Service_Accepted="TargetNotFound")
        api.apply(service("web", {"grpc": 80}, namespace=name))
        wait_for("AuthorizationPolicy", "web", Service_Accepted="Accepted")
        assert conditions("AuthorizationPolicy", "web")["Service steerway.io/Limited"] == "NotForAllClients"
