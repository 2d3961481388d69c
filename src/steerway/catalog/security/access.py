"""AuthorizationPolicies that apply to a server as one `Authorization`, with texts of the final form.

Sources: gRFC A41 (principals are compared with the URI of the client's certificate, paths with
`/package.Service/Method`); SPIFFE ID specification.
"""

from collections.abc import Iterable, Iterator

from steerway.catalog.model.identity import spiffe_id
from steerway.catalog.model.security import AccessRule, Authorization, HeaderMatch, MatchType, TextMatch
from steerway.sources.policy.authorization_policy import (
    AuthorizationPolicy,
    AuthorizationRule,
    Header,
    Operation,
    Source,
)

Rules = tuple[AccessRule, ...]


def authorization(
    policies: Iterable[AuthorizationPolicy], trust_domain: str, *, default_deny: bool = False
) -> Authorization:
    """What the policies mean together; their order does not matter. `default_deny`: without a policy that allows, no
    call is accepted."""
    # Equal policies give equal values, in whatever order they were read.
    ordered = sorted(policies, key=lambda policy: policy.key)

    def of(action: str, mode: str) -> Rules | None:
        """The rules of the policies of an action and mode; None where there is no such policy."""
        chosen = [policy for policy in ordered if (policy.spec.action, policy.spec.mode) == (action, mode)]
        return tuple(rule for policy in chosen for rule in rules(policy, trust_domain)) if chosen else None

    allow = of("Allow", "Enforce")
    return Authorization(
        deny=of("Deny", "Enforce") or (),
        allow=() if allow is None and default_deny else allow,
        audit_deny=of("Deny", "Audit") or (),
        audit_allow=of("Allow", "Audit"),
    )


def rules(policy: AuthorizationPolicy, trust_domain: str) -> Rules:
    """The rules of a policy in their order."""
    space = policy.metadata.namespace
    return tuple(
        AccessRule(
            f"{policy.key} rule {index}",
            _principals(rule, space, trust_domain),
            _unique(path for operation in rule.to or () for path in _paths(operation)),
            tuple(_header(header) for header in rule.headers or ()),
        )
        for index, rule in enumerate(policy.spec.rules or ())
    )


def _principals(rule: AuthorizationRule, space: str, trust_domain: str) -> tuple[TextMatch, ...] | None:
    if rule.from_ is None:
        return None
    return _unique(match for source in rule.from_ for match in _source(source, space, trust_domain))


def _source(source: Source, space: str, trust_domain: str) -> Iterator[TextMatch]:
    for namespace in source.namespaces or ():
        yield TextMatch(MatchType.PREFIX, spiffe_id(trust_domain, namespace, ""))
    for account in source.service_accounts or ():
        namespace, _, name = account.rpartition("/")
        yield TextMatch(MatchType.EXACT, spiffe_id(trust_domain, namespace or space, name))
    for principal in source.principals or ():
        if principal.endswith("*"):
            yield TextMatch(MatchType.PREFIX, principal.removesuffix("*"))
        else:
            yield TextMatch(MatchType.EXACT, principal)


def _paths(operation: Operation) -> Iterator[TextMatch]:
    for service in operation.services:
        if operation.methods is None:
            yield TextMatch(MatchType.PREFIX, f"/{service}/")
        for method in operation.methods or ():
            yield TextMatch(MatchType.EXACT, f"/{service}/{method}")


def _header(header: Header) -> HeaderMatch:
    return HeaderMatch(header.name, TextMatch(MatchType(header.type), header.value or ""))


def _unique(matches: Iterable[TextMatch]) -> tuple[TextMatch, ...]:
    return tuple(dict.fromkeys(matches))
