"""The owners of pods, as each controller of Kubernetes writes them."""

import pytest

from steerway.catalog.locality.pod_owner import owner_of
from steerway.sources.objects.core import OwnerReference, Pod, PodMeta


def pod(*owners: OwnerReference, template_hash: str = "") -> Pod:
    labels = {"pod-template-hash": template_hash} if template_hash else None
    return Pod(PodMeta("web-x7k2p", "shop", owner_references=[*owners] or None, labels=labels))


@pytest.mark.parametrize(
    ("kind", "name", "template_hash", "owner"),
    [
        ("ReplicaSet", "web-api-6d4cf56db6", "6d4cf56db6", ("Deployment", "web-api")),
        ("ReplicaSet", "web", "", ("ReplicaSet", "web")),
        ("ReplicaSet", "web-1", "6d4cf56db6", ("ReplicaSet", "web-1")),
        ("StatefulSet", "db", "", ("StatefulSet", "db")),
        ("DaemonSet", "agent", "", ("DaemonSet", "agent")),
        ("Job", "report-28712345", "", ("Job", "report-28712345")),
        ("Rollout", "web", "", ("Rollout", "web")),
    ],
)
def test_the_controller_owns_a_pod(kind: str, name: str, template_hash: str, owner: tuple[str, str]) -> None:
    """A ReplicaSet is that of a Deployment by the hash of the template, which both have."""
    other = OwnerReference("Other", "no-controller")
    reference = OwnerReference(kind, name, controller=True)
    assert owner_of(pod(other, reference, template_hash=template_hash)) == owner


def test_a_pod_without_a_controller_is_its_own_workload() -> None:
    assert owner_of(pod()) == ("Pod", "web-x7k2p")
    assert owner_of(pod(OwnerReference("Node", "n1"))) == ("Pod", "web-x7k2p")
