"""What RBAC filters decide (gRFC A41), from the definition of the messages alone: an oracle with no code of steerway's.

A call passes the filters in their order. A policy matches where one of its permissions and one of its principals do. A
filter with action DENY refuses what a policy matches, one with ALLOW what none does; one without rules refuses nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import re2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf.any_pb2 import Any


@dataclass(frozen=True, slots=True)
class Call:
    """A call at a server. `uris`: URI names of the client's certificate; empty without one. Header names are in lower
    case."""

    path: str
    uris: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def allowed(names: Sequence[str], overrides: Mapping[str, Any], call: Call) -> bool:
    """Whether a call passes the filters `names` of a listener, with what its route sets in them."""
    return all(_passes(rules, call) for rules in _rules(names, overrides))


def audited(overrides: Mapping[str, Any], name: str, call: Call) -> list[str]:
    """The policies of one filter that match."""
    return [policy for rules in _rules([name], overrides) for policy in _matching(rules, call)]


def _rules(names: Sequence[str], overrides: Mapping[str, Any]) -> Iterator[rbac_pb2.RBAC]:
    """Of each filter; without an override it has none."""
    for name in names:
        if name in overrides:
            override = filter_pb2.RBACPerRoute()
            assert overrides[name].Unpack(override) and override.HasField("rbac")
            if override.rbac.HasField("rules"):
                yield override.rbac.rules


def _passes(rules: rbac_pb2.RBAC, call: Call) -> bool:
    matching = bool(_matching(rules, call))
    assert rules.action in (rbac_pb2.RBAC.ALLOW, rbac_pb2.RBAC.DENY)
    return matching is (rules.action == rbac_pb2.RBAC.ALLOW)


def _matching(rules: rbac_pb2.RBAC, call: Call) -> list[str]:
    return sorted(
        name
        for name, policy in rules.policies.items()
        if any(_permits(permission, call) for permission in policy.permissions)
        and any(_is(principal, call) for principal in policy.principals)
    )


def _permits(permission: rbac_pb2.Permission, call: Call) -> bool:
    match permission.WhichOneof("rule"):
        case "any":
            return bool(permission.any)
        case "and_rules":
            return all(_permits(rule, call) for rule in permission.and_rules.rules)
        case "or_rules":
            return any(_permits(rule, call) for rule in permission.or_rules.rules)
        case "not_rule":
            return not _permits(permission.not_rule, call)
        case "url_path":
            return _text(permission.url_path.path, call.path)
        case "header":
            return _header(permission.header, call)
        case other:
            raise AssertionError(f"a permission {other} needs an interpretation")


def _is(principal: rbac_pb2.Principal, call: Call) -> bool:
    match principal.WhichOneof("identifier"):
        case "any":
            return bool(principal.any)
        case "and_ids":
            return all(_is(part, call) for part in principal.and_ids.ids)
        case "or_ids":
            return any(_is(part, call) for part in principal.or_ids.ids)
        case "not_id":
            return not _is(principal.not_id, call)
        case "url_path":
            return _text(principal.url_path.path, call.path)
        case "header":
            return _header(principal.header, call)
        case "authenticated":
            return _any_text(principal.authenticated.principal_name, call.uris)
        case other:
            raise AssertionError(f"a principal {other} needs an interpretation")


def _any_text(matcher: string_pb2.StringMatcher, texts: Iterable[str]) -> bool:
    return any(_text(matcher, text) for text in texts)


def _text(matcher: string_pb2.StringMatcher, text: str) -> bool:
    match matcher.WhichOneof("match_pattern"):
        case "exact":
            return text == matcher.exact
        case "prefix":
            return text.startswith(matcher.prefix)
        case "safe_regex":
            return re2.fullmatch(matcher.safe_regex.regex, text) is not None
        case other:
            raise AssertionError(f"a text matcher {other} needs an interpretation")


def _header(matcher: route_components_pb2.HeaderMatcher, call: Call) -> bool:
    value = call.headers.get(matcher.name)
    if value is None:
        return False
    match matcher.WhichOneof("header_match_specifier"):
        case "exact_match":
            return value == matcher.exact_match
        case "prefix_match":
            return value.startswith(matcher.prefix_match)
        case "safe_regex_match":
            return re2.fullmatch(matcher.safe_regex_match.regex, value) is not None
        case "present_match":
            return bool(matcher.present_match)
        case other:
            raise AssertionError(f"a header matcher {other} needs an interpretation")
