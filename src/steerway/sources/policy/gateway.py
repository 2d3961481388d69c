"""Objects of the Gateway API: routes with a Service as parent (GAMMA), and what goes with them.

As slim as the objects of Kubernetes itself, and with the same limit: a field is here because some later stage reads it.
Filters keep their `type` when nothing else of them is read, so that what is not supported can be reported.

Field meanings: Gateway API reference, gateway.networking.k8s.io/v1 (the experimental channel's `retry` and
`sessionPersistence` among them); GEP-1294 and GEP-1324 for Services as parents.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from steerway.sources.objects.slim import AttachedMeta, ObjectKey, Slim
from steerway.sources.policy.duration import Duration

GROUP = "gateway.networking.k8s.io"


class ParentRef(Slim, frozen=True):
    """What a route is attached to. Group and kind default to those of a Gateway."""

    name: str
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str | None = None
    port: int | None = None
    section_name: str | None = None


class BackendRef(Slim, frozen=True):
    """A Service that gets requests. `weight` is relative to those of its rule."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None
    weight: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    filters: "list[Filter] | None" = None


class HeaderValue(Slim, frozen=True):
    name: str
    value: str = ""


class HeaderModifier(Slim, frozen=True):
    set: list[HeaderValue] | None = None
    add: list[HeaderValue] | None = None
    remove: list[str] | None = None


class Fraction(Slim, frozen=True):
    numerator: int
    denominator: int = 100


class Mirror(Slim, frozen=True):
    backend_ref: BackendRef
    percent: int | None = None
    fraction: Fraction | None = None


class PathModifier(Slim, frozen=True):
    type: str
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class Redirect(Slim, frozen=True):
    scheme: str | None = None
    hostname: str | None = None
    path: PathModifier | None = None
    port: int | None = None
    status_code: int = 302


class Rewrite(Slim, frozen=True):
    hostname: str | None = None
    path: PathModifier | None = None


class Filter(Slim, frozen=True):
    """One filter of a rule or backend; `type` selects the field that counts."""

    type: str
    request_header_modifier: HeaderModifier | None = None
    response_header_modifier: HeaderModifier | None = None
    request_mirror: Mirror | None = None
    request_redirect: Redirect | None = None
    url_rewrite: Rewrite | None = msgspec.field(default=None, name="urlRewrite")


class HeaderMatch(Slim, frozen=True):
    name: str
    value: str
    type: str = "Exact"


class MethodMatch(Slim, frozen=True):
    type: str = "Exact"
    service: str | None = None
    method: str | None = None


class GRPCMatch(Slim, frozen=True):
    method: MethodMatch | None = None
    headers: list[HeaderMatch] | None = None


class CookieConfig(Slim, frozen=True):
    lifetime_type: str = "Session"


class SessionPersistence(Slim, frozen=True):
    """Which requests belong together (GEP-1619)."""

    session_name: str | None = None
    absolute_timeout: Duration | None = None
    idle_timeout: Duration | None = None
    type: str = "Cookie"
    cookie_config: CookieConfig | None = None


class GRPCRule(Slim, frozen=True):
    name: str | None = None
    matches: list[GRPCMatch] | None = None
    filters: list[Filter] | None = None
    backend_refs: list[BackendRef] | None = None
    session_persistence: SessionPersistence | None = None


class GRPCRouteSpec(Slim, frozen=True):
    parent_refs: list[ParentRef] | None = None
    hostnames: list[str] | None = None
    rules: list[GRPCRule] | None = None


class GRPCRoute(Slim, frozen=True):
    metadata: AttachedMeta
    spec: GRPCRouteSpec = GRPCRouteSpec()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("GRPCRoute", self.metadata.namespace, self.metadata.name)


class PathMatch(Slim, frozen=True):
    type: str = "PathPrefix"
    value: str = "/"


class HTTPMatch(Slim, frozen=True):
    path: PathMatch | None = None
    headers: list[HeaderMatch] | None = None
    query_params: list[HeaderMatch] | None = None
    method: str | None = None


class Timeouts(Slim, frozen=True):
    request: Duration | None = None
    backend_request: Duration | None = None


class Retry(Slim, frozen=True):
    codes: list[int] | None = None
    attempts: int | None = None
    backoff: Duration | None = None


class HTTPRule(Slim, frozen=True):
    name: str | None = None
    matches: list[HTTPMatch] | None = None
    filters: list[Filter] | None = None
    backend_refs: list[BackendRef] | None = None
    timeouts: Timeouts | None = None
    retry: Retry | None = None
    session_persistence: SessionPersistence | None = None


class HTTPRouteSpec(Slim, frozen=True):
    parent_refs: list[ParentRef] | None = None
    hostnames: list[str] | None = None
    rules: list[HTTPRule] | None = None


class HTTPRoute(Slim, frozen=True):
    metadata: AttachedMeta
    spec: HTTPRouteSpec = HTTPRouteSpec()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("HTTPRoute", self.metadata.namespace, self.metadata.name)


class GrantFrom(Slim, frozen=True):
    group: str
    kind: str
    namespace: str


class GrantTo(Slim, frozen=True):
    group: str
    kind: str
    name: str | None = None


class ReferenceGrantSpec(Slim, frozen=True):
    from_: list[GrantFrom] | None = msgspec.field(default=None, name="from")
    to: list[GrantTo] | None = None


class ReferenceGrant(Slim, frozen=True):
    """Lets objects of other namespaces refer to those of its own."""

    metadata: AttachedMeta
    spec: ReferenceGrantSpec = ReferenceGrantSpec()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("ReferenceGrant", self.metadata.namespace, self.metadata.name)


class TargetRef(Slim, frozen=True):
    """What a policy is attached to, in its own namespace."""

    group: str
    kind: str
    name: str
    section_name: str | None = None


class SubjectAltName(Slim, frozen=True):
    type: str = ""
    hostname: str | None = None
    uri: str | None = None


class CertificateRef(Slim, frozen=True):
    """An object with a CA certificate, in the policy's own namespace."""

    group: str = ""
    kind: str = ""
    name: str = ""


class BackendTLSValidation(Slim, frozen=True):
    """Nothing is required: an incomplete one gets a condition (`catalog.routing.backend_tls`): if it were not read the
    connection would be in plaintext."""

    hostname: str = ""
    ca_certificate_refs: list[CertificateRef] | None = None
    well_known_ca_certificates: str | None = msgspec.field(default=None, name="wellKnownCACertificates")
    subject_alt_names: list[SubjectAltName] | None = None


class BackendTLSPolicySpec(Slim, frozen=True):
    target_refs: list[TargetRef]
    validation: BackendTLSValidation = BackendTLSValidation()


class BackendTLSPolicy(Slim, frozen=True):
    """That connections to a backend are TLS, and how its certificate is verified."""

    metadata: AttachedMeta
    spec: BackendTLSPolicySpec

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("BackendTLSPolicy", self.metadata.namespace, self.metadata.name)
