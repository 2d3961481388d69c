"""From one Service object and its EndpointSlices to a service of the catalog.

Rules: Kubernetes API reference, Service v1. UDP and SCTP ports are not served, since gRPC speaks TCP. A dual-stack
Service describes each pod twice, once per family; one family is used, or every client would hold two connections to
each pod.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence

from steerway.catalog import endpoints
from steerway.catalog.model import Endpoint, EndpointState, Port, Problem, ServiceId
from steerway.catalog.model import Service as CatalogService
from steerway.sources.objects import PRIVATE_ANNOTATION, EndpointSlice, Namespace, Service, ServicePort


def build(
    fact: Service, slices: Iterable[EndpointSlice], private: bool = False
) -> tuple[CatalogService | None, list[Problem]]:
    """The service, or None when nothing of it can be served, and why parts of it are not.

    `private`: whether its namespace is, which counts unless the Service says something itself.
    """
    where = str(fact.key)
    spec = fact.spec
    if spec.type == "ExternalName":
        cure = "dial its external name with dns:///, or give the Service endpoints of its own"
        return None, [Problem(where, "type ExternalName is not served: it has no endpoints", cure)]
    ports = [port for port in spec.ports or () if port.protocol in (None, "TCP")]
    if not ports:
        reason = "none of its ports is TCP" if spec.ports else "it has no ports"
        return None, [
            Problem(where, f"{reason}, so there is nothing to serve", "add a TCP port to spec.ports")
        ]
    merged, problems = endpoints.merge(slices, spec.publish_not_ready_addresses)
    built: dict[int, Port] = {}
    for port in ports:
        if port.port in built:
            problems.append(Problem(where, f"port {port.port} is there twice", "remove one of them"))
            continue
        built[port.port] = Port(
            number=port.port,
            name=port.name or "",
            app_protocol=port.app_protocol or "",
            endpoints=_endpoints(fact, port, merged),
        )
    id = ServiceId(fact.metadata.namespace, fact.metadata.name)
    own = is_private(fact)
    return CatalogService(id, tuple(built.values()), private if own is None else own), problems


def is_private(fact: Service | Namespace) -> bool | None:
    """What its annotation says; None when it says nothing. Anything but "false" is true: a typo must not publish."""
    value = (fact.metadata.annotations or {}).get(PRIVATE_ANNOTATION)
    return None if value is None else value.strip().lower() != "false"


def _endpoints(fact: Service, port: ServicePort, merged: endpoints.Merged) -> tuple[Endpoint, ...]:
    families = merged.get(port.name or "", {})
    return endpoints.ordered(_used(fact.spec.ip_families, families))


def _used(order: Sequence[str] | None, families: Mapping[str, endpoints.ByAddress]) -> Iterable[Endpoint]:
    """The endpoints of one family: the first in `order` with a healthy one, else the first with any.

    Without an order nothing says that the families describe the same pods, so all are used: an API server always
    sets `ipFamilies`, manifests in files and the short mapping leave it out.
    """
    if order is None:
        return itertools.chain.from_iterable(family.values() for family in families.values())
    present = [families[family].values() for family in order if families.get(family)]
    healthy = (family for family in present if any(e.state is EndpointState.HEALTHY for e in family))
    return next(healthy, present[0] if present else ())
