"""The ClusterTrustBundle with the roots, which kubelet writes into the volumes of workloads."""

import json
from typing import Any

from steerway.certificate.bundle import certificates, joined
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.object import read

_API_VERSION = "certificates.k8s.io/v1"
_COLLECTION = f"/apis/{_API_VERSION}/clustertrustbundles"


def bundle_name(signer_name: str) -> str:
    """The name of the bundle: its prefix is required by the API server (ClusterTrustBundle v1)."""
    return f"{signer_name.replace('/', ':')}:roots"


class TrustBundle:
    """The bundle of a signer. Requests raise SourceError; a conflict with another writer is one, too."""

    def __init__(self, signer_name: str) -> None:
        self._signer_name = signer_name
        self._name = bundle_name(signer_name)
        self._object: dict[str, Any] | None = None
        self.where = f"ClusterTrustBundle {self._name}"
        self.rule = (
            "{apiGroups: [certificates.k8s.io], resources: [clustertrustbundles],"
            f" resourceNames: ['{self._name}'], verbs: [get, update]}}, create without resourceNames, and"
            f" {{apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [{signer_name}],"
            " verbs: [sign, attest]} to the rules of a ClusterRole"
        )

    async def read(self, client: KubernetesClient) -> tuple[bytes, ...]:
        """The roots that it has now; none if it does not exist."""
        self._object = await read(client, f"{_COLLECTION}/{self._name}")
        return self._roots()

    async def write(self, client: KubernetesClient, roots: tuple[bytes, ...]) -> bool:
        """Replace the roots that were read, unless they are the same in any order; whether they were not."""
        if set(self._roots()) == set(roots):
            return False
        metadata = (self._object or {}).get("metadata") or {"name": self._name}
        manifest = {
            "apiVersion": _API_VERSION,
            "kind": "ClusterTrustBundle",
            "metadata": metadata,
            "spec": {"signerName": self._signer_name, "trustBundle": joined(roots).decode()},
        }
        if self._object is None:
            answer = await client.post(_COLLECTION, manifest)
        else:
            answer = await client.put(f"{_COLLECTION}/{self._name}", manifest)
        self._object = json.loads(answer)
        return True

    def _roots(self) -> tuple[bytes, ...]:
        spec = (self._object or {}).get("spec") or {}
        return certificates(str(spec.get("trustBundle") or "").encode())
