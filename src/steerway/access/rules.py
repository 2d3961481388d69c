"""Authorization: what an identity may see, and which node it may claim to be.

Without rules every authenticated client may see what is not marked private and what is private to its own namespace,
and may claim a node of its own namespace only. With rules it sees what the rules that match it give *together*: rules
only ever add, so their order means nothing (as in Kubernetes' RBAC). Raw resources from files are public either way.

A claim is worth checking although it opens nothing: it decides what short names mean, and the admin server and CSDS
show it as the client's name.
"""

import functools
from collections.abc import Sequence

from steerway.access import pattern
from steerway.access.identity import Identity
from steerway.access.result import PERMISSION_DENIED, Refusal
from steerway.config import RuleSettings


def is_for(rule: RuleSettings, identity: Identity) -> bool:
    """Whether all patterns of the rule that are not "" match the identity."""
    wanted = rule.identity
    texts = (
        (wanted.namespace, identity.namespace),
        (wanted.service_account, identity.service_account),
        (wanted.spiffe_id, identity.spiffe_id),
        (wanted.token, identity.name),
    )
    return all(pattern.matches(granted, text) for granted, text in texts if granted) and (
        not wanted.dns_name
        or any(pattern.matches(wanted.dns_name, name, separator=".") for name in identity.dns_names)
    )


class Authorization:
    """The rules, applied. None of them: the defaults of the module's docstring."""

    def __init__(self, rules: Sequence[RuleSettings] = ()) -> None:
        self._rules = tuple(rules)
        # A fleet has few identities; in a restart storm each of them comes thousands of times.
        self._granted = functools.lru_cache(maxsize=4096)(self._given)

    @property
    def by_rules(self) -> bool:
        """Whether rules limit what is visible, so that each service needs a scope of its own."""
        return bool(self._rules)

    def grant(self, identity: Identity) -> list[str]:
        """What the identity may see, as patterns over scopes for `Engine.classify`; sorted, public included."""
        return list(self._granted(identity))

    def _given(self, identity: Identity) -> tuple[str, ...]:
        given = {pattern.PUBLIC}
        if not self._rules and identity.namespace:
            given.add(f"{identity.namespace}/*")
        for rule in self._rules:
            if is_for(rule, identity):
                grants = (pattern.grant(granted_pattern, identity) for granted_pattern in rule.subscribe)
                given.update(grant for grant in grants if grant is not None)
        return tuple(sorted(given))

    def refuse_claim(self, identity: Identity, namespace: str) -> Refusal | None:
        """Why the identity may not claim a node in `namespace` ("": no claim); None when it may."""
        if namespace in ("", identity.namespace):
            return None
        for rule in self._rules:
            if is_for(rule, identity) and not {"*", namespace}.isdisjoint(rule.claim):
                return None
        own = f" of namespace {identity.namespace}" if identity.namespace and not identity.spiffe_id else ""
        client_message = (
            f"the node claims to be in namespace {namespace}, which {identity}{own} may not claim"
        )
        return Refusal(PERMISSION_DENIED, client_message, client_message)
