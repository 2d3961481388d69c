"""Which ServerPolicies count: one for a port before one for its Service, then one for the namespace, then the settings.

Each part of a policy (`tls`, `authorization.default`, `authorization.unsupported`) counts on its own. Of policies for
the same target the older one counts (`attachment.rank`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from steerway.catalog.model.security import TlsMode
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.server_policy import ServerPolicy, ServerTlsSection

_MODES = {"Off": TlsMode.OFF, "Permissive": TlsMode.PERMISSIVE, "Strict": TlsMode.STRICT}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServerDefaults:
    """What applies without a policy: the settings `identity.trust_domain` and `xds_servers`."""

    trust_domain: str
    tls: TlsMode = TlsMode.OFF
    deny: bool = False
    serve_unsupported: bool = False


def mode_of(section: ServerTlsSection) -> TlsMode:
    """The mode that a section states."""
    return _MODES[section.mode]


def is_on(policy: ServerPolicy | AuthorizationPolicy, service: str, section: str) -> bool:
    """Whether a policy targets exactly this port of a Service, by name; section "": the whole Service; both "": the
    namespace."""
    refs = policy.spec.target_refs
    if refs is None:
        return not service
    return any((ref.name, ref.section_name or "") == (service, section) for ref in refs)


def levels(service: str, port: str) -> Iterator[tuple[str, str]]:
    """The targets that concern a port of a Service ("": a server without one), the most specific first."""
    if service and port:
        yield service, port
    if service:
        yield service, ""
    yield "", ""


def first(
    policies: Sequence[ServerPolicy],
    service: str,
    port: str,
    part: Callable[[ServerPolicy], _T | None],
) -> tuple[_T, ServerPolicy] | None:
    """The value of a part that counts for a port of a Service, with the policy that sets it. `policies` of one
    namespace, in the order of `attachment.rank`."""
    for target, section in levels(service, port):
        for policy in policies:
            if is_on(policy, target, section) and (value := part(policy)) is not None:
                return value, policy
    return None


def tls_of(policy: ServerPolicy) -> ServerTlsSection | None:
    return policy.spec.tls


def default_of(policy: ServerPolicy) -> str | None:
    return policy.spec.authorization.default if policy.spec.authorization is not None else None


def unsupported_of(policy: ServerPolicy) -> str | None:
    return policy.spec.authorization.unsupported if policy.spec.authorization is not None else None
