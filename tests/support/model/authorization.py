"""Random AuthorizationPolicies and calls over few names, so that rules often match, and what policies mean by their
fields alone: nothing here knows principals, paths or RBAC."""

from collections.abc import Sequence
from typing import Any, Literal

import re2
from hypothesis import strategies as st

from steerway.catalog.model.identity import spiffe_id
from steerway.catalog.security.evaluator import Request
from steerway.sources.objects.slim import AttachedMeta
from steerway.sources.policy.authorization_policy import (
    AuthorizationPolicy,
    AuthorizationPolicySpec,
    AuthorizationRule,
    Header,
    Operation,
    Source,
)

DOMAIN = "cluster.local"
OTHER_DOMAIN = "example.org"
NAMESPACES = ("web", "web-admin", "shop")
ACCOUNTS = ("web", "web2", "cart")
SERVICES = ("shop.Cart", "shop.Cart2", "shop", "Cart")
METHODS = ("Get", "GetAll", "Put")
HEADERS = ("x-team", "x-user")
VALUES = ("a", "ab", "b")

_identities = st.builds(
    spiffe_id, st.sampled_from((DOMAIN, OTHER_DOMAIN)), st.sampled_from(NAMESPACES), st.sampled_from(ACCOUNTS)
)
_principals = st.one_of(
    _identities,
    _identities.map(lambda identity: f"{identity}*"),
    st.sampled_from(
        (f"spiffe://{DOMAIN}/*", f"spiffe://{DOMAIN}/ns/web*", f"spiffe://{OTHER_DOMAIN}/ns/shop/*")
    ),
)
_accounts = st.one_of(
    st.sampled_from(ACCOUNTS),
    st.builds("{}/{}".format, st.sampled_from(NAMESPACES), st.sampled_from(ACCOUNTS)),
)


def _listed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=2)


_sources = st.builds(
    Source,
    namespaces=st.none() | _listed(st.sampled_from(NAMESPACES)),
    service_accounts=st.none() | _listed(_accounts),
    principals=st.none() | _listed(_principals),
).filter(lambda source: any((source.namespaces, source.service_accounts, source.principals)))
_operations = st.builds(
    Operation,
    services=_listed(st.sampled_from(SERVICES)),
    methods=st.none() | _listed(st.sampled_from(METHODS)),
)
_headers = st.one_of(
    st.builds(Header, st.sampled_from(HEADERS), st.just("Exact"), st.sampled_from(VALUES)),
    st.builds(Header, st.sampled_from(HEADERS), st.just("Present")),
    st.builds(
        Header, st.sampled_from(HEADERS), st.just("RegularExpression"), st.sampled_from(("a|b", "a.*", ".?b"))
    ),
)
_rules = st.builds(
    AuthorizationRule,
    from_=st.none() | _listed(_sources),
    to=st.none() | _listed(_operations),
    headers=st.none() | _listed(_headers),
).filter(lambda rule: any((rule.from_, rule.to, rule.headers)))
_specs = st.builds(
    AuthorizationPolicySpec,
    action=st.sampled_from(("Allow", "Deny")),
    mode=st.sampled_from(("Enforce", "Enforce", "Audit")),
    rules=st.none() | st.lists(_rules, min_size=1, max_size=3),
).filter(lambda spec: spec.action == "Allow" or spec.rules is not None)


@st.composite
def policies(draw: st.DrawFn) -> list[AuthorizationPolicy]:
    """Up to four valid ones, of namespace `shop`."""
    specs = draw(st.lists(_specs, max_size=4))
    return [
        AuthorizationPolicy(AttachedMeta(name=f"p{index}", namespace="shop"), spec)
        for index, spec in enumerate(specs)
    ]


requests = st.builds(
    Request,
    st.just("") | _identities | _identities,
    st.builds("/{}/{}".format, st.sampled_from(SERVICES), st.sampled_from(METHODS)),
    st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES)),
)


def allowed(
    applied: Sequence[AuthorizationPolicy],
    default_deny: bool,
    request: Request,
    mode: Literal["", "Audit"] = "",
) -> bool:
    """Whether servers accept a call, by the guide's words. With mode `Audit`: as if those policies were enforced."""
    counted = [policy for policy in applied if policy.spec.mode in ("Enforce", mode)]
    denying = [policy for policy in counted if policy.spec.action == "Deny"]
    allowing = [policy for policy in counted if policy.spec.action == "Allow"]
    if any(_matches(policy, request) for policy in denying):
        return False
    if not allowing:
        return not default_deny
    return any(_matches(policy, request) for policy in allowing)


def _matches(policy: AuthorizationPolicy, request: Request) -> bool:
    _, service, method = request.path.split("/")
    return any(
        (rule.from_ is None or any(_is_from(source, request.principal, policy) for source in rule.from_))
        and (
            rule.to is None
            or any(
                service in operation.services and (operation.methods is None or method in operation.methods)
                for operation in rule.to
            )
        )
        and all(_has(header, request) for header in rule.headers or ())
        for rule in policy.spec.rules or ()
    )


def _is_from(source: Source, identity: str, policy: AuthorizationPolicy) -> bool:
    if not identity:
        return False
    domain, _, namespace, _, account = identity.removeprefix("spiffe://").split("/")
    own = policy.metadata.namespace
    return (
        (domain == DOMAIN and namespace in (source.namespaces or ()))
        or (
            domain == DOMAIN
            and any(
                (namespace, account) == tuple(name.split("/"))
                if "/" in name
                else (namespace, account) == (own, name)
                for name in source.service_accounts or ()
            )
        )
        or any(
            identity.startswith(pattern[:-1]) if pattern.endswith("*") else identity == pattern
            for pattern in source.principals or ()
        )
    )


def _has(header: Header, request: Request) -> bool:
    value = request.headers.get(header.name)
    if value is None:
        return False
    if header.type == "RegularExpression":
        return re2.fullmatch(header.value, value) is not None
    return header.type == "Present" or value == header.value
