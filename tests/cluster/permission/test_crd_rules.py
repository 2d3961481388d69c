"""The CustomResourceDefinitions on a real API server: they are taken, and refuse what `steerway check` refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from steerway.sources.files import load
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.sources.policy.validation_error import json_path
from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Steer
from tests.cluster.permission.test_cluster_role import CUSTOM_KINDS
from tests.support.example import authorization_policy_example, policy_example, server_policy_example
from tests.support.example.policy_example import Broken, Mistyped, policy

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("kinds")]

Refusals = Callable[[str, dict[str, Any]], tuple[str, str]]


class Kind(NamedTuple):
    """A kind of ours, and its examples."""

    type: Any
    plural: str
    examples: Any

    @property
    def name(self) -> str:
        """As in manifests."""
        return str(self.type.__name__)


KINDS = (
    Kind(TrafficPolicy, "trafficpolicies", policy_example),
    Kind(ServerPolicy, "serverpolicies", server_policy_example),
    Kind(AuthorizationPolicy, "authorizationpolicies", authorization_policy_example),
)
BROKEN = [(kind.name, example) for kind in KINDS for example in kind.examples.BROKEN]
MISTYPED = [(kind.name, example) for kind in KINDS for example in kind.examples.MISTYPED]


@pytest.fixture
def refusals(namespace: Namespace, tmp_path: Path) -> Refusals:
    """Why the API server, and steerway, refuse a policy of this kind with this spec."""

    def ask(kind: str, spec: dict[str, Any]) -> tuple[str, str]:
        manifest = policy(spec, namespace=namespace.name, kind=kind)
        (tmp_path / "policy.json").write_text(json.dumps(manifest))
        problems = [str(problem) for problem in load([tmp_path / "policy.json"], "default").problems]
        return namespace.api.refusal(manifest), "".join(problems)

    return ask


def _definition(cluster: Cluster, plural: str) -> Manifest:
    return cluster.api.get("CustomResourceDefinition", "", f"{plural}.steerway.io")


def _condition(cluster: Cluster, plural: str, kind: str) -> str:
    conditions = _definition(cluster, plural).get("status", {}).get("conditions") or []
    return next((condition["status"] for condition in conditions if condition["type"] == kind), "")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_definition_is_structural_and_takes_a_policy(
    kind: Kind, cluster: Cluster, namespace: Namespace
) -> None:
    """Every section of it; what is left out has the defaults of the types."""
    assert _condition(cluster, kind.plural, "NonStructuralSchema") == ""
    namespace.api.apply(policy(kind.examples.FULL, namespace=namespace.name, kind=kind.name))
    taken = namespace.api.get(kind.name, namespace.name, "example")
    assert taken["metadata"]["generation"] == 1
    wanted = msgspec.convert(policy(kind.examples.FULL, kind=kind.name), kind.type)
    assert msgspec.convert(taken, kind.type).spec == wanted.spec


def test_defaults_are_written_into_the_object(namespace: Namespace) -> None:
    """By the API server."""
    namespace.api.apply(policy(policy_example.FULL, namespace=namespace.name))
    taken = namespace.api.get("TrafficPolicy", namespace.name, "example")
    assert taken["spec"]["outlierDetection"]["interval"] == "10s"
    namespace.api.apply(policy({}, namespace=namespace.name, kind="AuthorizationPolicy"))
    taken = namespace.api.get("AuthorizationPolicy", namespace.name, "example")
    assert (taken["spec"]["action"], taken["spec"]["mode"]) == ("Allow", "Enforce")


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
    for kind, example in BROKEN:
        assert refusals(kind, dict(example.good)) == ("", ""), example.message


@pytest.mark.parametrize(("kind", "example"), BROKEN, ids=lambda part: getattr(part, "message", part)[:40])
def test_a_broken_rule_is_refused_by_both(kind: str, example: Broken, refusals: Refusals) -> None:
    """In the same words, CEL and Python."""
    server, own = refusals(kind, dict(example.bad))
    assert example.message in server
    assert example.message in own


@pytest.mark.parametrize(("kind", "example"), MISTYPED, ids=lambda part: getattr(part, "name", part))
def test_a_wrong_value_is_refused_by_both(kind: str, example: Mistyped, refusals: Refusals) -> None:
    """At the same place."""
    server, own = refusals(kind, dict(example.spec))
    path = json_path(("spec", *example.path)).removeprefix("$.")
    assert path in server
    assert example.reason in own
