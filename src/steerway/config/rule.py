"""One authorisation rule, as settings give it. What it means: `steerway.access.rules`."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from steerway.config.unit import LABEL

ServicePattern: TypeAlias = Annotated[
    str,
    Meta(pattern=rf"^(\*|({LABEL}|\.)/(\*|[A-Za-z0-9_]([-A-Za-z0-9_]{{0,61}}[A-Za-z0-9_])?)|secret:\S+)\Z"),
]
ClaimPattern: TypeAlias = Annotated[str, Meta(pattern=rf"^(\*|{LABEL})\Z")]
# "" stands for "not given": written down, it would make the rule one for everybody.
_Given: TypeAlias = Annotated[str, Meta(min_length=1)]


class IdentityPattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a rule is for: every pattern that is given must match. `*` stands for anything within one part."""

    namespace: _Given = ""
    service_account: _Given = ""
    spiffe_id: _Given = ""
    dns_name: _Given = ""
    token: _Given = ""


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One authorisation rule. `identity: {}` is every client that has proved who it is."""

    identity: IdentityPattern
    subscribe: tuple[ServicePattern, ...] = ()
    """What it may see: `NAMESPACE/SERVICE`, `NAMESPACE/*`, `./*` (its own namespace), `secret:NAME` (SDS), `*`."""
    claim: tuple[ClaimPattern, ...] = ()
    """Namespaces of nodes that it may claim besides its own: a namespace, or `*`."""
