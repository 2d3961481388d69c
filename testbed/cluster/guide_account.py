"""A service account with the guide's ClusterRole, and no other permissions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from testbed.cluster.namespace import Account, Namespace
from testbed.manifest import Manifest

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
RBAC = "rbac.authorization.k8s.io"


def role_of_the_guide() -> Manifest:
    """The one YAML block that is a ClusterRole."""
    blocks = [block.partition("```")[0] for block in GUIDE.read_text().split("```yaml\n")[1:]]
    (role,) = (
        document for block in blocks if (document := yaml.safe_load(block)).get("kind") == "ClusterRole"
    )
    return dict(role)


@contextmanager
def guide_account(namespace: Namespace) -> Iterator[Account]:
    """The account, in a test's namespace."""
    allowed = namespace.account()
    metadata = {"name": f"{namespace.name}-guide"}
    subject = {"kind": "ServiceAccount", "name": "steerway", "namespace": namespace.name}
    binding: Manifest = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": metadata["name"]},
        "subjects": [subject],
    }
    namespace.api.apply(role_of_the_guide() | {"metadata": metadata}, binding)
    try:
        yield allowed
    finally:
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            namespace.api.delete(kind, "", metadata["name"])
