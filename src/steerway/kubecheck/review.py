"""Access reviews: which of some permissions a user has, and a Role with those that are missing."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import yaml

from steerway.kubecheck.permission import Permission
from steerway.kubecheck.reader import Manifest, Reader

_API = "authorization.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Subject:
    """The user of a review: a ServiceAccount, or without a name the user of the check."""

    namespace: str = ""
    name: str = ""

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> list[str]:
        """Of every token of a service account (Kubernetes, "Authenticating")."""
        return ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated"]

    def __str__(self) -> str:
        return f"ServiceAccount {self.namespace}/{self.name}" if self.name else "your user"


async def missing(reader: Reader, subject: Subject, needed: Sequence[Permission]) -> list[Permission]:
    """The permissions that `subject` lacks, each with the missing verbs only. Raises UnreadableError."""
    requests = [(permission, verb) for permission in needed for verb in permission.verbs]
    answers = await asyncio.gather(*(_allowed(reader, subject, *request) for request in requests))
    lacking: dict[Permission, list[str]] = {}
    for (permission, verb), allowed in zip(requests, answers, strict=True):
        if not allowed:
            lacking.setdefault(permission, []).append(verb)
    return [replace(permission, verbs=tuple(verbs)) for permission, verbs in lacking.items()]


async def _allowed(reader: Reader, subject: Subject, permission: Permission, verb: str) -> bool:
    resource, _, subresource = permission.resource.partition("/")
    attributes = {
        "verb": verb,
        "group": permission.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": permission.namespace or "",
        "name": permission.name,
    }
    kind = "SubjectAccessReview" if subject.name else "SelfSubjectAccessReview"
    spec: Manifest = {"resourceAttributes": attributes}
    if subject.name:
        spec |= {"user": subject.user, "groups": subject.groups}
    body = {"apiVersion": _API, "kind": kind, "spec": spec}
    answer = await reader.post(f"/apis/{_API}/{kind.lower()}s", body, {})
    return bool((answer.get("status") or {}).get("allowed"))


def rules(lacking: Iterable[Permission]) -> list[Manifest]:
    """Rules of a Role for permissions of one namespace, or of a ClusterRole."""
    merged: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for permission in lacking:
        key = (permission.group, permission.name, permission.verbs)
        merged.setdefault(key, []).append(permission.resource)
    return [
        {
            "apiGroups": [group],
            "resources": resources,
            **({"resourceNames": [name]} if name else {}),
            "verbs": list(verbs),
        }
        for (group, name, verbs), resources in merged.items()
    ]


def role(subject: Subject, lacking: Sequence[Permission], name: str) -> str:
    """A Role (or ClusterRole) and a binding for each namespace of the permissions, as YAML."""
    documents: list[Manifest] = []
    for namespace in dict.fromkeys(permission.namespace for permission in lacking):
        prefix = "Cluster" if namespace is None else ""
        metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
        own = [permission for permission in lacking if permission.namespace == namespace]
        account = {"kind": "ServiceAccount", "name": subject.name, "namespace": subject.namespace}
        documents += [
            {
                "apiVersion": f"{_RBAC}/v1",
                "kind": f"{prefix}Role",
                "metadata": metadata,
                "rules": rules(own),
            },
            {
                "apiVersion": f"{_RBAC}/v1",
                "kind": f"{prefix}RoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": _RBAC, "kind": f"{prefix}Role", "name": name},
                "subjects": [account],
            },
        ]
    return yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=None)
