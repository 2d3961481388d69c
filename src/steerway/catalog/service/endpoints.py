"""From the EndpointSlices of one Service to the endpoints of its ports.

Ports and slices match by port *name*: a slice carries the numbers of its own pods, so two slices may give the same
port name different numbers (a named targetPort that changes during a rollout), and both are right. Endpoints are
merged over all slices; an address comes once per port, in its best state.

Sources: Kubernetes API reference, EndpointSlice v1 (conditions, ports); KEP-1672 (serving, terminating).
"""

import functools
import socket
from collections.abc import Iterable

from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality, Problem
from steerway.sources.objects.core import Endpoint as EndpointFact
from steerway.sources.objects.core import EndpointPort, EndpointSlice, Hint

ByAddress = dict[tuple[str, int], Endpoint]
"""(address, port) → endpoint."""
Merged = dict[str, dict[str, ByAddress]]
"""Port name → address family → its endpoints."""
FAMILIES = ("IPv4", "IPv6")
"""Address types whose endpoints clients can dial."""
_STATES = (EndpointState.HEALTHY, EndpointState.DRAINING, EndpointState.UNREADY)
"""The better one first."""


def merge(
    slices: Iterable[EndpointSlice], publish_not_ready: bool, keep_unready: bool = False
) -> tuple[Merged, list[Problem]]:
    """All endpoints of one Service by port name and family, and what could not be used.

    `slices` in any order: the result does not depend on it. `keep_unready`: those that are not ready, too.
    """
    merged: Merged = {}
    problems: list[Problem] = []
    for endpoint_slice in slices:
        if endpoint_slice.address_type not in FAMILIES:
            problems.append(
                Problem.of(
                    endpoint_slice.key,
                    f"addressType {endpoint_slice.address_type} is ignored: clients need IP addresses",
                    "use a Service of IP addresses; gRPC refuses host names in endpoints",
                )
            )
            continue
        for port in endpoint_slice.ports or ():
            if not port.is_tcp or port.port is None:
                continue
            family = merged.setdefault(port.name or "", {}).setdefault(endpoint_slice.address_type, {})
            for fact in endpoint_slice.endpoints or ():
                state = state_of(fact, publish_not_ready)
                if state is not None or keep_unready:
                    _add(family, fact, port, state or EndpointState.UNREADY)
    return merged, problems


def state_of(fact: EndpointFact, publish_not_ready: bool) -> EndpointState | None:
    """What traffic the endpoint may get; None for none at all.

    EndpointConditions: nil `ready` means true, nil `serving` means as `ready`, nil `terminating` means false.
    """
    conditions = fact.conditions
    if publish_not_ready or conditions is None:
        return EndpointState.HEALTHY
    ready = conditions.ready is not False
    if ready:
        return EndpointState.HEALTHY
    serving = conditions.serving is True
    return EndpointState.DRAINING if serving and conditions.terminating else None


def _add(family: ByAddress, fact: EndpointFact, port: EndpointPort, state: EndpointState) -> None:
    if port.port is None or not fact.addresses:
        return
    # The API server treats all addresses of one endpoint as fungible; consumers use the first (API reference).
    address = canonical(fact.addresses[0])
    if address is None:
        return
    hints = fact.hints
    endpoint = Endpoint(
        address,
        port.port,
        state,
        _locality(fact.zone or ""),
        fact.hostname or "",
        node=fact.node_name or "",
        for_zones=_names(hints.for_zones) if hints is not None else (),
        for_nodes=_names(hints.for_nodes) if hints is not None else (),
    )
    present = family.get((address, port.port))
    family[address, port.port] = endpoint if present is None else min(present, endpoint, key=_preference)


@functools.lru_cache(maxsize=1024)
def _locality(zone: str) -> Locality:
    return Locality(zone=zone)


def _names(hints: list[Hint] | None) -> tuple[str, ...]:
    return tuple(sorted({hint.name for hint in hints or ()}))


def canonical(address: str) -> str | None:
    """The one spelling of an IP address; None when it is none (the source has reported that already)."""
    # A fifth of the time that the ipaddress module takes: a big cluster has a million of them at the start.
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, address))
    except (OSError, ValueError):  # ValueError: a zero byte or a lone surrogate
        return None


def _preference(endpoint: Endpoint) -> tuple[object, ...]:
    """Which of two facts about one address is kept: the one in the better state, then any fixed order."""
    return _STATES.index(endpoint.state), *endpoint[3:]


def ordered(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """A stable order, so that equal facts give equal values."""
    return tuple(sorted(endpoints, key=lambda e: (e.priority, e.locality, e.address, e.port)))
