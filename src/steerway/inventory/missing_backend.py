"""Requests of a service's routes that fail since their backends do not exist."""

from collections.abc import Callable, Iterator
from typing import Literal

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import Service
from steerway.catalog.model.route import BackendPort, Rule

Find = Callable[[ServiceId], Service | None]
Missing = Literal["all", "some", "none"]
"""all: every request of a rule fails; some: the share of a backend."""


def backend_services(service: Service) -> frozenset[ServiceId]:
    """The services of all backends of its routes."""
    return frozenset(
        backend.to.service for rule in _rules(service) for backend in rule.backends if backend.to is not None
    )


def missing(service: Service, find: Find) -> Missing:
    """Of the rule that is worst off. A rule without backends is meant to fail."""
    worst: Missing = "none"
    for rule in _rules(service):
        weighted = [backend for backend in rule.backends if backend.weight]
        lost = [backend for backend in weighted if not _exists(backend.to, find)]
        if lost and len(lost) == len(weighted):
            return "all"
        if lost:
            worst = "some"
    return worst


def _rules(service: Service) -> Iterator[Rule]:
    for port in service.ports:
        for table in port.routing.tables:
            yield from (rule for _, rule in table)


def _exists(to: BackendPort | None, find: Find) -> bool:
    service = None if to is None else find(to.service)
    return to is not None and service is not None and service.port(to.port) is not None
