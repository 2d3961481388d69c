"""TLS of the ports of a Service, for its clients: the mode, and which identities its servers may have.

Secure naming: the SPIFFE IDs of the service accounts of the Pods behind the port. While none is known, any account of
the Service's namespace.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from steerway.catalog.model.identity import ServiceId, spiffe_id
from steerway.catalog.model.mesh import Endpoint, Port
from steerway.catalog.model.mesh import Service as CatalogService
from steerway.catalog.model.security import PLAINTEXT, MatchType, PortTls, TextMatch, TlsMode
from steerway.catalog.security.precedence import ServerDefaults, first, is_on, mode_of, tls_of
from steerway.catalog.security.workload import selects
from steerway.sources.objects.core import Pod, Service
from steerway.sources.policy.server_policy import ServerPolicy

PodsAt = Callable[[str], Iterable[Pod]]
"""The Pods with an address."""


def with_tls(
    service: CatalogService,
    fact: Service,
    policies: Sequence[ServerPolicy],
    defaults: ServerDefaults,
    pods_at: PodsAt,
) -> CatalogService:
    """The service with the TLS of its ports. `policies` of its namespace, in the order of `attachment.rank`."""
    if service.external_name or not (policies or defaults.tls):
        return service
    ports = tuple(
        replace(port, mtls=_port_tls(service, port, fact, policies, defaults, pods_at))
        for port in service.ports
    )
    return service if ports == service.ports else replace(service, ports=ports)


def _port_tls(
    service: CatalogService,
    port: Port,
    fact: Service,
    policies: Sequence[ServerPolicy],
    defaults: ServerDefaults,
    pods_at: PodsAt,
) -> PortTls:
    id = service.id
    chosen = first(policies, id.name, port.name, tls_of)
    mode, origin = (defaults.tls, "settings") if chosen is None else (mode_of(chosen[0]), str(chosen[1].key))
    replaced_by = _replacement(service, port, policies)
    if mode is TlsMode.OFF:
        return PortTls(replaced_by=replaced_by, origin=origin) if replaced_by else PLAINTEXT
    named = chosen[0].service_accounts if chosen is not None else None
    accounts = set(named) if named else set(_accounts(id, port.endpoints, fact, pods_at))
    return PortTls(mode, identities(id, accounts, defaults.trust_domain), replaced_by, origin)


def identities(id: ServiceId, accounts: Iterable[str], trust_domain: str) -> tuple[TextMatch, ...]:
    """What the certificates of servers with these accounts may have; any account of the namespace without one."""
    exact = tuple(
        TextMatch(MatchType.EXACT, spiffe_id(trust_domain, id.namespace, account))
        for account in sorted(accounts)
    )
    return exact or (TextMatch(MatchType.PREFIX, spiffe_id(trust_domain, id.namespace, "")),)


def _accounts(id: ServiceId, endpoints: Iterable[Endpoint], fact: Service, pods_at: PodsAt) -> Iterator[str]:
    """The accounts of the Pods behind endpoints. Pods on the network of a node share its address: the selector
    separates them."""
    selector = fact.spec.selector
    for endpoint in endpoints:
        for pod in pods_at(endpoint.address):
            own = pod.metadata.namespace == id.namespace and pod.spec.service_account_name
            if own and (not selector or selects(selector, pod.metadata.labels or {})):
                yield pod.spec.service_account_name


def _replacement(service: CatalogService, port: Port, policies: Sequence[ServerPolicy]) -> int:
    """The number of the port that replaces this one for clients with a certificate provider; 0: none."""
    for other in service.ports:
        for policy in policies:
            tls = policy.spec.tls
            if tls is None or other.number == port.number or not other.name:
                continue
            if port.name in (tls.replaces or ()) and is_on(policy, service.id.name, other.name):
                return other.number
    return 0
