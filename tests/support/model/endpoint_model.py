"""A model of the endpoints of a Service: what Services and slices define, as plainly as the Kubernetes documents."""

from collections.abc import Iterable, Sequence

from steerway.catalog.model.mesh import EndpointState
from steerway.sources.objects.core import SERVICE_NAME_LABEL, EndpointSlice, Object, Service
from steerway.sources.objects.core import Endpoint as EndpointFact

SPELLINGS = {"FD00:0::1": "fd00::1", "::ffff:10.0.0.1": "::ffff:a00:1"}
"""Addresses of `tests.support.model.random_mesh` that are written in another way than the usual one."""


def state(fact: EndpointFact, all_ready: bool) -> EndpointState | None:
    """EndpointConditions, API reference: nil `ready` is true, nil `serving` is `ready`, nil `terminating` is false."""
    assert fact.conditions is not None
    ready = True if fact.conditions.ready is None else fact.conditions.ready
    serving = ready if fact.conditions.serving is None else fact.conditions.serving
    terminating = bool(fact.conditions.terminating)
    if ready or all_ready:
        return EndpointState.HEALTHY
    return EndpointState.DRAINING if serving and terminating else None


def expected(
    fact: Service, slices: Sequence[EndpointSlice], name: str
) -> dict[tuple[str, int], EndpointState]:
    """The best state of each (address, port) of the port `name`, addresses as they are written."""
    families: dict[str, dict[tuple[str, int], EndpointState]] = {"IPv4": {}, "IPv6": {}}
    for endpoint_slice in slices:
        if endpoint_slice.address_type not in families:
            continue
        for port in endpoint_slice.ports or ():
            if (port.name or "") != name or port.protocol in ("UDP", "SCTP") or port.port is None:
                continue
            for pod in endpoint_slice.endpoints or ():
                endpoint_state = state(pod, fact.spec.publish_not_ready_addresses)
                key = (SPELLINGS.get(pod.addresses[0], pod.addresses[0]), port.port)
                if (
                    endpoint_state is not None
                    and families[endpoint_slice.address_type].get(key) != EndpointState.HEALTHY
                ):
                    families[endpoint_slice.address_type][key] = endpoint_state
    if fact.spec.ip_families is None:
        return families["IPv4"] | families["IPv6"]
    order = [families[family] for family in fact.spec.ip_families]
    healthy = [family for family in order if EndpointState.HEALTHY in family.values()]
    return next(iter([*healthy, *filter(None, order)]), {})


def slices_of(fact: Service, objects: Iterable[Object]) -> list[EndpointSlice]:
    """Those whose label names the Service, in its namespace."""
    return [
        obj
        for obj in objects
        if isinstance(obj, EndpointSlice)
        and obj.metadata.namespace == fact.metadata.namespace
        and (obj.metadata.labels or {}).get(SERVICE_NAME_LABEL) == fact.metadata.name
    ]


def usable(states: dict[tuple[str, int], EndpointState]) -> set[tuple[str, int]]:
    """The endpoints for new calls: healthy ones; without any, serving ones that terminate (KEP-1669)."""
    healthy = {address for address, state in states.items() if state is EndpointState.HEALTHY}
    return healthy or set(states)
