"""From one Service object and its EndpointSlices to a service of the catalog.

Rules: Kubernetes API reference, Service v1. UDP and SCTP ports are not served, since gRPC speaks TCP. A dual-stack
Service describes each pod twice, once per family; only one family is used, or every pod would get double its share.
"""

from collections.abc import Iterable, Mapping

from steerway.catalog import endpoints
from steerway.catalog.model import Endpoint, Port, Problem, ServiceId
from steerway.catalog.model import Service as CatalogService
from steerway.sources.objects import EndpointSlice, Service, ServicePort


def build(fact: Service, slices: Iterable[EndpointSlice]) -> tuple[CatalogService | None, list[Problem]]:
    """The service, or None when nothing of it can be served, and why parts of it are not."""
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
    return CatalogService(id, tuple(built.values())), problems


def _endpoints(fact: Service, port: ServicePort, merged: endpoints.Merged) -> tuple[Endpoint, ...]:
    families = merged.get(port.name or "", {})
    return endpoints.ordered(_one_family(fact, families).values())


def _one_family(
    fact: Service, families: Mapping[str, dict[tuple[str, int], Endpoint]]
) -> dict[tuple[str, int], Endpoint]:
    """The endpoints of the first family, in the Service's order, that has any.

    `ipFamilies` is always set by an API server; manifests in files often leave it out.
    """
    order = fact.spec.ip_families or ("IPv4", "IPv6")
    return next((families[family] for family in order if families.get(family)), {})
