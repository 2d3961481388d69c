"""One authorisation rule, as settings give it. What it means: `steerway.access.rules`."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from steerway.config.unit import LABEL

ServicePattern: TypeAlias = Annotated[
    str,
    Meta(pattern=rf"^(\*|({LABEL}|\.)/(\*|[A-Za-z0-9_]([-A-Za-z0-9_]{{0,61}}[A-Za-z0-9_])?))\Z"),
]
ClaimPattern: TypeAlias = Annotated[str, Meta(pattern=rf"^(\*|{LABEL})\Z")]


class IdentityPattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a rule is for: every pattern that is given must match. `*` stands for anything within one part."""

    namespace: str = ""
    service_account: str = ""
    spiffe_id: str = ""
    dns_name: str = ""
    token: str = ""


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One authorisation rule. `identity: {}` is every client that has proved who it is."""

    identity: IdentityPattern
    subscribe: tuple[ServicePattern, ...] = ()
    """Services that it may see: `NAMESPACE/SERVICE`, `NAMESPACE/*`, `./*` (its own namespace), `*`."""
    claim: tuple[ClaimPattern, ...] = ()
    """Namespaces of nodes that it may claim besides its own: a namespace, or `*`."""
