"""The configuration of xDS servers: which Services a server belongs to, and what the policies of these mean for a port.

A policy of a Service is about the ports that the Service sends requests to. As long as the number of a named target
port is not known, the policy applies to every port: a server must not serve without it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.security import ServerConfiguration, TlsMode
from steerway.catalog.routing.attachment import Attachments, Get, rank
from steerway.catalog.security.access import authorization
from steerway.catalog.security.namespace_index import NamespaceIndex
from steerway.catalog.security.precedence import (
    ServerDefaults,
    default_of,
    first,
    is_on,
    mode_of,
    tls_of,
    unsupported_of,
)
from steerway.catalog.security.workload import Workload, Workloads
from steerway.sources.objects.core import ObjectKey, Pod, Service, ServicePort
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.server_policy import ServerPolicy

Numbers = dict[str, frozenset[int]]
"""Port name → the numbers of the target port, as EndpointSlices have them."""

_SETTINGS = "settings"


class _ServedPort(NamedTuple):
    """A port of a Service that a listening port is behind."""

    service: ServiceId
    port: str


class Servers:
    """Configurations, from the objects that `get` gives. The catalog notes what it learns of Services."""

    def __init__(self, attachments: Attachments, defaults: ServerDefaults) -> None:
        self.defaults = defaults
        self._attachments = attachments
        self._workloads = Workloads()
        self._numbers: dict[ServiceId, Numbers] = {}
        self._namespaces: dict[str, NamespaceIndex] = {}

    def forget(self, namespaces: Iterable[str]) -> None:
        """Services or policies of these changed."""
        for namespace in namespaces:
            self._namespaces.pop(namespace, None)

    def workload(self, pod: Pod) -> str:
        """The name of the workload of a Pod."""
        return self._workloads.of_pod(pod)

    def claimed(self, services: Sequence[str]) -> str:
        """The name of servers whose Pod is not known, and which claim Services of their namespace."""
        return self._workloads.of_claim(services)

    def note_numbers(self, id: ServiceId, numbers: Numbers) -> bool:
        """Note the numbers of the named target ports of a Service, none for one that is gone; whether they changed."""
        if self._numbers.get(id, {}) == numbers:
            return False
        if numbers:
            self._numbers[id] = numbers
        else:
            del self._numbers[id]
        return True

    def configuration(
        self, get: Get, services: Collection[ServiceId], namespace: str, workload: str, port: int
    ) -> ServerConfiguration:
        """What servers of a workload ("" or one that is not known: not identified) get for a port that they listen on.
        `services`: all of the namespace."""
        index = self._index(get, services, namespace)
        known = self._workloads.get(workload)
        if known is None and index.targeted is not None:
            return ServerConfiguration(fault=_unidentified(namespace, index.targeted))
        served = [] if known is None else list(self._served(index, known, port))
        ids = sorted({part.service for part in served})
        targets = served or [_ServedPort(ServiceId(namespace, ""), "")]
        tls, tls_origin = self._tls(index, targets)
        deny, deny_origin = self._strictest(index, targets, default_of, "Deny", self.defaults.deny)
        refuse, _ = self._strictest(
            index, targets, unsupported_of, "Refuse", not self.defaults.serve_unsupported
        )
        rules = sorted(index.rules(id.name for id in ids), key=rank)
        applying = [policy for policy in rules if _applies(policy, served)]
        origins = [("tls", tls_origin), ("authorization.default", deny_origin)]
        origins += (("authorization", str(policy.key)) for policy in applying)
        return ServerConfiguration(
            tls,
            authorization(applying, self.defaults.trust_domain, default_deny=deny),
            not refuse,
            tuple(ids),
            tuple(origins),
        )

    def _index(self, get: Get, services: Iterable[ServiceId], namespace: str) -> NamespaceIndex:
        if (index := self._namespaces.get(namespace)) is None:
            objects = ((id, get(ObjectKey("Service", *id))) for id in services)
            index = self._namespaces[namespace] = NamespaceIndex(
                ((id, fact) for id, fact in objects if isinstance(fact, Service)),
                self._attachments.server_policies(get, namespace),
                self._attachments.authorization_policies(get, namespace),
            )
        return index

    def _served(self, index: NamespaceIndex, workload: Workload, port: int) -> Iterator[_ServedPort]:
        """The ports of Services that a listening port of a workload is behind, or may be."""
        for id, fact in index.selecting(workload):
            for item in fact.spec.ports or ():
                numbers = self.target_numbers(id, item)
                if item.is_tcp and (not numbers or port in numbers):
                    yield _ServedPort(id, item.name or "")

    def target_numbers(self, id: ServiceId, port: ServicePort) -> frozenset[int]:
        """The numbers that servers behind a port of a Service listen on; empty while they are not known."""
        target = port.target_port
        if isinstance(target, str):
            return self._numbers.get(id, {}).get(port.name or "", frozenset())
        return frozenset({target or port.port})

    def _tls(self, index: NamespaceIndex, targets: Iterable[_ServedPort]) -> tuple[TlsMode, str]:
        modes: list[tuple[TlsMode, str]] = []
        for target in targets:
            name = target.service.name
            chosen = first(index.policies(name), name, target.port, tls_of)
            modes.append(
                (self.defaults.tls, _SETTINGS) if chosen is None else (mode_of(chosen[0]), str(chosen[1].key))
            )
        return max(modes, key=lambda item: item[0])

    def _strictest(
        self,
        index: NamespaceIndex,
        targets: Iterable[_ServedPort],
        part: Callable[[ServerPolicy], str | None],
        strict: str,
        default: bool,
    ) -> tuple[bool, str]:
        """Whether a part has its strict value for any of the targets, and where from."""
        values: list[tuple[bool, str]] = []
        for target in targets:
            name = target.service.name
            chosen = first(index.policies(name), name, target.port, part)
            values.append(
                (default, _SETTINGS) if chosen is None else (chosen[0] == strict, str(chosen[1].key))
            )
        return max(values, key=lambda item: item[0])


def _applies(policy: AuthorizationPolicy, served: Iterable[_ServedPort]) -> bool:
    return is_on(policy, "", "") or any(
        is_on(policy, part.service.name, section) for part in served for section in {part.port, ""}
    )


def _unidentified(namespace: str, policy: ServerPolicy | AuthorizationPolicy) -> str:
    return (
        f"the server is not identified, and {policy.key} is for single Services of namespace {namespace}: let steerway"
        " follow Pods, or set steerway.io/service in the metadata of the server's Node"
    )
