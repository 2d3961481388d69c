"""Which calls a server accepts, and by what."""

import pytest

from steerway.catalog.model.security import AccessRule, Authorization, HeaderMatch, MatchType, TextMatch
from steerway.catalog.security.evaluator import NOTHING_ALLOWS, NOTHING_RESTRICTS, Decision, Request, decide

WEB = TextMatch(MatchType.EXACT, "spiffe://td/ns/web/sa/web")
READ = TextMatch(MatchType.EXACT, "/shop.Cart/Get")
CART = TextMatch(MatchType.PREFIX, "/shop.Cart/")


def call(principal: str = WEB.text, path: str = READ.text, **headers: str) -> Request:
    return Request(principal, path, {name.replace("_", "-"): value for name, value in headers.items()})


def test_without_rules_everything_is_allowed() -> None:
    """Also without a certificate."""
    assert decide(Authorization(), call("")) == Decision(True, NOTHING_RESTRICTS)


def test_an_empty_list_allows_nothing() -> None:
    """It is not the same as none."""
    assert decide(Authorization(allow=()), call()) == Decision(False, NOTHING_ALLOWS)


def test_a_rule_that_denies_comes_first() -> None:
    """Whatever allows."""
    both = Authorization(deny=(AccessRule("d", (WEB,), (READ,)),), allow=(AccessRule("a", (WEB,)),))
    assert decide(both, call()) == Decision(False, "d")
    assert decide(both, call(path="/shop.Cart/Put")) == Decision(True, "a")
    assert decide(both, call("spiffe://td/ns/x/sa/y")) == Decision(False, NOTHING_ALLOWS)


@pytest.mark.parametrize("principal", ["", "spiffe://td/ns/web/sa/web2", "SPIFFE://td/ns/web/sa/web"])
def test_a_principal_is_the_whole_identity(principal: str) -> None:
    """A client without a certificate has none, whatever the match."""
    assert not decide(Authorization(allow=(AccessRule("a", (WEB,)),)), call(principal)).allowed


def test_no_principal_of_an_empty_list_matches() -> None:
    """It is not the same as none."""
    assert not decide(Authorization(allow=(AccessRule("a", ()),)), call()).allowed


@pytest.mark.parametrize(
    ("match", "value", "allowed"),
    [
        (TextMatch(MatchType.EXACT, "a"), "a", True),
        (TextMatch(MatchType.EXACT, "a"), "ab", False),
        (TextMatch(MatchType.REGULAR_EXPRESSION, "a|b"), "b", True),
        (TextMatch(MatchType.REGULAR_EXPRESSION, "a|b"), "ab", False),
        (TextMatch(MatchType.PRESENT), "", True),
    ],
)
def test_a_header_matches_as_a_whole(match: TextMatch, value: str, allowed: bool) -> None:
    """One that is absent matches nothing."""
    only = Authorization(allow=(AccessRule("a", headers=(HeaderMatch("x-team", match),)),))
    assert decide(only, call(x_team=value)).allowed is allowed
    assert not decide(only, call()).allowed


def test_all_parts_of_a_rule_must_match() -> None:
    """One of the principals and paths, all of the headers."""
    header = HeaderMatch("x-team", TextMatch(MatchType.EXACT, "a"))
    rule = AccessRule("a", (TextMatch(MatchType.EXACT, "spiffe://b"), WEB), (CART,), (header,))
    only = Authorization(allow=(rule,))
    assert decide(only, call(x_team="a")).allowed
    assert not decide(only, call(x_team="b")).allowed
    assert not decide(only, call(path="/shop.Cart2/Get", x_team="a")).allowed
    assert not decide(only, call("spiffe://c", x_team="a")).allowed


def test_audit_mode_changes_no_result() -> None:
    """It is reported what would be different."""
    deny = Authorization(audit_deny=(AccessRule("d", paths=(READ,)),))
    assert decide(deny, call()) == Decision(True, NOTHING_RESTRICTS, ("d would refuse it",))
    assert decide(deny, call(path="/a/B")).audited == ()
    allow = Authorization(audit_allow=(AccessRule("a", paths=(READ,)),))
    assert decide(allow, call()) == Decision(True, NOTHING_RESTRICTS, ("a would allow it",))
    assert decide(allow, call(path="/a/B")) == Decision(True, NOTHING_RESTRICTS, ("no rule would allow it",))
    beside = Authorization(allow=(AccessRule("e", paths=(CART,)),), audit_allow=())
    assert decide(beside, call()).audited == ()
