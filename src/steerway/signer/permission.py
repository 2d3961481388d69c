"""The permissions that the signer needs, and no others: rules of a ClusterRole, and of a Role in its own namespace."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from steerway.signer.authority.bundle import bundle_name

Rule: TypeAlias = Mapping[str, Sequence[str]]
_CERTIFICATES = "certificates.k8s.io"


def cluster_rules(signer_name: str) -> list[Rule]:
    """In the whole cluster. `create` cannot be limited to a name (Kubernetes: RBAC, "Referring to resources")."""
    return [
        _rule(_CERTIFICATES, "podcertificaterequests", "list", "watch"),
        _rule(_CERTIFICATES, "podcertificaterequests/status", "patch"),
        _rule(_CERTIFICATES, "signers", "sign", "attest", names=[signer_name]),
        _rule(_CERTIFICATES, "clustertrustbundles", "create"),
        _rule(_CERTIFICATES, "clustertrustbundles", "get", "update", names=[bundle_name(signer_name)]),
        {"apiGroups": [""], "resources": ["pods", "serviceaccounts", "nodes"], "verbs": ["get"]},
        _rule("", "events", "create", "get", "patch"),
    ]


def namespace_rules(secret: str, ca_secret: str | None, lease: str) -> list[Rule]:
    """In the namespace of the Secret and of the Lease."""
    rules = [
        _rule("", "secrets", "create"),
        _rule("", "secrets", "get", "update", names=[secret]),
        _rule("coordination.k8s.io", "leases", "create"),
        _rule("coordination.k8s.io", "leases", "get", "update", names=[lease]),
    ]
    return rules if ca_secret is None else [*rules, _rule("", "secrets", "get", names=[ca_secret])]


def _rule(group: str, resource: str, *verbs: str, names: Sequence[str] = ()) -> Rule:
    rule = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return {**rule, "resourceNames": list(names)} if names else rule
