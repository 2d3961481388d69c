"""Why a client, or every client, does not get an address of an EndpointSlice."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.catalog.model.mesh import Endpoint, EndpointState, Port, Service
from steerway.catalog.model.policy import WhenEmpty, ZoneMode
from steerway.catalog.service import endpoints
from steerway.catalog.service.connection import refusal
from steerway.sources.objects.core import Endpoint as EndpointFact
from steerway.sources.objects.core import EndpointSlice

NOT_READY = "not ready"
TERMINATING = "terminating"


class LeftOut(NamedTuple):
    """An address with the reason; "" for an unknown zone."""

    address: str
    reason: str
    zone: str = ""


class Receiver(NamedTuple):
    """The client in question. `pod`: the one that its target names, "" for none. `envoy`: whether it is one."""

    locality: ClientLocality
    pod: str = ""
    envoy: bool = False


def of_port(port: Port, slices: Iterable[EndpointSlice]) -> Iterator[LeftOut]:
    """Addresses of the Service that no client gets on this port, in the order of the addresses."""
    served = {endpoint.address for endpoint in port.endpoints}
    rest: dict[str, LeftOut] = {}
    for slice_ in sorted(slices, key=lambda slice_: slice_.metadata.name):
        for fact in slice_.endpoints or ():
            address = _address(slice_, fact)
            if address in served or not fact.addresses:
                continue
            reason = _port_reason(port, slice_) or _state_reason(port, fact)
            rest.setdefault(address, LeftOut(address, reason, fact.zone or ""))
    return (rest[address] for address in sorted(rest))


def of_client(
    service: Service, port: Port, receiver: Receiver, given: Collection[tuple[str, int]]
) -> Iterator[LeftOut]:
    """Endpoints of the port that the client does not get. `given`: address and port of those that it gets."""
    for endpoint in port.endpoints:
        if (endpoint.address, endpoint.port) not in given:
            reason = _reason(service, port, endpoint, receiver)
            yield LeftOut(endpoint.address, reason, endpoint.locality.zone)


def _address(slice_: EndpointSlice, fact: EndpointFact) -> str:
    first = fact.addresses[0] if fact.addresses else ""
    known = slice_.address_type in endpoints.FAMILIES
    return (endpoints.canonical(first) if known else None) or first


def _port_reason(port: Port, slice_: EndpointSlice) -> str:
    """Why no address of a slice is one of the port."""
    name = slice_.metadata.name
    if slice_.address_type not in endpoints.FAMILIES:
        return f"slice {name} has addressType {slice_.address_type}: clients need IP addresses"
    if not any((theirs.name or "") == port.name and theirs.is_tcp for theirs in slice_.ports or ()):
        named = f"named {port.name}" if port.name else "without a name"
        return f"slice {name} has no TCP port {named}"
    return ""


def _state_reason(port: Port, fact: EndpointFact) -> str:
    conditions = fact.conditions
    if conditions is not None and conditions.ready is False:
        return TERMINATING if conditions.terminating else NOT_READY
    # It is ready: either its family is not the one in use, or an update is held back.
    safety = port.policy.safety
    if safety is not None and (safety.when_empty is WhenEmpty.KEEP_LAST or safety.minimum_healthy_share):
        return "hold-down: the endpoints before the last change are kept"
    return "address of another IP family than the one in use"


_STATES: Mapping[EndpointState, str] = {
    EndpointState.DRAINING: TERMINATING,
    EndpointState.UNREADY: NOT_READY,
}


def _reason(service: Service, port: Port, endpoint: Endpoint, receiver: Receiver) -> str:
    if refused := refusal(port, receiver.envoy):
        return refused
    if receiver.pod and endpoint.hostname != receiver.pod:
        return f"not the pod {receiver.pod} that the target names"
    own = receiver.locality
    if service.local_only and endpoint.node != own.node:
        where = f"other node than {own.node}" if own.node else "the node of the client is unknown"
        return f"{where} (internalTrafficPolicy Local)"
    zones = port.policy.zones
    strict = zones is not None and zones.mode is ZoneMode.STRICT
    if strict and own.zone and endpoint.locality.zone != own.zone:
        return f"other zone than {own.zone} (Strict)"
    if (reason := _STATES.get(endpoint.state)) is not None:
        return reason
    return "subset" if port.policy.subset is not None else "not selected for this client"
