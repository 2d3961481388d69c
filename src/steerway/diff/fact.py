"""A service as facts, one line of text each, so that two states of it can be compared field by field.

The words are those of `steerway explain`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from steerway.catalog.model.mesh import Endpoint, Port, Service, ServiceId
from steerway.catalog.service.metadata import ServiceMetadata
from steerway.explain import fact, wording
from steerway.translate.destination import Find


class Fact(NamedTuple):
    """What a fact is about: `port` "" for the service as a whole, `subject` an endpoint's address or a rule."""

    port: str
    field: str
    subject: str = ""


Facts = dict[Fact, str]


def of(service: Service | None, find: Find) -> Facts:
    """Facts of a service; none of one that does not exist."""
    return {} if service is None else dict(_of_service(service, find))


def _of_service(service: Service, find: Find) -> Iterator[tuple[Fact, str]]:
    exported = service.exported_to
    words = {
        "external name": service.external_name,
        "private": "yes" if service.private else "",
        "exported to": "" if exported is None else ", ".join(sorted({service.id.namespace, *exported})),
        "internalTrafficPolicy": "Local" if service.local_only else "",
        "trafficDistribution": service.distribution,
        "not a target": service.outside,
    }
    yield from ((Fact("", field), value) for field, value in words.items() if value)
    for port in service.ports:
        yield from _of_port(service, port, find)


def _of_port(service: Service, port: Port, find: Find) -> Iterator[tuple[Fact, str]]:
    label = port.label
    document = fact.of(service, port, ServiceMetadata(), service.id.namespace, find)
    protocol, tls = document["protocol"], document["backend_tls"]
    yield Fact(label, "protocol"), protocol["name"] or "gRPC"
    if tls is not None:
        yield Fact(label, "TLS"), tls["fault"] or f"for {tls['hostname']}, by {tls['policy']}"
    for endpoint in port.endpoints:
        yield Fact(label, "endpoint", _address(endpoint)), _endpoint(endpoint)
    for section in wording.spoken(port.policy):
        yield Fact(label, f"policy {section['section']}"), f"{section['value']} (by {section['source']})"
    yield from (
        (Fact(label, "route", subject), text)
        for subject, text in (_rule(rule, find) for rule in document["rules"])
    )


def _address(endpoint: Endpoint) -> str:
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{host}:{endpoint.port}"


def _endpoint(endpoint: Endpoint) -> str:
    zone = f"zone {endpoint.locality.zone}" if endpoint.locality.zone else "no zone"
    hints = f", for {' '.join((*endpoint.for_zones, *endpoint.for_nodes))}"
    return f"{endpoint.state.value}, {zone}" + (hints if endpoint.for_zones or endpoint.for_nodes else "")


def _rule(rule: dict[str, Any], find: Find) -> tuple[str, str]:
    """The rule with its match, and what it does."""
    whose = "" if rule["kind"] == "producer" else f" for clients in {rule['namespace']}"
    total = sum(backend["weight"] for backend in rule["backends"]) or 1
    backends = ", ".join(_backend(backend, total, find) for backend in rule["backends"])
    policy = [f"{section['section']} {section['value']}" for section in rule["policy"]]
    return f"{rule['rule']}{whose}, {rule['match']}", "; ".join(
        filter(None, (backends, *rule["actions"], *policy))
    )


def _backend(backend: dict[str, Any], total: int, find: Find) -> str:
    share = f"{backend['port'] or 'no Service'} {100 * backend['weight'] / total:.3g} %"
    if not backend["served"]:
        return f"{share} (calls fail)"
    return f"{share} (no endpoint)" if _is_empty(backend["port"], find) else share


def _is_empty(text: str, find: Find) -> bool:
    """Whether no endpoint of a port (`NAMESPACE/NAME:PORT`) takes traffic."""
    id, _, number = text.rpartition(":")
    service = find(ServiceId(*id.split("/", 1)))
    port = None if service is None else service.port(int(number))
    return service is not None and not service.external_name and (port is None or not port.has_healthy)
