"""Why a port of a Service has no endpoint that takes traffic, for explanations.

It follows `endpoints.merge` and the choice of the family in `service`, slice by slice, and is computed on request.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from steerway.catalog.model.mesh import EndpointState
from steerway.catalog.service import endpoints, slice_owner
from steerway.sources.objects.core import EndpointSlice, Service, ServicePort

_MOST_SLICES = 8
_NO_POD = "the selector of the Service matches no pod with an address"


def reasons(fact: Service, port: ServicePort, slices: Iterable[EndpointSlice]) -> tuple[str, ...]:
    """One sentence for each EndpointSlice, or one that there is none. Only true of a port without healthy endpoints."""
    ordered = sorted(slices, key=lambda slice_: slice_.metadata.name)
    if not ordered:
        return ("no EndpointSlice belongs to the Service",)
    shown = ordered[:_MOST_SLICES]
    sentences = [f"slice {slice_.metadata.name} {_reason(fact, port, slice_)}" for slice_ in shown]
    if len(ordered) > len(shown):
        sentences.append(f"and {len(ordered) - len(shown)} more slices")
    return tuple(sentences)


def _reason(fact: Service, port: ServicePort, slice_: EndpointSlice) -> str:
    """The end of a sentence about one slice."""
    count = len(slice_.endpoints or ())
    if slice_.address_type not in endpoints.FAMILIES:
        return f"has addressType {slice_.address_type}: clients need IP addresses"
    if not count:
        return "has no endpoints" + (": " + _NO_POD if slice_owner.is_of_selector(slice_) else "")
    named = [theirs for theirs in slice_.ports or () if (theirs.name or "") == (port.name or "")]
    if not named:
        return _other_name(port, slice_, count)
    tcp = [theirs for theirs in named if theirs.is_tcp]
    if not tcp:
        return f"states protocol {named[0].protocol} for the port: gRPC needs TCP"
    if all(theirs.port is None for theirs in tcp):
        return "gives the port no number: clients cannot dial it"
    families = fact.spec.ip_families
    if families and slice_.address_type not in families:
        return (
            f"has {slice_.address_type} addresses: ipFamilies of the Service lists {', '.join(families)} only"
        )
    return ", ".join(_states(fact, slice_))


def _other_name(port: ServicePort, slice_: EndpointSlice, count: int) -> str:
    """Ports of a Service and of its slices belong together by name (EndpointSlice v1, EndpointPort.name)."""
    has = "1 endpoint" if count == 1 else f"{count} endpoints"
    ports = slice_.ports or ()
    if not ports:
        # A pod without the port of a named targetPort is listed without it.
        reason = ": no container of its pods has a port with the name in targetPort"
        return f"has {has} and names no port" + (reason if slice_owner.is_of_selector(slice_) else "")
    names = [f"port {theirs.name}" if theirs.name else "a port without a name" for theirs in ports]
    ours = f"is named {port.name}" if port.name else "has no name"
    return f"has {has} for {' and '.join(names)}; the Service's port {ours}: names must be equal"


def _states(fact: Service, slice_: EndpointSlice) -> Iterator[str]:
    publish = fact.spec.publish_not_ready_addresses
    counts = Counter(endpoints.state_of(endpoint, publish) for endpoint in slice_.endpoints or ())
    if unready := counts[None]:
        yield f"has {unready} not ready"
    if draining := counts[EndpointState.DRAINING]:
        yield f"has {draining} terminating"
    if healthy := counts[EndpointState.HEALTHY]:
        yield f"has {healthy} ready"
