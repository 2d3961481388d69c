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
    """Patterns of `RuleSettings.identity`."""

    namespace: _Pattern = ""
    service_account: _Pattern = ""
    spiffe_id: _Pattern = ""
    dns_name: _Pattern = ""
    token: _Pattern = ""


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One authorization rule."""

    identity: IdentityPattern
    """Identities that the rule applies to: patterns for `namespace`, `service_account`, `spiffe_id`, `dns_name` and
    `token`, which must all match. `*` matches within one part; `{}` matches every authenticated client. Required."""
    subscribe: tuple[ServicePattern, ...] = ()
    """Visible services: `NAMESPACE/SERVICE`, `NAMESPACE/*`, `./*` (own namespace), `secret:NAME` (SDS), `*`. Default:
    none."""
    claim: tuple[ClaimPattern, ...] = ()
    """Namespaces, besides its own, that the client may claim in its Node: a namespace, or `*`. Default: none."""


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
    its Node. Without rules, a client may see all services that are not private, and claim its own namespace. In the
    environment, give the list in YAML; each flag gives one rule. Each rule has these fields:"""
