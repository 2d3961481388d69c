"""What to report about each object in files, by severity.

It evaluates what the manifests would serve as a whole; the loader reports a document that is broken by itself.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from steerway.catalog.catalog import Catalog
from steerway.catalog.model.mesh import ServiceId
from steerway.catalog.model.security import TlsMode
from steerway.catalog.security import never
from steerway.catalog.service import connection, slice_owner
from steerway.catalog.service.scope import Selection
from steerway.config import Settings
from steerway.control.wiring import server_defaults
from steerway.errors import TranslateError
from steerway.explain import limitation
from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.sources.files import LoadResult
from steerway.sources.objects.core import (
    SERVICE_NAME_LABEL,
    EndpointSlice,
    Object,
    ObjectKey,
    Service,
    XdsResource,
)
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.status.condition import ACCEPTED, LIMITED, PROGRAMMED, ObjectStatus
from steerway.status.evaluation import StatusEvaluator
from steerway.status.reference_resolver import ReferenceResolver
from steerway.translate.xds import raw


class Level(enum.Enum):
    """The severity of a finding, the worst first."""

    ERROR = "error"
    """The object, or a part of it, is not served, or is a mistake."""
    WARNING = "warning"
    """The object is served, and calls fail all the same."""
    NOTE = "note"
    """A consequence that may be intended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`about` is the key of the object as text. `unused`: no part of the object is served."""

    level: Level
    about: str
    reason: str
    hint: str = ""
    unused: bool = False


def findings(
    result: LoadResult, settings: Settings | None, *, complete: bool = False
) -> Mapping[str, tuple[Finding, ...]]:
    """All findings by object, the worst first. `complete`: these are all objects of a cluster, not some of files."""
    by_object: dict[str, list[Finding]] = {}
    for finding in dict.fromkeys(_Review(result, settings, complete).all()):
        by_object.setdefault(finding.about, []).append(finding)
    order = list(Level)
    return {
        about: tuple(sorted(group, key=lambda finding: order.index(finding.level)))
        for about, group in by_object.items()
    }


def selection(settings: Settings | None) -> Selection:
    """What the settings serve of all Services."""
    if settings is None:
        return Selection()
    only = frozenset(settings.upstream_services)
    return Selection(only, settings.service_selector, settings.namespace_selector)


class _Review:
    def __init__(self, result: LoadResult, settings: Settings | None, complete: bool) -> None:
        self._result = result
        self._complete = complete
        self._where = "the cluster" if complete else "these files"
        self._objects = {obj.key: obj for obj in result.objects}
        self._subjects = {entry.subject for entry in result.documents}
        self._catalog = Catalog(selection(settings), server_defaults=server_defaults(settings or Settings()))
        self._catalog.update(self._objects.get, self._objects)

    def all(self) -> Iterator[Finding]:
        for problem in self._catalog.problems():
            level = Level.WARNING if problem.partial else Level.ERROR
            yield Finding(level, problem.where, problem.reason, problem.hint)
        for obj in self._result.objects:
            with isolated("finding", object=obj.key) as run:
                yield from self._of(obj)
            if run.failure:
                reason = f"internal error: {run.failure}"
                yield Finding(Level.ERROR, str(obj.key), reason, isolation.HINT)
        yield from self._attached()
        yield from self._unread()

    def _of(self, obj: Object) -> Iterator[Finding]:
        if isinstance(obj, Service):
            yield from self._service(obj)
        elif isinstance(obj, EndpointSlice):
            yield from self._slice(obj)
        elif isinstance(obj, XdsResource):
            yield from self._resource(obj)
        elif isinstance(obj, AuthorizationPolicy):
            yield from self._authorization(obj)

    def _service(self, fact: Service) -> Iterator[Finding]:
        """Why a Service is not served, or has no endpoints."""
        about, id = str(fact.key), ServiceId(fact.metadata.namespace, fact.metadata.name)
        if reason := self._catalog.left_out(id):
            yield Finding(Level.NOTE, about, f"it {reason}", unused=True)
            return
        service = self._catalog.service(id)
        if service is None:
            return
        for port in service.ports:
            if note := connection.note(port):
                yield Finding(Level.NOTE, about, f"port {port.label}: {note}")
        if service.external_name:
            return
        known = self._catalog.metadata(self._objects.get, id)
        for port in service.ports:
            if port.has_healthy:
                continue
            reason = "; ".join(known.missing.get(port.number, ()))
            if known.slices:
                # Calls fail, unless routes send them elsewhere.
                routed = port.routing.producer is not None or bool(port.routing.consumers)
                level = Level.NOTE if routed else Level.WARNING
                yield Finding(level, about, f"port {port.label} has no endpoints: {reason}")
            else:
                # The controller of EndpointSlices adds them later to what files have.
                level = Level.WARNING if self._complete else Level.NOTE
                yield Finding(level, about, f"it has no endpoints in {self._where}: {reason}")

    def _slice(self, slice_: EndpointSlice) -> Iterator[Finding]:
        """Why it is not used for a Service. A broken Service is reported as such, and its slices are not; one that
        nothing claims is a problem of the catalog."""
        about, id = str(slice_.key), slice_owner.owner(slice_)
        if id is None:
            if label := slice_owner.foreign(slice_):
                reason = f"not read: another controller's, by its label {label}"
                yield Finding(Level.NOTE, about, reason, unused=True)
            return
        if ObjectKey("Service", *id) not in self._subjects:
            hint = f"add that Service, or fix the label {SERVICE_NAME_LABEL}"
            yield Finding(Level.ERROR, about, f"its Service {id} is not in {self._where}", hint)
        elif reason := self._catalog.left_out(id):
            yield Finding(Level.NOTE, about, f"its Service {id} {reason}", unused=True)

    def _resource(self, resource: XdsResource) -> Iterator[Finding]:
        """Why it is no message of its type."""
        try:
            raw.parse(resource.type_url, resource.body, resource.ttl)
        except TranslateError as error:
            hint = "see the type's reference in Envoy's API documentation"
            yield Finding(Level.ERROR, str(resource.key), str(error), hint)

    def _authorization(self, policy: AuthorizationPolicy) -> Iterator[Finding]:
        """Rules that match no call. Names are compared where there are objects that list them."""
        about = str(policy.key)
        trust_domain = self._catalog.servers.defaults.trust_domain
        for unmatched in never.unmatched(
            policy, trust_domain, self._named("Namespace"), self._named("ServiceAccount")
        ):
            level = Level.WARNING if unmatched.certain else Level.NOTE
            reason = (
                unmatched.reason
                if unmatched.certain
                else f"{unmatched.reason}, by the objects of {self._where}"
            )
            yield Finding(level, about, reason, unmatched.hint)
        if any(rule.from_ is not None for rule in policy.spec.rules or ()) and self._without_identities(
            policy
        ):
            reason = (
                "rules with from match no call: its servers speak plaintext, so that clients have no identity"
            )
            yield Finding(Level.WARNING, about, reason, "write a ServerPolicy with tls")

    def _named(self, kind: str) -> frozenset[str]:
        """The names of the objects of a kind, also of those that are not read."""
        return frozenset(
            entry.name.rpartition("/")[2] for entry in self._result.documents if entry.kind == kind
        )

    def _without_identities(self, policy: AuthorizationPolicy) -> bool:
        """Whether all ports of the Services of a policy are without TLS; False without any port."""
        space, refs = policy.metadata.namespace, policy.spec.target_refs
        if refs is None:
            services = [service for service in self._catalog if service.id.namespace == space]
            ports = [port for service in services for port in service.ports]
        else:
            targets = ((self._catalog.service(ServiceId(space, ref.name)), ref.section_name) for ref in refs)
            ports = [
                port
                for service, name in targets
                for port in (service.ports if service is not None else ())
                if name in (None, port.name)
            ]
        return bool(ports) and all(port.mtls.mode is TlsMode.OFF for port in ports)

    def _attached(self) -> Iterator[Finding]:
        """Routes and policies that are not used, wholly or in part."""

        def absent(key: ObjectKey) -> str:
            return "is broken" if key in self._subjects else f"is not in {self._where}"

        get, service = self._objects.get, self._catalog.service
        outside = partial(self._catalog.outside, get)
        attachments = self._catalog.attachments
        resolver = ReferenceResolver(get, attachments, service, service, limitation.stated, absent, outside)
        target_statuses = StatusEvaluator(resolver)
        target_statuses.evaluate(len(self._objects))
        refused = target_statuses.problems()
        for problem in refused:
            yield Finding(Level.ERROR, problem.where, problem.reason, problem.hint)
        for key, object_status in target_statuses.object_statuses.items():
            yield from _evaluated(str(key), object_status)

    def _unread(self) -> Iterator[Finding]:
        """Objects of kinds that are not read, and that leave a Service without endpoints."""
        for entry in self._result.documents:
            if not entry.remark or entry.subject is None:
                continue
            id = ServiceId(entry.subject.namespace, entry.subject.name)
            service = self._catalog.service(id)
            if service is not None and not any(port.has_healthy for port in service.ports):
                reason = f"{entry.kind} are not read in files, and Service {id} has no endpoints"
                yield Finding(Level.WARNING, str(entry.subject), reason, entry.remark)


def _evaluated(about: str, object_status: ObjectStatus) -> Iterator[Finding]:
    unused = not object_status.target_statuses
    for ignored in object_status.ignored:
        if not ignored.hint:  # else it is an error
            yield Finding(Level.NOTE, about, ignored.message, unused=unused)
    if unused and not object_status.ignored:
        yield Finding(Level.NOTE, about, "it is attached to nothing", unused=True)
    if object_status.refusals:
        return  # its consequences need no findings of their own
    for target_status in object_status.target_statuses:
        for condition in target_status.conditions:
            if condition.type == PROGRAMMED and not condition.status and target_status.is_true(ACCEPTED):
                yield Finding(Level.WARNING, about, condition.message, condition.hint)
            elif condition.type == LIMITED and condition.status:
                yield Finding(Level.NOTE, about, condition.message)
