"""The RBAC filters of a server decide as its authorization does, for every call."""

from hypothesis import given
from hypothesis import strategies as st

from steerway.catalog.model.security import AccessRule, Authorization, HeaderMatch, MatchType, TextMatch
from steerway.catalog.security.evaluator import Request, decide, matches
from steerway.translate.grpc import rbac, server_route
from tests.support.model import client_rules, rbac_interpreter
from tests.support.model.rbac_interpreter import Call

_FILTERS = (rbac.DENY, rbac.ALLOW)
_IDENTITIES = [f"spiffe://td/ns/{namespace}/sa/{account}" for namespace in "ab" for account in ("x", "xy")]
_PATHS = ["/shop.Cart/Get", "/shop.Cart/GetAll", "/shop.Cart2/Get", "/a.B/C"]
_VALUES = ["", "1", "12", "a"]


def _texts(*exact: str, prefixes: list[str], expressions: list[str]) -> st.SearchStrategy[TextMatch]:
    kinds = {
        MatchType.EXACT: list(exact),
        MatchType.PREFIX: prefixes,
        MatchType.REGULAR_EXPRESSION: expressions,
    }
    return st.one_of(
        st.builds(TextMatch, st.just(kind), st.sampled_from(texts)) for kind, texts in kinds.items()
    )


_PRINCIPALS = _texts(
    *_IDENTITIES, prefixes=["spiffe://td/", "spiffe://td/ns/a/sa/"], expressions=["spiffe://td/ns/./sa/x"]
)
_CALLED = _texts(*_PATHS, prefixes=["/shop.Cart/", "/shop"], expressions=["/[^/]*/Get", "/shop.Cart"])
_HEADER_TEXTS = st.one_of(
    _texts(*_VALUES, prefixes=["1"], expressions=["[0-9]*", "a|1"]), st.just(TextMatch(MatchType.PRESENT))
)
_RULES = st.builds(
    AccessRule,
    st.sampled_from([f"AuthorizationPolicy shop/p rule {number}" for number in range(1, 9)]),
    st.none() | st.lists(_PRINCIPALS, max_size=3).map(tuple),
    st.lists(_CALLED, max_size=3).map(tuple),
    st.lists(st.builds(HeaderMatch, st.sampled_from(["x-a", "x-b"]), _HEADER_TEXTS), max_size=2).map(tuple),
)


def _named_once(authorization: Authorization) -> Authorization:
    """With names that are unique, as the catalog gives them."""

    def named(part: str, rules: tuple[AccessRule, ...]) -> tuple[AccessRule, ...]:
        return tuple(
            AccessRule(f"{part} {number}", *(rule.principals, rule.paths, rule.headers))
            for number, rule in enumerate(rules, 1)
        )

    return Authorization(
        named("deny", authorization.deny),
        None if authorization.allow is None else named("allow", authorization.allow),
        named("audit deny", authorization.audit_deny),
        None if authorization.audit_allow is None else named("audit allow", authorization.audit_allow),
    )


_SEVERAL = st.lists(_RULES, max_size=3).map(tuple)
_AUTHORIZATIONS = st.builds(
    Authorization, _SEVERAL, st.none() | _SEVERAL, _SEVERAL, st.none() | _SEVERAL
).map(_named_once)
_CALLS = st.builds(
    Call,
    st.sampled_from(_PATHS),
    st.just(()) | st.sampled_from(_IDENTITIES).map(lambda identity: (identity,)),
    st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(_VALUES)),
)


def _request(call: Call) -> Request:
    return Request(call.uris[0] if call.uris else "", call.path, call.headers)


@given(_AUTHORIZATIONS, st.lists(_CALLS, min_size=1, max_size=5))
def test_the_filters_decide_as_the_authorization_does(
    authorization: Authorization, calls: list[Call]
) -> None:
    """With and without the log of audit policies, which changes nothing."""
    for audits in (False, True):
        overrides = rbac.overrides(authorization, audits)
        filters = (*_FILTERS, rbac.AUDIT) if audits else _FILTERS
        for call in calls:
            expected = decide(authorization, _request(call)).allowed
            assert rbac_interpreter.allowed(filters, overrides, call) is expected


@given(_AUTHORIZATIONS, st.lists(_CALLS, min_size=1, max_size=5))
def test_the_log_names_the_rules_of_audit_policies(authorization: Authorization, calls: list[Call]) -> None:
    """Those that deny before those that allow; and one entry for the calls that none matches."""
    overrides = rbac.overrides(authorization, audits=True)
    if not authorization.audit_deny and authorization.audit_allow is None:
        assert rbac.AUDIT not in overrides
        return
    for call in calls:
        names = rbac_interpreter.audited(overrides, rbac.AUDIT, call)
        denied, allowed = (
            sorted(rule.name for rule in rules or () if matches(rule, _request(call)))
            for rules in (authorization.audit_deny, authorization.audit_allow)
        )
        assert names == (denied or allowed or [rbac.UNMATCHED])


@given(_AUTHORIZATIONS, st.booleans())
def test_every_library_accepts_the_rules(authorization: Authorization, audits: bool) -> None:
    """And equal rules are equal bytes."""
    body = server_route.build("server/shop/a:1", authorization, audits)
    assert body == server_route.build("server/shop/a:1", authorization, audits)
    assert client_rules.refusals(_ROUTE, "server/shop/a:1", body) == []


_ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
