"""Authorization: defaults without rules, rule matching, and the union of matching rules."""

import pytest

from steerway.access import pattern
from steerway.access.identity import Identity, of_service_account
from steerway.access.result import PERMISSION_DENIED
from steerway.access.rules import Authorization, is_for
from steerway.config import IdentityPattern, RuleSettings

WEB = of_service_account("shop", "web")
SPIFFE = Identity("certificate", "shop", "web", "spiffe://prod/ns/shop/sa/web", ("web.shop.example",))
CI = Identity("token", name="ci")


def rule(subscribe: tuple[str, ...] = (), claim: tuple[str, ...] = (), **identity: str) -> RuleSettings:
    return RuleSettings(identity=IdentityPattern(**identity), subscribe=subscribe, claim=claim)


@pytest.mark.parametrize(
    ("text", "wanted", "separator", "matches"),
    [
        ("spiffe://prod/ns/*/sa/web", "spiffe://prod/ns/shop/sa/web", "/", True),
        ("spiffe://prod/ns/*/sa/web", "spiffe://prod/ns/shop/sa/x/sa/web", "/", False),
        ("spiffe://prod/ns/*/sa/*", "spiffe://prod/ns/shop/sa/web", "/", True),
        ("spiffe://*", "spiffe://prod/ns/shop/sa/web", "/", False),
        ("spiffe://prod/ns/team-*/sa/*", "spiffe://prod/ns/team-a/sa/web", "/", True),
        ("*.example.com", "a.example.com", ".", True),
        ("*.example.com", "a.b.example.com", ".", False),
        ("a.example.com", "aXexample.com", ".", False),
        ("*", "", "/", False),
        ("team-*", "team-", "/", True),
        ("(shop|pay)", "shop", "/", False),
    ],
)
def test_a_star_matches_within_one_segment(text: str, wanted: str, separator: str, matches: bool) -> None:
    """Every other character matches literally."""
    assert pattern.matches(text, wanted, separator) is matches


@pytest.mark.parametrize(
    ("wanted", "identity", "expected"),
    [
        ({}, CI, True),
        ({"namespace": "shop"}, WEB, True),
        ({"namespace": "shop"}, SPIFFE, True),
        ({"namespace": "shop"}, CI, False),
        ({"namespace": "*"}, CI, False),
        ({"namespace": "shop", "service_account": "web"}, WEB, True),
        ({"namespace": "shop", "service_account": "other"}, WEB, False),
        ({"service_account": "web"}, CI, False),
        ({"spiffe_id": "spiffe://prod/ns/*/sa/web"}, SPIFFE, True),
        ({"spiffe_id": "spiffe://prod/ns/*/sa/web"}, WEB, False),
        ({"dns_name": "*.shop.example"}, SPIFFE, True),
        ({"dns_name": "*.pay.example"}, SPIFFE, False),
        ({"dns_name": "*.shop.example", "namespace": "pay"}, SPIFFE, False),
        ({"token": "ci"}, CI, True),
        ({"token": "ci"}, WEB, False),
    ],
)
def test_a_rule_matches_when_all_of_its_patterns_match(
    wanted: dict[str, str], identity: Identity, expected: bool
) -> None:
    """A pattern for a field that the identity does not have does not match."""
    assert is_for(rule(**wanted), identity) is expected


def test_without_rules_public_services_and_those_of_the_own_namespace_are_visible() -> None:
    """Private services of other namespaces are not visible."""
    default = Authorization()
    assert not default.by_rules
    assert default.grant(WEB) == ["", "shop/*"]
    assert default.grant(CI) == [""]


def test_matching_rules_are_united() -> None:
    """Rules that do not match grant nothing; raw resources stay public."""
    rules = Authorization(
        [
            rule(("pay/ledger", "./*"), namespace="shop"),
            rule(("pay/ledger", "search/*"), service_account="web"),
            rule(("*",), namespace="admin"),
            rule(("./*",), token="ci"),
        ]
    )
    assert rules.by_rules
    assert rules.grant(WEB) == ["", "pay/ledger", "search/*", "shop/*"]
    assert rules.grant(of_service_account("other", "x")) == [""]
    assert rules.grant(CI) == [""], "an identity without a namespace has no own one"
    assert "*" in rules.grant(of_service_account("admin", "x"))


@pytest.mark.parametrize(
    ("rules", "identity", "namespace", "allowed"),
    [
        ((), WEB, "shop", True),
        ((), WEB, "", True),
        ((), WEB, "pay", False),
        ((), CI, "", True),
        ((), CI, "shop", False),
        ((rule(),), WEB, "shop", True),
        ((rule(claim=("pay",), namespace="shop"),), WEB, "pay", True),
        ((rule(claim=("pay",), namespace="shop"),), WEB, "search", False),
        ((rule(claim=("*",), token="ci"),), CI, "search", True),
        ((rule(claim=("*",), token="ci"),), WEB, "search", False),
    ],
)
def test_a_node_is_claimed_in_the_own_namespace_or_where_a_rule_allows_it(
    rules: tuple[RuleSettings, ...], identity: Identity, namespace: str, allowed: bool
) -> None:
    """A node without a namespace claims none."""
    assert (Authorization(rules).refuse_claim(identity, namespace) is None) is allowed


def test_a_refused_claim_names_identity_and_namespace() -> None:
    """The client may see both: they come from its own request."""
    refusal = Authorization().refuse_claim(WEB, "pay")
    assert refusal is not None
    assert refusal.code == PERMISSION_DENIED
    assert "namespace pay" in refusal.client_message
    assert "service account shop/web of namespace shop" in refusal.client_message
