"""Identities of services and of workloads, which all of the catalog shares."""

from typing import NamedTuple


class ServiceId(NamedTuple):
    """Identity of a service."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def spiffe_id(trust_domain: str, namespace: str, account: str) -> str:
    """The SPIFFE ID of a workload with a service account."""
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/{account}"
