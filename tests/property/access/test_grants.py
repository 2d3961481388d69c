"""Rules over random identities: never more is visible than a rule gives, and more rules never give less."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from steerway.access.identity import Identity
from steerway.access.rules import Authorization
from steerway.config import IdentityPattern, RuleSettings

NAMESPACES = ("shop", "pay", "pay-eu", "s")
ACCOUNTS = ("web", "web-2", "w")
SERVICES = [f"{namespace}/{name}" for namespace in NAMESPACES for name in ("ledger", "web", "l")]


def _pattern(words: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(["", "*", "pay*", "*-*", *words])


identities = st.builds(
    Identity,
    kind=st.just("certificate"),
    namespace=st.sampled_from(["", *NAMESPACES]),
    service_account=st.sampled_from(["", *ACCOUNTS]),
    spiffe_id=st.sampled_from(["", *(f"spiffe://d/ns/{n}/sa/{a}" for n in NAMESPACES for a in ACCOUNTS)]),
    dns_names=st.sampled_from([(), ("a.shop",), ("a.shop", "b.pay")]),
    name=st.sampled_from(["", "ci"]),
)
rules = st.builds(
    RuleSettings,
    identity=st.builds(
        IdentityPattern,
        namespace=_pattern(NAMESPACES),
        service_account=_pattern(ACCOUNTS),
        spiffe_id=st.sampled_from(["", "spiffe://d/ns/*/sa/web", "spiffe://d/ns/pay*/sa/*", "spiffe://d/*"]),
        dns_name=st.sampled_from(["", "*.shop", "a.*"]),
        token=st.sampled_from(["", "ci", "*"]),
    ),
    subscribe=st.lists(
        st.sampled_from(["*", "./*", "./web", *(f"{n}/*" for n in NAMESPACES), *SERVICES]), max_size=3
    ).map(tuple),
    claim=st.lists(st.sampled_from(["*", *NAMESPACES]), max_size=2).map(tuple),
)


def _like(pattern: str, text: str, separator: str) -> bool:
    """Whether the parts are equal one by one, with stars by hand: the plain meaning, slowly."""
    if not text:
        return False
    wanted, parts = pattern.split(separator), text.split(separator)
    return len(wanted) == len(parts) and all(itertools.starmap(_part, zip(wanted, parts, strict=True)))


def _part(wanted: str, part: str) -> bool:
    if "*" not in wanted:
        return wanted == part
    head, _, tail = wanted.partition("*")
    return part.startswith(head) and any(_part(tail, part[at:]) for at in range(len(head), len(part) + 1))


def _concerns(rule: RuleSettings, identity: Identity) -> bool:
    wanted = rule.identity
    plain = [
        (wanted.namespace, [identity.namespace], "/"),
        (wanted.service_account, [identity.service_account], "/"),
        (wanted.spiffe_id, [identity.spiffe_id], "/"),
        (wanted.dns_name, identity.dns_names, "."),
        (wanted.token, [identity.name], "/"),
    ]
    return all(
        not pattern or any(_like(pattern, text, separator) for text in texts)
        for pattern, texts, separator in plain
    )


def _gives(pattern: str, service: str, identity: Identity) -> bool:
    namespace, name = service.split("/")
    if pattern == "*":
        return True
    wanted_namespace, wanted_name = pattern.split("/")
    if wanted_namespace == ".":
        wanted_namespace = identity.namespace or "absent"
    return wanted_namespace == namespace and wanted_name in ("*", name)


def _visible(grant: list[str], scope: str) -> bool:
    """As `rust/engine/src/store/grant.rs`."""
    return any(
        pattern == "*" or pattern == scope or (pattern.endswith("/*") and scope.startswith(pattern[:-1]))
        for pattern in grant
    )


@given(identities, st.lists(rules, min_size=1, max_size=4))
def test_exactly_what_the_rules_give_is_visible(client: Identity, rules: list[RuleSettings]) -> None:
    """Every service that some rule for this identity names, no other, and what is public."""
    grant = Authorization(rules).grant(client)
    concerned = [rule for rule in rules if _concerns(rule, client)]
    for service in SERVICES:
        expected = any(
            _gives(service_pattern, service, client)
            for rule in concerned
            for service_pattern in rule.subscribe
        )
        assert _visible(grant, service) is expected, service
    assert _visible(grant, "")


@given(identities, st.lists(rules, min_size=1, max_size=3), rules, st.sampled_from(NAMESPACES))
def test_a_further_rule_takes_nothing_away(
    client: Identity, rules: list[RuleSettings], further: RuleSettings, namespace: str
) -> None:
    """Neither what is visible nor what may be claimed; and their order means nothing."""
    before, after = Authorization(rules), Authorization([further, *rules])
    assert set(before.grant(client)) <= set(after.grant(client))
    assert after.grant(client) == Authorization([*rules, further]).grant(client)
    if before.refuse_claim(client, namespace) is None:
        assert after.refuse_claim(client, namespace) is None


@given(identities, st.lists(rules, max_size=3), st.sampled_from(NAMESPACES))
def test_a_claim_is_the_own_namespace_or_given(
    client: Identity, rules: list[RuleSettings], namespace: str
) -> None:
    """By a rule for this identity."""
    allowed = Authorization(rules).refuse_claim(client, namespace) is None
    given_by_rule = any(_concerns(rule, client) and {"*", namespace} & set(rule.claim) for rule in rules)
    assert allowed is (namespace == client.namespace or given_by_rule)


@given(identities)
def test_without_rules_private_services_are_visible_to_their_owners_only(client: Identity) -> None:
    """The default: what is public and the own namespace."""
    grant = Authorization().grant(client)
    for service in SERVICES:
        assert _visible(grant, service) is (service.split("/")[0] == client.namespace)
