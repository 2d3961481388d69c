"""Pods and Nodes by address.

A pod's address is its own while the pod lives; one that has ended keeps it in its status while another may have it
already. Pods on the host's network have the addresses of their node.

Source: Kubernetes API reference, Pod v1 (phase, podIPs) and Node v1.
"""

import ipaddress
from collections.abc import Callable, Iterable, Set

from steerway.sources.objects.core import Node, Object, ObjectKey, Pod

_ENDED = ("Succeeded", "Failed")


def canonical(address: str) -> str:
    """The one spelling of an IP address, "" for any other text. Sockets for both families show IPv4 within IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def address_of(peer: str) -> str:
    """The canonical address of a peer: `10.0.0.7` for `10.0.0.7:4711` and `[::ffff:10.0.0.7]:4711`; "" for a Unix
    socket."""
    return canonical(peer.rpartition(":")[0].strip("[]"))


class PodIndex:
    """An index of the Pods and Nodes in the store. Updates and look-ups cost by what changed and nothing, whatever the
    size of the cluster. Addresses are canonical."""

    def __init__(self) -> None:
        # Tuples: a dictionary per address would double the memory of a Pod.
        self._pods: dict[str, tuple[Pod, ...]] = {}
        self._nodes: dict[str, Node] = {}
        self._hosts: dict[str, str] = {}
        self._addresses: dict[ObjectKey, tuple[str, ...]] = {}
        self._listeners: list[Callable[[Set[str]], None]] = []

    def listen(self, listener: Callable[[Set[str]], None]) -> None:
        """Call `listener` after each update with the addresses whose Pods or Nodes changed."""
        self._listeners.append(listener)

    def update(self, get: Callable[[ObjectKey], Object | None], changed: Iterable[ObjectKey]) -> None:
        """Take in changed objects; those that are neither Pods nor Nodes are passed over."""
        addresses: set[str] = set()
        for key in changed:
            if key.kind == "Pod":
                addresses.update(self._update_pod(key, get(key)))
            elif key.kind == "Node":
                addresses.update(self._update_node(key, get(key)))
        if addresses:
            for listener in self._listeners:
                listener(addresses)

    def pods(self, address: str) -> tuple[Pod, ...]:
        """The pods with the address that have not ended, those on the network of their host included."""
        return self._pods.get(address, ())

    def node_at(self, address: str) -> str:
        """The name of the node with the address; "" for none."""
        return self._hosts.get(address, "")

    def node(self, name: str) -> Node | None:
        return self._nodes.get(name)

    def _update_pod(self, key: ObjectKey, pod: Object | None) -> Set[str]:
        before = self._addresses.pop(key, ())
        for address in before:
            if others := tuple(other for other in self._pods[address] if other.key != key):
                self._pods[address] = others
            else:
                del self._pods[address]
        addresses: set[str] = set()
        if isinstance(pod, Pod) and pod.status.phase not in _ENDED:
            addresses = {canonical(pod_ip.ip) for pod_ip in pod.status.pod_ips or ()} - {""}
            for address in addresses:
                self._pods[address] = (*self._pods.get(address, ()), pod)
            if addresses:
                self._addresses[key] = tuple(addresses)
        return addresses.union(before)

    def _update_node(self, key: ObjectKey, node: Object | None) -> Set[str]:
        before = self._addresses.pop(key, ())
        for address in before:
            if self._hosts.get(address) == key.name:
                del self._hosts[address]
        self._nodes.pop(key.name, None)
        addresses: set[str] = set()
        if isinstance(node, Node):
            self._nodes[key.name] = node
            # A host name is among them, too.
            addresses = {canonical(address.address) for address in node.status.addresses or ()} - {""}
            self._hosts.update(dict.fromkeys(addresses, key.name))
            self._addresses[key] = tuple(addresses)
        return addresses.union(before)
