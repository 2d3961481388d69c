"""What attached objects are judged by, and whether a reference from one leads anywhere."""

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
"""What current clients of some kind do not do of the rules of a route, or of a policy, as sentences."""


class Unresolved(NamedTuple):
    """Why a reference leads nowhere: a reason of ResolvedRefs, in words, and what to do about it."""

    reason: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ReferenceResolver:
    """`get` gives objects, `local` the services that routes and policies are attached to, `find` those that may be
    backends, of other clusters too. `limits` states what clients do not do. `outside` is what leaves a Service out of
    the scope, as the end of a sentence, `absent` what is the matter with an object that nobody knows.

    The scope decides about which parents and targets anything is said, and nothing else, so that installations with
    different scopes say the same.
    """

    get: Get
    attachments: Attachments
    local: Find
    find: Find
    limits: Limits
    absent: Callable[[ObjectKey], str] = lambda _: "does not exist"
    outside: Callable[[ServiceId], str] = lambda _: ""

    _limits: dict[ObjectKey, tuple[Route | TrafficPolicy, Sequence[str]]] = field(default_factory=dict)
    """By the object itself, for an object is judged again far more often than it changes."""

    def covers(self, key: ObjectKey) -> bool:
        """Whether anything is said about a parent or target: a Service in the scope, or a route that has one as its
        parent, or none at all."""
        if key.kind == "Service":
            return not self.outside(ServiceId(key.namespace, key.name))
        parents = self.attachments.parents(key)
        return not parents or any(not self.outside(id) for id in parents)

    def limits_of(self, obj: Route | TrafficPolicy) -> Sequence[str]:
        """What current clients of some kind do not do of an object."""
        known = self._limits.get(obj.key)
        if known is None or known[0] is not obj:
            stated = traffic.of_object(obj) if isinstance(obj, TrafficPolicy) else rule.entries(obj)
            known = obj, self.limits(stated)
            self._limits[obj.key] = known
        return known[1]

    def forget(self, key: ObjectKey) -> None:
        """The object is gone."""
        self._limits.pop(key, None)

    def why_unserved(self, id: ServiceId) -> str:
        """Why there is no such service, as the end of a sentence about it."""
        key = ObjectKey("Service", *id)
        if self.get(key) is None:
            return self.absent(key)
        return self.outside(id) or "is not served"

    def unresolved(self, route: Route, ref: BackendRef) -> Unresolved | None:
        """Why clients that the route is for get nothing of a backend; None when they do."""
        id = backend_of(route, ref)
        if id is None:
            kind = f"{ref.kind} of {ref.group}" if ref.group else ref.kind
            return Unresolved("InvalidKind", f"{kind} {ref.name} is no Service", "name a Service as backend")
        if ref.port is None:
            return Unresolved(
                "BackendNotFound", f"no port of Service {id} is named", "give the backend a port"
            )
        service = self.find(id)
        port = None if service is None else service.port(ref.port)
        if port is None and self._is_other_protocol(id, ref.port):
            message = f"port {ref.port} of Service {id} is not TCP, and gRPC is"
            return Unresolved("UnsupportedProtocol", message, "name a TCP port")
        if service is None:
            hint = "create that Service, or correct the name"
            return Unresolved("BackendNotFound", f"Service {id} {self.why_unserved(id)}", hint)
        if not service.backs(route.metadata.namespace):
            return _not_permitted(service, route.metadata.namespace)
        if port is None:
            hint = "add the port to the Service, or correct the number"
            return Unresolved("BackendNotFound", f"Service {id} has no port {ref.port}", hint)
        return None

    def port(self, route: Route, ref: BackendRef) -> Port | None:
        """The port that a reference leads to; None when it leads nowhere."""
        id = backend_of(route, ref)
        service = None if id is None else self.find(id)
        return None if service is None or ref.port is None else service.port(ref.port)

    def _is_other_protocol(self, id: ServiceId, number: int) -> bool:
        fact = self.get(ObjectKey("Service", *id))
        ports = fact.spec.ports or () if isinstance(fact, ServiceFact) else ()
        return any(port.port == number and not port.is_tcp for port in ports)


def _not_permitted(service: Service, namespace: str) -> Unresolved:
    if service.is_for(namespace):
        message = f"Service {service.id} is private, so that clients of {namespace} get nothing of it"
        return Unresolved("RefNotPermitted", message, "take a Service that is not, or make it public")
    message = f"Service {service.id} is not exported to {namespace}"
    hint = f"add {namespace} to its annotation {EXPORT_ANNOTATION}, or write a ReferenceGrant"
    return Unresolved("RefNotPermitted", message, hint)
