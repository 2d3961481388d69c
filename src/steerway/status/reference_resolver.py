"""The objects that attached objects refer to, and why a reference cannot be resolved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import Port, Service
from steerway.catalog.model.policy import Policy
from steerway.catalog.model.route import Table
from steerway.catalog.policy import traffic
from steerway.catalog.routing import rule
from steerway.catalog.routing.attachment import Attachments, Get, Route, backend_of
from steerway.sources.objects.core import EXPORT_ANNOTATION, ObjectKey
from steerway.sources.objects.core import Service as ServiceFact
from steerway.sources.policy.gateway import BackendRef
from steerway.sources.policy.traffic_policy import TrafficPolicy

Find = Callable[[ServiceId], Service | None]
Limits = Callable[[Table | Policy], Sequence[str]]
"""The limitations of current clients for the rules of a route, or for a policy, as sentences."""


class Unresolved(NamedTuple):
    """Why a reference cannot be resolved: a reason of ResolvedRefs, a message, and the fix."""

    reason: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ReferenceResolver:
    """`get` gives objects, `local` the services that routes and policies are attached to, `find` those that may be
    backends, of other clusters too. `limits` lists limitations of clients. `outside` is what leaves a Service out of
    the scope, as the end of a sentence, `absent` the reason why an object is unknown.

    The scope only decides which parents and targets have a status, so that installations with different scopes write
    the same.
    """

    get: Get
    attachments: Attachments
    local: Find
    find: Find
    limits: Limits
    absent: Callable[[ObjectKey], str] = lambda _: "does not exist"
    outside: Callable[[ServiceId], str] = lambda _: ""

    _limits: dict[ObjectKey, tuple[Route | TrafficPolicy, Sequence[str]]] = field(default_factory=dict)
    """By the object itself: an object is evaluated far more often than it changes."""

    def covers(self, key: ObjectKey) -> bool:
        """Whether a parent or target has a status: a Service in the scope, or a route that has one as its
        parent, or none at all."""
        if key.kind == "Service":
            return not self.outside(ServiceId(key.namespace, key.name))
        parents = self.attachments.parents(key)
        return not parents or any(not self.outside(id) for id in parents)

    def limits_of(self, obj: Route | TrafficPolicy) -> Sequence[str]:
        """The limitations of current clients for an object."""
        known = self._limits.get(obj.key)
        if known is None or known[0] is not obj:
            stated = traffic.of_object(obj) if isinstance(obj, TrafficPolicy) else rule.entries(obj)
            known = obj, self.limits(stated)
            self._limits[obj.key] = known
        return known[1]

    def forget(self, key: ObjectKey) -> None:
        """Remove a deleted object."""
        self._limits.pop(key, None)

    def why_unserved(self, id: ServiceId) -> str:
        """Why a service is not served, as the end of a sentence about it."""
        key = ObjectKey("Service", *id)
        if self.get(key) is None:
            return self.absent(key)
        return self.outside(id) or "is not served"

    def unresolved(self, route: Route, ref: BackendRef) -> Unresolved | None:
        """Why clients of the route cannot use a backend; None when they can."""
        id = backend_of(route, ref)
        if id is None:
            kind = f"{ref.kind} of {ref.group}" if ref.group else ref.kind
            return Unresolved(
                "InvalidKind", f"{kind} {ref.name} is not a Service", "name a Service as backend"
            )
        if ref.port is None:
            return Unresolved("BackendNotFound", f"the backend {id} has no port", "give the backend a port")
        service = self.find(id)
        port = None if service is None else service.port(ref.port)
        if port is None and self._is_other_protocol(id, ref.port):
            message = f"port {ref.port} of Service {id} is not TCP"
            return Unresolved("UnsupportedProtocol", message, "name a TCP port")
        if service is None:
            hint = "create that Service, or fix the name"
            return Unresolved("BackendNotFound", f"Service {id} {self.why_unserved(id)}", hint)
        if not service.backs(route.metadata.namespace):
            return _not_permitted(service, route.metadata.namespace)
        if port is None:
            hint = "add the port to the Service, or fix the number"
            return Unresolved("BackendNotFound", f"Service {id} has no port {ref.port}", hint)
        return None

    def port(self, route: Route, ref: BackendRef) -> Port | None:
        """The port that a reference names; None when it does not exist."""
        id = backend_of(route, ref)
        service = None if id is None else self.find(id)
        return None if service is None or ref.port is None else service.port(ref.port)

    def _is_other_protocol(self, id: ServiceId, number: int) -> bool:
        fact = self.get(ObjectKey("Service", *id))
        ports = fact.spec.ports or () if isinstance(fact, ServiceFact) else ()
        return any(port.port == number and not port.is_tcp for port in ports)


def _not_permitted(service: Service, namespace: str) -> Unresolved:
    if service.is_for(namespace):
        message = f"Service {service.id} is private: clients of {namespace} cannot use it"
        return Unresolved("RefNotPermitted", message, "use another Service, or make it public")
    message = f"Service {service.id} is not exported to {namespace}"
    hint = f"add {namespace} to its annotation {EXPORT_ANNOTATION}, or write a ReferenceGrant"
    return Unresolved("RefNotPermitted", message, hint)
