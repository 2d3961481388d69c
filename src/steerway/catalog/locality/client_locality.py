"""Where clients are: from the address of a connection to its pod, to the pod's node, to the node's zone and region.

The address of a node (of a pod on the host's network, or of a connection that the node masquerades) identifies the node
only. Behind a proxy or NAT the address is another one: then the locality is unknown, or the proxy's.

Source: well-known labels of Kubernetes.
"""

from typing import NamedTuple

from steerway.catalog.locality.client_zone import ClaimedZones
from steerway.catalog.locality.pod_index import PodIndex, address_of
from steerway.catalog.locality.pod_owner import owner_of
from steerway.catalog.locality.traffic_distribution import UNKNOWN, ClientLocality
from steerway.sources.objects.core import Pod


class PodLocality(NamedTuple):
    """The facts that follow from the address of a client; "" for unknown ones."""

    namespace: str = ""
    pod: str = ""
    service_account: str = ""
    node: str = ""
    region: str = ""
    zone: str = ""
    owner_kind: str = ""
    owner: str = ""
    """The controller of the pod, such as a Deployment; the pod itself where it has none."""


class ClientLocalities:
    """The localities of clients, as far as resources depend on them: `topology` is `off`, `zone` or `node`."""

    def __init__(self, topology: str, address_first: bool, claimed: ClaimedZones) -> None:
        self._topology = topology
        self._address_first = address_first
        self._claimed = claimed

    def resolve(
        self, pod_locality: PodLocality | None, claimed_zone: str, stream: int, network: str
    ) -> ClientLocality:
        """The locality of the client of a stream: of its pod (None: unknown) and of its bootstrap, `claimed_zone` ("":
        none). A zone that `ClaimedZones` does not admit counts as none.

        `network`: whose share a claim uses, see `peer.network`.
        """
        locality = locate(self._topology, pod_locality, claimed_zone, self._address_first)
        known = pod_locality.zone if pod_locality is not None else ""
        if locality.zone in ("", known) or self._claimed.claim(stream, network, locality.zone):
            return locality
        return locality._replace(zone=known)

    def release(self, stream: int) -> None:
        """The stream ended."""
        self._claimed.release(stream)


def locate(
    topology: str, observed: PodLocality | None, claimed_zone: str, address_first: bool = False
) -> ClientLocality:
    """The place of a client whose claims all count: see `ClientLocalities.resolve`."""
    if topology == "off":
        return ClientLocality()
    located = observed or PodLocality()
    first, second = (located.zone, claimed_zone) if address_first else (claimed_zone, located.zone)
    return ClientLocality(first or second, (located.node or UNKNOWN) if topology == "node" else "")


class PodLocalities:
    """The localities of addresses, from the Pods and Nodes of an index."""

    def __init__(self, index: PodIndex) -> None:
        self._index = index

    def find(self, peer: str) -> PodLocality | None:
        """The locality of the client at `peer` (`10.0.0.7:4711`, `[fd00::7]:4711`); None for an unknown one."""
        if pod := self.pod(peer):
            kind, owner = owner_of(pod)
            return self._at(pod.spec.node_name)._replace(
                namespace=pod.metadata.namespace,
                pod=pod.metadata.name,
                service_account=pod.spec.service_account_name,
                owner_kind=kind,
                owner=owner,
            )
        name = self._index.node_at(address_of(peer))
        return self._at(name) if name else None

    def pod(self, peer: str) -> Pod | None:
        """The Pod of the client at `peer`; None for an unknown one, and on the network of a node."""
        pods = [pod for pod in self._index.pods(address_of(peer)) if not pod.spec.host_network]
        return max(pods, key=_liveliness, default=None)

    def _at(self, name: str) -> PodLocality:
        node = self._index.node(name)
        if node is None:
            return PodLocality(node=name)
        return PodLocality(node=name, region=node.metadata.labels.region, zone=node.metadata.labels.zone)


def _liveliness(pod: Pod) -> tuple[bool, str]:
    """The greater of two pods that claim one address has it: the other one is on its way out, or is older."""
    return pod.metadata.deletion_timestamp is None, pod.metadata.creation_timestamp
