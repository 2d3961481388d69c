"""The CustomResourceDefinition on a real API server: it is taken, and refuses what `steerway check` refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from steerway.sources.files import load
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.sources.policy.validation_error import json_path
from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Steer
from tests.cluster.permission.test_cluster_role import CUSTOM_KINDS
from tests.support.example.policy_example import BROKEN, FULL, MISTYPED, Broken, Mistyped, policy

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("kinds")]

NAME = "trafficpolicies.steerway.io"
Refusals = Callable[[dict[str, Any]], tuple[str, str]]


@pytest.fixture
def refusals(namespace: Namespace, tmp_path: Path) -> Refusals:
    """Why the API server, and steerway, refuse a policy with this spec."""

    def ask(spec: dict[str, Any]) -> tuple[str, str]:
        manifest = policy(spec, namespace=namespace.name)
        (tmp_path / "policy.json").write_text(json.dumps(manifest))
        problems = [str(problem) for problem in load([tmp_path / "policy.json"], "default").problems]
        return namespace.api.refusal(manifest), "".join(problems)

    return ask


def _definition(cluster: Cluster) -> Manifest:
    return cluster.api.get("CustomResourceDefinition", "", NAME)


def _condition(cluster: Cluster, kind: str) -> str:
    conditions = _definition(cluster).get("status", {}).get("conditions") or []
    return next((condition["status"] for condition in conditions if condition["type"] == kind), "")


def test_the_definition_is_structural_and_takes_a_policy(cluster: Cluster, namespace: Namespace) -> None:
    """Every section of it; what is left out has the defaults of the types."""
    assert _condition(cluster, "NonStructuralSchema") == ""
    namespace.api.apply(policy(FULL, namespace=namespace.name))
    traffic_policy = namespace.api.get("TrafficPolicy", namespace.name, "example")
    assert traffic_policy["metadata"]["generation"] == 1
    assert traffic_policy["spec"]["outlierDetection"]["interval"] == "10s"
    wanted = msgspec.convert(policy(FULL), TrafficPolicy)
    assert msgspec.convert(traffic_policy, TrafficPolicy).spec == wanted.spec


def test_steerway_lists_what_the_api_server_keeps(namespace: Namespace, steer: Steer) -> None:
    """Without a problem, once the storage of custom resources is initialized (429 for a moment after a start)."""
    namespace.api.apply(policy({}, namespace=namespace.name))
    plane = steer("--namespace", namespace.name)
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")
    informers = {informer["kind"]: informer["synced"] for informer in plane.get("/readyz")["informers"]}
    assert informers == dict.fromkeys({"EndpointSlice", "Pod", "Service", *CUSTOM_KINDS}, True)
    listed = [line for line in plane.process.errors if "listed" in line and "TrafficPolicy" in line]
    assert len(listed) == 1
    assert "objects=1" in listed[0] or '"objects": 1' in listed[0]
    until(
        lambda: not [problem for problem in plane.problems() if problem["where"].startswith("kubernetes ")],
        lambda: f"no problem of the API server: {plane.problems()}",
    )


def test_a_good_example_of_every_rule_is_taken(refusals: Refusals) -> None:
    """By both."""
    for example in BROKEN:
        assert refusals(dict(example.good)) == ("", ""), example.message


@pytest.mark.parametrize("example", BROKEN, ids=lambda example: example.message[:40])
def test_a_broken_rule_is_refused_by_both(example: Broken, refusals: Refusals) -> None:
    """In the same words, CEL and Python."""
    server, own = refusals(dict(example.bad))
    assert example.message in server
    assert example.message in own


@pytest.mark.parametrize("example", MISTYPED, ids=lambda example: example.name)
def test_a_wrong_value_is_refused_by_both(example: Mistyped, refusals: Refusals) -> None:
    """At the same place."""
    server, own = refusals(dict(example.spec))
    path = json_path(("spec", *example.path)).removeprefix("$.")
    assert path in server
    assert example.reason in own
