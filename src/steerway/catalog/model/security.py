"""TLS and authorization of xDS servers, and of their clients, in the mesh's own words.

Policies decide (`sources.policy`), `catalog.security` applies them, `translate` writes them as Listeners, routes and
Clusters. Identities are SPIFFE IDs; principals and paths here are texts of the final form, so that nothing after the
catalog needs the trust domain.

Sources: gRFC A29 and A65 (TLS), A36 (servers), A41 (RBAC).
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from steerway.catalog.model.identity import ServiceId


class TlsMode(enum.IntEnum):
    """What a server accepts; of two that apply the greater one counts."""

    OFF = 0
    """Plaintext."""
    PERMISSIVE = 1
    """TLS, with or without a client certificate."""
    STRICT = 2
    """TLS with a client certificate."""


class MatchType(enum.Enum):
    """How a text matches. A regular expression must match all of it."""

    EXACT = "Exact"
    PREFIX = "Prefix"
    REGULAR_EXPRESSION = "RegularExpression"
    PRESENT = "Present"


class TextMatch(NamedTuple):
    """`text` is "" with `PRESENT`, which only headers have."""

    type: MatchType
    text: str = ""


class HeaderMatch(NamedTuple):
    """`name` in lower case."""

    name: str
    match: TextMatch


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Matches a call whose client has one of `principals` (SPIFFE IDs), whose path (`/package.Service/Method`) matches
    one of `paths`, and that has all `headers`. None: any client, also one without a certificate; empty `paths`: any.

    `name` is unique and stable: `KIND NAMESPACE/NAME rule N`.
    """

    name: str
    principals: tuple[TextMatch, ...] | None = None
    paths: tuple[TextMatch, ...] = ()
    headers: tuple[HeaderMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Authorization:
    """Which calls a server accepts: none that a rule of `deny` matches; of the others those that a rule of `allow`
    matches, all with `allow` None. `audit_deny` and `audit_allow` are of policies in audit mode, which change no
    result."""

    deny: tuple[AccessRule, ...] = ()
    allow: tuple[AccessRule, ...] | None = None
    audit_deny: tuple[AccessRule, ...] = ()
    audit_allow: tuple[AccessRule, ...] | None = None

    @property
    def enforces(self) -> bool:
        """Whether a call may be refused."""
        return bool(self.deny) or self.allow is not None


EVERYTHING_ALLOWED = Authorization()


@dataclass(frozen=True, slots=True)
class ServerConfiguration:
    """What one listening port of the servers of a workload gets.

    `services`: those of the workload whose port it is. `serve_unsupported`: whether a server whose library has no RBAC
    is served without it. `origins`: the objects and settings that set the parts, by part. `fault`: why nothing is
    served; "" for none.
    """

    tls: TlsMode = TlsMode.OFF
    authorization: Authorization = EVERYTHING_ALLOWED
    serve_unsupported: bool = False
    services: tuple[ServiceId, ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class PortTls:
    """TLS of a service port, for its clients.

    `identities`: SPIFFE IDs that a server may have, sorted, never empty when `mode` is not OFF. `replaced_by`: number
    of the port whose endpoints the clients with a certificate provider get instead; 0: of this one. `origin` names the
    policy or setting.
    """

    mode: TlsMode = TlsMode.OFF
    identities: tuple[TextMatch, ...] = ()
    replaced_by: int = 0
    origin: str = ""


PLAINTEXT = PortTls()
