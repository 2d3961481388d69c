"""`--pre`: a cluster that is ready for an installation passes, and each obstacle has its fix."""

import json
from collections.abc import Iterator

import pytest

from steerway.sources.policy import crd
from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Account, Namespace
from testbed.helm.tools import Tools
from testbed.process.deadline import until
from tests.cluster.check.checker import Checker
from tests.cluster.conftest import NEEDS_CLUSTER

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go"), pytest.mark.usefixtures("kinds")]

_RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
def checker(cluster: Cluster, namespace: Namespace) -> Checker:
    """As an administrator."""
    return Checker(cluster.commands.kubeconfig, namespace.name)


@pytest.fixture
def account(cluster: Cluster, namespace: Namespace) -> Iterator[Account]:
    """A user without permissions."""
    yield namespace.account()
    name = namespace.name
    for kind in ("ClusterRoleBinding", "ClusterRole"):
        if cluster.api.exists(kind, "", name):
            cluster.api.delete(kind, "", name)


def bind(namespace: Namespace, role: str) -> None:
    """Give a ClusterRole to the account of a namespace."""
    subject = {"kind": "ServiceAccount", "name": "steerway", "namespace": namespace.name}
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": namespace.name},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
    namespace.api.apply(binding)


def test_an_administrator_may_install(checker: Checker) -> None:
    names = ("api-server", "kubernetes-version", "built-in-kinds", "user-permissions", "names")
    assert [name for name in names if not checker.is_ok(name, before=True)] == []
    assert checker.is_ok("pod-admission", before=True)


def test_a_user_without_permissions(account: Account, namespace: Namespace) -> None:
    """The fix names each; those of an administrator are enough."""
    checker = Checker(account.kubeconfig(), namespace.name)
    failures = checker.failures("user-permissions", before=True)
    texts = [result.text for result in failures]
    assert f"your user may not create deployments.apps in namespace {namespace.name}: the replicas" in texts
    (cluster_wide,) = (result for result in failures if "clusterroles." in result.text)
    assert "values-namespaced.yaml" in cluster_wide.hint
    bind(namespace, "cluster-admin")
    assert checker.is_ok("user-permissions", before=True)


def test_a_user_without_escalate(account: Account, namespace: Namespace) -> None:
    """The user may create roles, but not with permissions that the user does not have."""
    checker = Checker(account.kubeconfig(), namespace.name)
    create = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["create"]}
    role = {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": namespace.name}}
    namespace.api.apply({**role, "rules": [create]})
    bind(namespace, namespace.name)
    (failure,) = checker.failures("user-permissions", before=True)
    assert "may not give steerway permissions that it does not have: list, watch services" in failure.text
    escalate = {"apiGroups": [_RBAC], "resources": ["clusterroles"], "verbs": ["escalate"]}
    namespace.api.apply({**role, "rules": [create, escalate]})
    assert checker.is_ok("user-permissions", before=True)


def test_an_object_of_the_same_name(checker: Checker, namespace: Namespace) -> None:
    name = f"{namespace.name}:steerway"
    role = {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": []}
    namespace.api.apply(role)
    (failure,) = checker.failures("names", before=True)
    assert failure.text == f"objects of these names exist already: clusterroles {name}"
    namespace.api.delete("ClusterRole", "", name)
    assert checker.is_ok("names", before=True)


def test_the_definition_of_another_owner(checker: Checker, cluster: Cluster, namespace: Namespace) -> None:
    failures = checker.failures("definition-owner", before=True)
    assert len(failures) == len(crd.DEFINITIONS)
    assert all("crds.enabled=false" in failure.hint for failure in failures)
    owner = {"meta.helm.sh/release-name": "steerway", "meta.helm.sh/release-namespace": namespace.name}
    for definition in crd.DEFINITIONS:
        cluster.api.annotate("CustomResourceDefinition", "", definition.name, owner)
    assert checker.is_ok("definition-owner", before=True)
    for definition in crd.DEFINITIONS:
        cluster.api.annotate("CustomResourceDefinition", "", definition.name, dict.fromkeys(owner, ""))


def test_a_namespace_that_admits_no_pod(checker: Checker, tools: Tools, namespace: Namespace) -> None:
    """Found by the dry run. Admission has a cache."""
    limits = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}}
    spec = {"limits": [{"type": "Container", "max": {"memory": "64Mi"}}]}
    tools.run(
        "kubectl",
        "create",
        f"--namespace={namespace.name}",
        "--filename=-",
        stdin=json.dumps({**limits, "spec": spec}),
    )
    until(lambda: not checker.is_ok("pod-admission", before=True), "an obstacle")
    (failure,) = checker.failures("pod-admission", before=True)
    assert "maximum memory usage per Container is 64Mi" in failure.text
    tools.run("kubectl", "delete", "limitrange", "small", f"--namespace={namespace.name}")
    until(lambda: checker.is_ok("pod-admission", before=True), "no obstacle")
