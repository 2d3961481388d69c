"""NetworkPolicies that leave ports out, and label selectors."""

from typing import Any

import pytest

from steerway.kubecheck.section import network
from tests.unit.kubecheck.api import context

POLICY = "/apis/networking.k8s.io/v1/namespaces/mesh/networkpolicies/{}"


def policy(name: str, **spec: Any) -> tuple[str, dict[str, Any]]:
    return POLICY.format(name), {"metadata": {"name": name}, "spec": {"podSelector": {}, **spec}}


async def closed(*policies: tuple[str, dict[str, Any]]) -> list[str]:
    made, _ = await context(*policies)
    return [
        f"{result.level.value} {result.text.rpartition(':')[0]}" for result in await network.policies(made)
    ]


BOTH = [{"ports": [{"port": "xds"}, {"port": 18001}]}]


@pytest.mark.parametrize(
    "rules",
    [BOTH, [{}], [{"ports": [{"port": 18000, "endPort": 18100}]}], [{"ports": [{"protocol": "TCP"}]}]],
)
async def test_rules_that_open_both_ports(rules: list[Any]) -> None:
    assert await closed(policy("a", policyTypes=["Ingress"], ingress=rules)) == [
        "ok NetworkPolicies leave the ports of steerway open"
    ]


async def test_policies_add_up() -> None:
    """A port is open if one of them opens it."""
    xds, admin = [{"ports": [{"port": 18000}]}], [{"ports": [{"port": "admin"}]}]
    assert (await closed(policy("a", ingress=xds), policy("b", ingress=admin)))[0].startswith("ok")


async def test_a_port_that_none_opens() -> None:
    rules = [{"ports": [{"port": 18000}, {"port": 18001, "protocol": "UDP"}]}]
    assert await closed(policy("deny", ingress=rules)) == [
        "error NetworkPolicies that select the pods do not open port admin (18001)"
    ]


async def test_no_egress() -> None:
    lines = await closed(policy("deny", policyTypes=["Egress"]))
    assert lines == [
        "error NetworkPolicies that select the pods allow no egress, not to the API server either"
    ]
    assert (await closed(policy("some", policyTypes=["Egress"], egress=[{}])))[0].startswith("ok")


async def test_policies_of_other_pods() -> None:
    other = policy("a", podSelector={"matchLabels": {"app": "web"}}, ingress=[])
    assert await closed(other) == ["skipped "]


@pytest.mark.parametrize(
    ("expression", "matched"),
    [
        ({"key": "app", "operator": "In", "values": ["a", "b"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["a"]}, False),
        ({"key": "zone", "operator": "NotIn", "values": ["a"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions_of_a_selector(expression: dict[str, Any], matched: bool) -> None:
    assert network.matches({"matchExpressions": [expression]}, {"app": "a"}) is matched
