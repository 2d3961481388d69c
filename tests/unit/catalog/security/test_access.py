"""AuthorizationPolicies as rules with their final texts, and what they mean together."""

from typing import Any

import msgspec
import pytest

from steerway.catalog.model.security import AccessRule, HeaderMatch, MatchType, TextMatch
from steerway.catalog.security.access import authorization, rules
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from tests.support.example.authorization_policy_example import FULL
from tests.support.example.policy_example import policy

DOMAIN = "example.org"


def parsed(name: str = "p", namespace: str = "shop", **spec: Any) -> AuthorizationPolicy:
    manifest = policy(spec, name, namespace, "AuthorizationPolicy")
    return msgspec.convert(manifest, AuthorizationPolicy)


def exact(text: str) -> TextMatch:
    return TextMatch(MatchType.EXACT, text)


def prefix(text: str) -> TextMatch:
    return TextMatch(MatchType.PREFIX, text)


def test_every_field_of_a_rule_has_its_final_text() -> None:
    """Names of accounts without a namespace are of the policy's own; a star at the end is a prefix."""
    (rule,) = rules(parsed(**FULL), DOMAIN)
    assert rule == AccessRule(
        "AuthorizationPolicy shop/p rule 0",
        (
            prefix("spiffe://example.org/ns/web/sa/"),
            exact("spiffe://example.org/ns/web/sa/web"),
            exact("spiffe://example.org/ns/shop/sa/cart"),
            exact("spiffe://cluster.local/ns/a/sa/b"),
            prefix("spiffe://cluster.local/ns/c/"),
        ),
        (exact("/shop.Cart/Get"), exact("/shop.Order/Get"), prefix("/a/")),
        (
            HeaderMatch("x-team", exact("cart")),
            HeaderMatch("x-user", TextMatch(MatchType.PRESENT)),
            HeaderMatch("x-region", TextMatch(MatchType.REGULAR_EXPRESSION, "eu-.*")),
        ),
    )


def test_a_namespace_is_not_the_beginning_of_another_one() -> None:
    """`web` does not stand for `web-admin`."""
    (rule,) = rules(parsed(rules=[{"from": [{"namespaces": ["web"]}]}]), DOMAIN)
    assert rule.principals is not None
    assert not "spiffe://example.org/ns/web-admin/sa/a".startswith(rule.principals[0].text)


def test_a_rule_without_a_part_is_about_all_of_it() -> None:
    """Without `from` also about clients that have no certificate."""
    (rule,) = rules(parsed(rules=[{"to": [{"services": ["shop.Cart"]}]}]), DOMAIN)
    assert (rule.principals, rule.paths, rule.headers) == (None, (prefix("/shop.Cart/"),), ())


def test_equal_policies_in_any_order_are_equal() -> None:
    """By namespace and name, and not by time."""
    policies = [
        parsed(name, rules=[{"from": [{"namespaces": [name]}]}], action=action, mode=mode)
        for name in ("b", "a")
        for action in ("Allow", "Deny")
        for mode in ("Enforce", "Audit")
    ]
    result = authorization(policies, DOMAIN)
    assert result == authorization(reversed(policies), DOMAIN)
    for part in (result.deny, result.allow, result.audit_deny, result.audit_allow):
        assert part is not None
        assert [rule.name for rule in part] == [
            "AuthorizationPolicy shop/a rule 0",
            "AuthorizationPolicy shop/b rule 0",
        ]


ANY = [{"from": [{"namespaces": ["web"]}]}]


@pytest.mark.parametrize(
    ("specs", "default_deny", "allow", "audit_allow", "enforces"),
    [
        ([], False, None, None, False),
        ([], True, (), None, True),
        ([{}], False, (), None, True),  # allows, without rules
        ([{"mode": "Audit"}], False, None, (), False),
        ([{"mode": "Audit"}], True, (), (), True),
        ([{"action": "Deny", "rules": ANY}], False, None, None, True),
        ([{"action": "Deny", "mode": "Audit", "rules": ANY}], False, None, None, False),
    ],
)
def test_the_default_counts_without_a_policy_that_allows(
    specs: list[dict[str, Any]], default_deny: bool, allow: object, audit_allow: object, enforces: bool
) -> None:
    """One in audit mode is none."""
    result = authorization(
        [parsed(f"p{index}", **spec) for index, spec in enumerate(specs)], DOMAIN, default_deny=default_deny
    )
    assert (result.allow, result.audit_allow, result.enforces) == (allow, audit_allow, enforces)
