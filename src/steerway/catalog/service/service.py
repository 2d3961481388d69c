"""From one Service object and its EndpointSlices to a service of the catalog.

Rules: Kubernetes API reference, Service v1. UDP and SCTP ports are not served, since gRPC speaks TCP. A dual-stack
Service describes each pod twice, once per family; one family is used, or every client would hold two connections to
each pod. A Service of type ExternalName has a host name for endpoints, whatever slices name it.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from steerway.catalog.model import protocol
from steerway.catalog.model.mesh import Endpoint, EndpointState, Port, Problem, ServiceId
from steerway.catalog.model.mesh import Service as CatalogService
from steerway.catalog.model.policy import NOTHING, Policy
from steerway.catalog.model.route import NO_ROUTE, Routing
from steerway.catalog.model.tls import BackendTLS
from steerway.catalog.policy import annotation, traffic
from steerway.catalog.service import connection, endpoints
from steerway.sources.objects.core import PRIVATE_ANNOTATION, EndpointSlice, Namespace, Service, ServicePort


class Attached(NamedTuple):
    """What is attached to a Service: the policy of a port by its name, the routing of a port by its number and name,
    the kinds of the routes that name a port by the same, the TLS of a port by its name ("": of all others), and the
    namespaces whose routes may refer to the Service."""

    policy: Callable[[str], Policy] = lambda _: NOTHING
    routing: Callable[[int, str], Routing] = lambda *_: NO_ROUTE
    named_by: Callable[[int, str], frozenset[str]] = lambda *_: frozenset()
    tls: Callable[[str], BackendTLS | None] = lambda _: None
    granted: frozenset[str] = frozenset()


NOTHING_ATTACHED = Attached()


def build(
    fact: Service,
    slices: Iterable[EndpointSlice],
    namespace: Namespace | None = None,
    nodes_known: bool = True,
    attached: Attached = NOTHING_ATTACHED,
) -> tuple[CatalogService | None, list[Problem]]:
    """The service, or None when nothing of it can be served, and why parts of it are not.

    `namespace`: its Namespace, where that is known, whose annotations apply unless the Service has its own.
    `nodes_known`: clients are distinguished by their nodes, where the Service requires it.
    """
    spec = fact.spec
    problems: list[Problem] = []
    own = annotation.of_annotations(fact, problems).merged_over(traffic.of_kubernetes(fact))
    external_name = (spec.external_name or "").removesuffix(".") if spec.type == "ExternalName" else ""
    if endpoints.canonical(external_name) is not None:
        # Services of type ExternalName: one that looks like an IP address is still a name, and DNS knows none such.
        hint = "give the Service no selector, and write an EndpointSlice with the address"
        reason = f"externalName {external_name} is an IP address, not a host name"
        return None, [*problems, Problem.of(fact.key, reason, hint)]
    ports = [port for port in spec.ports or () if port.is_tcp]
    if not ports and not external_name:
        reason = "none of its ports is TCP" if spec.ports else "it has no ports"
        reason += ", so there is nothing to serve"
        return None, [*problems, Problem.of(fact.key, reason, "add a TCP port to spec.ports")]
    policies = {port.port: attached.policy(port.name or "").merged_over(own) for port in ports}
    unready = any(policy.safety is not None and policy.safety.wants_unready for policy in policies.values())
    publish = spec.publish_not_ready_addresses
    merged, unused = endpoints.merge(() if external_name else slices, publish, unready)
    problems += unused
    local_only = spec.internal_traffic_policy == "Local" and not external_name
    if local_only and not nodes_known:
        reason = "internalTrafficPolicy Local is not followed: clients get the endpoints of all nodes"
        hint = "set topology to node, or the policy to Cluster if that is meant"
        problems.append(Problem(str(fact.key), reason, hint))
    built: dict[int, Port] = {}
    for port in ports:
        if port.port in built:
            reason = f"port {port.port} is there twice"
            problems.append(Problem.of(fact.key, reason, "remove one of them"))
            continue
        built[port.port] = Port(
            number=port.port,
            name=port.name or "",
            app_protocol=port.app_protocol or "",
            endpoints=_endpoints(fact, port, merged),
            policy=policies[port.port],
            routing=attached.routing(port.port, port.name or ""),
            named_by=_named_by(port, attached),
            tls=attached.tls(port.name or ""),
        )
    id = ServiceId(fact.metadata.namespace, fact.metadata.name)
    words = (is_private(fact), None if namespace is None else is_private(namespace))
    service = CatalogService(
        id,
        tuple(built.values()),
        private=next((word for word in words if word is not None), False),
        external_name=external_name,
        local_only=local_only and nodes_known,
        distribution=spec.traffic_distribution or "",
        uid=fact.metadata.uid or "",
        exported_to=_exported_to(fact, namespace, attached.granted, problems),
        tls=attached.tls(""),
    )
    # An external name without ports has them all.
    problems += _unconnected(fact, built.values() or [Port(0, tls=service.tls)])
    return service, problems


def _unconnected(fact: Service, ports: Iterable[Port]) -> Iterator[Problem]:
    """Ports to which nothing connects, or clients of one kind do not, because of a policy."""
    for port in ports:
        if port.tls is None:
            continue
        clients, why = connection.refusals(port)
        if clients:
            where = f"port {port.number}: " if port.number else ""
            reason = f"{where}{clients} do not connect, and their calls fail: {why}"
            remedy = (
                port.tls.remedy or "send these calls through an Envoy, or give them a port without the policy"
            )
            yield Problem(str(fact.key), reason, remedy, fact.key, partial=not port.tls.fault)


def _named_by(port: ServicePort, attached: Attached) -> frozenset[str]:
    name = port.name or ""
    if protocol.stated(port.app_protocol or "", name).protocol is not None:
        return frozenset()
    return attached.named_by(port.port, name)


def is_private(fact: Service | Namespace) -> bool | None:
    """The value of its annotation; None without it. Anything but "false" is true: a typo must not publish."""
    value = (fact.metadata.annotations or {}).get(PRIVATE_ANNOTATION)
    return None if value is None else value.strip().lower() != "false"


def _exported_to(
    fact: Service, namespace: Namespace | None, granted: frozenset[str], problems: list[Problem]
) -> frozenset[str] | None:
    """The namespaces that the annotation lists and those that a ReferenceGrant adds; None for all (`*`, or no
    annotation). What is wrong in that of the Namespace is the Namespace's problem."""
    names = annotation.exports(fact, problems)
    if names is None and namespace is not None:
        names = annotation.exports(namespace, [])
    return None if names is None or "*" in names else names - {"."} | granted


def _endpoints(fact: Service, port: ServicePort, merged: endpoints.Merged) -> tuple[Endpoint, ...]:
    families = merged.get(port.name or "", {})
    return endpoints.ordered(_used(fact.spec.ip_families, families))


def _used(order: Sequence[str] | None, families: Mapping[str, endpoints.ByAddress]) -> Iterable[Endpoint]:
    """The endpoints of one family: the first in `order` with a healthy one, else the first with any.

    Without an order the families may describe different pods, so all are used: an API server always
    sets `ipFamilies`, manifests in files and the short mapping leave it out or empty.
    """
    if not order:
        return itertools.chain.from_iterable(family.values() for family in families.values())
    present = [families[family].values() for family in order if families.get(family)]
    healthy = (family for family in present if any(e.state is EndpointState.HEALTHY for e in family))
    return next(healthy, present[0] if present else ())
