"""The workload of a client: the owner of its pod, else what the node ids of its replicas have in common."""

import re
from typing import NamedTuple

from steerway.catalog.locality.client_locality import PodLocality
from steerway.text import bounded

UNKNOWN = "-"
"""The name of a workload whose clients have random node ids; no object is called so."""
_MAX_NAME = 253
"""Bytes of a name: that of an object of Kubernetes is not longer."""
_RANDOM = "[bcdf-hj-np-tv-xz2456789]"
"""Characters of generated names in Kubernetes."""
_OF_DEPLOYMENT = re.compile(f"-{_RANDOM}{{6,10}}-{_RANDOM}{{5}}$")
"""The suffix of a Deployment's pods: the hash of its template, and a random part."""
_OF_OTHERS = re.compile(rf"-(\d+|{_RANDOM}{{5}})$")
"""The suffix of the pods of a StatefulSet or a DaemonSet."""
_UNIQUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Workload(NamedTuple):
    """`kind` is "" where no pod is known."""

    namespace: str
    name: str
    kind: str = ""

    @property
    def id(self) -> str:
        """`NAMESPACE/NAME`."""
        return f"{self.namespace}/{self.name}"


def of_client(locality: PodLocality | None, node_id: str, namespace: str) -> Workload:
    """The workload of a client. `locality`: that of its address; `namespace`: of its audience."""
    if locality is not None and locality.owner:
        return Workload(locality.namespace, locality.owner, locality.owner_kind)
    # A slash would make it another object's id.
    name = bounded(prefix(node_id), _MAX_NAME).replace("/", "_")
    return Workload(namespace, name or UNKNOWN)


def prefix(node_id: str) -> str:
    """The common part of the node ids of one workload: `web` for `web-6d4cf56db6-x7k2p.shop`.

    Recognized: ids that begin with the name of a pod or host, and those of Istio (`sidecar~IP~POD.NAMESPACE~DOMAIN`).
    "" for a random id.
    """
    parts = node_id.split("~")
    pod = (parts[2] if len(parts) == 4 else parts[0]).partition(".")[0]
    if _UNIQUE.fullmatch(pod):
        return ""
    name = _OF_DEPLOYMENT.sub("", pod)
    return name if name != pod else _OF_OTHERS.sub("", pod)
