"""Where clients are: from the address of a connection to its pod, to the pod's node, to the node's zone and region.

A pod's address is its own while the pod lives; one that has ended keeps it in its status while another may have it
already. Pods on the host's network have the node's address, which identifies the node only, and so does a connection
that the node masquerades. Behind a proxy or NAT the address is another one: then the locality is unknown, or the
proxy's.

Source: Kubernetes API reference, Pod v1 (phase, podIPs) and Node v1; well-known labels.
"""

import ipaddress
from collections.abc import Callable, Iterable
from typing import NamedTuple

from steerway.catalog.locality.client_zone import ClaimedZones
from steerway.catalog.locality.traffic_distribution import UNKNOWN, ClientLocality
from steerway.sources.objects.core import Node, Object, ObjectKey, Pod

_ENDED = ("Succeeded", "Failed")


class PodLocality(NamedTuple):
    """The facts that follow from the address of a client; "" for unknown ones."""

    namespace: str = ""
    pod: str = ""
    service_account: str = ""
    node: str = ""
    region: str = ""
    zone: str = ""


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
    """An index of the pods and nodes in the store. `update` and `find` cost by what changed and nothing, whatever the
    size of the cluster."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[ObjectKey, Pod]] = {}
        self._nodes: dict[str, Node] = {}
        self._hosts: dict[str, str] = {}
        self._addresses: dict[ObjectKey, tuple[str, ...]] = {}

    def update(self, get: Callable[[ObjectKey], Object | None], changed: Iterable[ObjectKey]) -> None:
        """Take in changed objects; those that are neither Pods nor Nodes are passed over."""
        for key in changed:
            if key.kind == "Pod":
                self._update_pod(key, get(key))
            elif key.kind == "Node":
                self._update_node(key, get(key))

    def find(self, peer: str) -> PodLocality | None:
        """The locality of the client at `peer` (`10.0.0.7:4711`, `[fd00::7]:4711`); None for an unknown one."""
        address = _canonical(peer.rpartition(":")[0].strip("[]"))
        if pods := self._pods.get(address):
            pod = max(pods.values(), key=_liveliness)
            return self._at(pod.spec.node_name)._replace(
                namespace=pod.metadata.namespace,
                pod=pod.metadata.name,
                service_account=pod.spec.service_account_name,
            )
        name = self._hosts.get(address)
        return None if name is None else self._at(name)

    def _at(self, name: str) -> PodLocality:
        node = self._nodes.get(name)
        if node is None:
            return PodLocality(node=name)
        return PodLocality(node=name, region=node.metadata.labels.region, zone=node.metadata.labels.zone)

    def _update_pod(self, key: ObjectKey, pod: Object | None) -> None:
        for address in self._addresses.pop(key, ()):
            pods = self._pods[address]
            del pods[key]
            if not pods:
                del self._pods[address]
        if isinstance(pod, Pod) and not pod.spec.host_network and pod.status.phase not in _ENDED:
            mine = {_canonical(pod_ip.ip) for pod_ip in pod.status.pod_ips or ()} - {""}
            for address in mine:
                self._pods.setdefault(address, {})[key] = pod
            if mine:
                self._addresses[key] = tuple(mine)

    def _update_node(self, key: ObjectKey, node: Object | None) -> None:
        for address in self._addresses.pop(key, ()):
            if self._hosts.get(address) == key.name:
                del self._hosts[address]
        self._nodes.pop(key.name, None)
        if isinstance(node, Node):
            self._nodes[key.name] = node
            # A host name is among them, too.
            mine = {_canonical(address.address) for address in node.status.addresses or ()} - {""}
            self._hosts.update(dict.fromkeys(mine, key.name))
            self._addresses[key] = tuple(mine)


def _liveliness(pod: Pod) -> tuple[bool, str]:
    """The greater of two pods that claim one address has it: the other one is on its way out, or is older."""
    return pod.metadata.deletion_timestamp is None, pod.metadata.creation_timestamp


def _canonical(text: str) -> str:
    """The one spelling of an IP address, "" when it is none. A socket for both families shows IPv4 within IPv6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
