"""What steerway needs to be allowed by the API server, by setting: the rules of the chart's Roles derive from the same
features, and a test compares them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from steerway.config import Settings
from steerway.control.source import local_options
from steerway.control.status import lease_name
from steerway.sources.kubernetes.resource import (
    BACKEND_TLS_POLICIES,
    ENDPOINT_SLICES,
    GRPC_ROUTES,
    HTTP_ROUTES,
    NAMESPACES,
    OUR_KINDS,
    SERVICES,
)
from steerway.sources.kubernetes.source import followed_resources

_READ = ("list", "watch")
_WITH_STATUS = (GRPC_ROUTES, HTTP_ROUTES, BACKEND_TLS_POLICIES, *OUR_KINDS)


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs for a resource (`pods`, `grpcroutes/status`), in a namespace or (None) in the cluster; of one object if it
    has a `name`. `feature`: what needs it; `opt_out`: how to do without, "" if that is not possible."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    namespace: str | None
    feature: str
    opt_out: str = ""
    name: str = ""

    @property
    def text(self) -> str:
        """`list, watch pods in all namespaces`."""
        where = "in the cluster" if self.namespace is None else f"in namespace {self.namespace}"
        named = f" {self.name}" if self.name else ""
        group = f".{self.group}" if self.group else ""
        resource, slash, subresource = self.resource.partition("/")
        return f"{', '.join(self.verbs)} {resource}{group}{slash}{subresource}{named} {where}"


def permissions(settings: Settings, own_namespace: str) -> list[Permission]:
    """Every permission that the settings need, once. `own_namespace`: that of the pods."""
    needed: list[Permission] = []
    for namespace in scopes(settings, own_namespace):
        needed += _followed(settings, namespace)
        needed += _events(settings, namespace)
        needed += _status(settings, namespace)
    needed += _lease(settings, own_namespace)
    needed += _token_reviews(settings)
    needed += _injection(settings, own_namespace)
    return list(dict.fromkeys(needed))


def scopes(settings: Settings, own_namespace: str) -> Sequence[str | None]:
    """The namespaces that are served; (None,): all."""
    namespaces = local_options(settings).namespaces
    return (None,) if namespaces is None else (tuple(dict.fromkeys(namespaces)) or (own_namespace,))


def _followed(settings: Settings, namespace: str | None) -> Iterator[Permission]:
    for resource in followed_resources(local_options(settings), everywhere=namespace is None):
        feature = resource.loss or "Services and their endpoints, without which nothing is served"
        if resource is NAMESPACES:
            feature = "labels and annotations of Namespaces"
        opt_out = f"set {resource.opt_out}" if resource.opt_out else ""
        yield Permission(resource.group, resource.plural, _READ, namespace, feature, opt_out)


def _events(settings: Settings, namespace: str | None) -> Iterator[Permission]:
    if not settings.kubernetes.events:
        return
    feature, opt_out = "Events about objects", "set kubernetes.events to false"
    subjects = [SERVICES, ENDPOINT_SLICES, *([NAMESPACES] if namespace is None else [])]
    if settings.kubernetes.policies and not settings.kubernetes.status:
        subjects += _WITH_STATUS
    for resource in subjects:
        yield Permission(resource.group, resource.plural, ("get",), namespace, feature, opt_out)
    yield Permission("", "events", ("get", "create", "patch"), namespace, feature, opt_out)


def _status(settings: Settings, namespace: str | None) -> Iterator[Permission]:
    if not (settings.kubernetes.policies and settings.kubernetes.status):
        return
    feature, opt_out = "the status of policies and routes", "set kubernetes.status to false"
    for resource in _WITH_STATUS:
        yield Permission(resource.group, resource.plural, ("get",), namespace, feature, opt_out)
        status = f"{resource.plural}/status"
        yield Permission(resource.group, status, ("patch",), namespace, feature, opt_out)


def writes(settings: Settings) -> bool:
    """Whether a replica writes to the API server, which needs the Lease."""
    kubernetes = settings.kubernetes
    return kubernetes.events or (kubernetes.policies and kubernetes.status) or _issues_certificate(settings)


def _lease(settings: Settings, own_namespace: str) -> Iterator[Permission]:
    if writes(settings):
        feature = "the Lease of the replica that writes Events, status and the webhook's certificate"
        yield Permission(
            "coordination.k8s.io",
            "leases",
            ("get", "update"),
            settings.kubernetes.lease_namespace or own_namespace,
            feature,
            name=lease_name(settings),
        )


def _token_reviews(settings: Settings) -> Iterator[Permission]:
    if settings.authentication.service_account == "token_review":
        feature = "verification of service account tokens"
        opt_out = "set authentication.service_account to jwks or off"
        group = "authentication.k8s.io"
        yield Permission(group, "tokenreviews", ("create",), None, feature, opt_out)


def _injection(settings: Settings, own_namespace: str) -> Iterator[Permission]:
    if not _issues_certificate(settings):
        return
    injection, opt_out = (
        settings.injection,
        "set injection.certificate and injection.key to files of your own",
    )
    secret, verbs = injection.secret, ("get", "list", "watch", "update")
    yield Permission("", "secrets", verbs, own_namespace, "the certificate of the webhook", opt_out, secret)
    yield Permission(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        ("get", "patch"),
        None,
        "caBundle of the webhook",
        opt_out,
        injection.webhook,
    )


def _issues_certificate(settings: Settings) -> bool:
    return settings.injection.listen is not None and settings.injection.certificate is None
