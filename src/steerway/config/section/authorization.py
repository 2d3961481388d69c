"""Settings of the authorization of xDS clients. How rules are applied: `steerway.access.rules`."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from steerway.config.unit import LABEL

ServicePattern: TypeAlias = Annotated[
    str,
    Meta(pattern=rf"^(\*|({LABEL}|\.)/(\*|[A-Za-z0-9_]([-A-Za-z0-9_]{{0,61}}[A-Za-z0-9_])?)|secret:\S+)\Z"),
]
ClaimPattern: TypeAlias = Annotated[str, Meta(pattern=rf"^(\*|{LABEL})\Z")]
# "" is the default and means "not given". Written in a rule it would match every identity.
_Pattern: TypeAlias = Annotated[str, Meta(min_length=1)]


class IdentityPattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Identities that a rule applies to: all given patterns must match. `*` matches within one part."""

    namespace: _Pattern = ""
    service_account: _Pattern = ""
    spiffe_id: _Pattern = ""
    dns_name: _Pattern = ""
    token: _Pattern = ""


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One authorization rule. `identity: {}` matches every authenticated client."""

    identity: IdentityPattern
    subscribe: tuple[ServicePattern, ...] = ()
    """Visible services: `NAMESPACE/SERVICE`, `NAMESPACE/*`, `./*` (own namespace), `secret:NAME` (SDS), `*`."""
    claim: tuple[ClaimPattern, ...] = ()
    """Namespaces, besides its own, that the client may claim in its Node: a namespace, or `*`."""


@dataclass(frozen=True, kw_only=True)
class AuthorizationSettings:
    """What an authenticated client may see and claim."""

    rules: Annotated[
        tuple[RuleSettings, ...],
        Meta(
            title="Authorization rule, as YAML (repeatable)",
            description="a list of {identity: {…}, subscribe: […], claim: […]}",
            extra={"metavar": "YAML", "unset": "no rules"},
        ),
    ] = ()
    """[Rules](security.md#rules) that define which services an identity may see, and which namespaces it may claim in
    its Node. In the environment, give the list in YAML; each flag gives one rule. Without rules, a client may see all
    services that are not private, and claim its own namespace."""
