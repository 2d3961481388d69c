"""Rules of AuthorizationPolicies that match no call, or only calls of clients that nothing else mentions."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from steerway.sources.policy.authorization_policy import AuthorizationPolicy, AuthorizationRule, Source


class Unmatched(NamedTuple):
    """`certain`: no call can match, as opposed to none by the objects that are known."""

    reason: str
    hint: str
    certain: bool


def unmatched(
    policy: AuthorizationPolicy, trust_domain: str, namespaces: Collection[str], accounts: Collection[str]
) -> Iterator[Unmatched]:
    """What of a policy's rules matches nothing. `namespaces` and `accounts`: the names that are known, empty where
    they are not."""
    for index, rule in enumerate(policy.spec.rules or ()):
        where = f"rule {index}"
        for name in dict.fromkeys(_contradictory(rule)):
            hint = "write a regular expression, or two rules"
            yield Unmatched(f"{where} matches no call: two values of header {name}", hint, True)
        for source in rule.from_ or ():
            for problem in _source(source, policy.metadata.namespace, trust_domain, namespaces, accounts):
                yield problem._replace(reason=f"{where}: {problem.reason}")


def _contradictory(rule: AuthorizationRule) -> Iterator[str]:
    """Headers that would need two values at once."""
    values: dict[str, str] = {}
    for header in rule.headers or ():
        if header.type == "Exact" and values.setdefault(header.name, header.value or "") != header.value:
            yield header.name


def _source(
    source: Source, own: str, trust_domain: str, namespaces: Collection[str], accounts: Collection[str]
) -> Iterator[Unmatched]:
    for principal in source.principals or ():
        begin = f"spiffe://{trust_domain}/"
        if not principal.startswith(begin) and not begin.startswith(principal.removesuffix("*")):
            reason = (
                f"principal {principal} matches no client: certificates are of trust domain {trust_domain}"
            )
            yield Unmatched(reason, f"write {begin}ns/NAMESPACE/sa/ACCOUNT", True)
    named = dict.fromkeys(source.namespaces or ())
    for account in source.service_accounts or ():
        namespace, _, name = account.rpartition("/")
        namespace = namespace or own
        if namespaces and namespace not in namespaces:
            named[namespace] = None
        elif accounts and name != "default" and name not in accounts:
            yield Unmatched(f"service account {namespace}/{name} is not known", "correct the name", False)
    for namespace in named:
        if namespaces and namespace not in namespaces:
            yield Unmatched(f"namespace {namespace} is not known", "correct the name", False)
