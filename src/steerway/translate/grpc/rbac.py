"""Authorization of calls at xDS servers as RBAC filters (gRFC A41), and the log of what audit policies match (A59).

`DENY` then `ALLOW`, each a filter of the listener that does nothing there and gets its rules by the routes, because a
changed route keeps connections and a changed listener cuts them. Only what C-core, grpc-go and grpc-java decide alike
is written: `rules` without a matcher, paths, headers, and names of principals, which are compared with the URI names of
a certificate.

An audit policy changes no result: grpc-go gets a third filter, whose policies allow every call and whose log names the
one that matched.
"""

from collections.abc import Iterable, Mapping, Sequence

from envoy.config.core.v3 import extension_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2 as components
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2
from envoy.extensions.rbac.audit_loggers.stream.v3 import stream_pb2
from envoy.type.matcher.v3 import path_pb2, regex_pb2, string_pb2
from google.protobuf.any_pb2 import Any

from steerway.catalog.model.security import AccessRule, Authorization, HeaderMatch, MatchType, TextMatch
from steerway.translate.protobuf.packing import pack

DENY = "steerway.rbac-deny"
ALLOW = "steerway.rbac-allow"
AUDIT = "steerway.rbac-audit"
NO_EFFECT = pack(filter_pb2.RBAC())
"""The configuration of a filter in a listener: without rules it permits every call."""
UNMATCHED = "no audit rule"
"""The policy in the log of grpc-go for a call that no rule of an audit policy matches."""
_ANY_IDENTITY = "spiffe://"
_ANY_VALUE = "(?s).*"
_LOGGER = "envoy.rbac.audit_loggers.stdout"
_Principal = rbac_pb2.Principal
_Permission = rbac_pb2.Permission


def overrides(authorization: Authorization, audits: bool) -> dict[str, Any]:
    """What routes set in the filters, by their names. `audits`: whether the library writes the log of A59."""
    filters: dict[str, rbac_pb2.RBAC] = {}
    if authorization.deny:
        filters[DENY] = _rules(rbac_pb2.RBAC.DENY, _policies(authorization.deny))
    if authorization.allow is not None:
        # gRFC A41: ALLOW without policies permits nothing.
        filters[ALLOW] = _rules(rbac_pb2.RBAC.ALLOW, _policies(authorization.allow))
    if audits and (authorization.audit_deny or authorization.audit_allow is not None):
        filters[AUDIT] = _audit(authorization)
    return {name: _override(rules) for name, rules in filters.items()}


def text_matcher(match: TextMatch) -> string_pb2.StringMatcher:
    """A matcher of a whole text. An empty prefix, which grpc-go refuses, stands for every SPIFFE ID."""
    match match.type:
        case MatchType.EXACT:
            return string_pb2.StringMatcher(exact=match.text)
        case MatchType.REGULAR_EXPRESSION:
            return string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=match.text))
        case _:
            return string_pb2.StringMatcher(prefix=match.text or _ANY_IDENTITY)


def _override(rules: rbac_pb2.RBAC) -> Any:
    return pack(filter_pb2.RBACPerRoute(rbac=filter_pb2.RBAC(rules=rules)))


def _rules(
    action: "rbac_pb2.RBAC.Action.ValueType", policies: Mapping[str, rbac_pb2.Policy]
) -> rbac_pb2.RBAC:
    return rbac_pb2.RBAC(action=action, policies=policies)


def _policies(rules: Iterable[AccessRule]) -> dict[str, rbac_pb2.Policy]:
    """A policy matches where one of its permissions and one of its principals do."""
    return {
        rule.name: rbac_pb2.Policy(permissions=[_permission(rule)], principals=_principals(rule))
        for rule in _useful(rules)
    }


def _useful(rules: Iterable[AccessRule]) -> list[AccessRule]:
    """Those that match some client: Envoy's definition requires a principal."""
    return [rule for rule in rules if rule.principals != ()]


def _permission(rule: AccessRule) -> rbac_pb2.Permission:
    """The path and the headers of a call."""
    parts = [_Permission(header=_header(header)) for header in rule.headers]
    if rule.paths:
        paths = [_Permission(url_path=_path(path)) for path in rule.paths]
        parts.insert(0, _Permission(or_rules=_Permission.Set(rules=paths)))
    if not parts:
        return _Permission(any=True)
    return parts[0] if len(parts) == 1 else _Permission(and_rules=_Permission.Set(rules=parts))


def _principals(rule: AccessRule) -> list[rbac_pb2.Principal]:
    if rule.principals is None:
        return [_Principal(any=True)]
    return [_authenticated(principal) for principal in rule.principals]


def _authenticated(principal: TextMatch) -> rbac_pb2.Principal:
    name = text_matcher(principal)
    return _Principal(authenticated=_Principal.Authenticated(principal_name=name))


def _path(path: TextMatch) -> path_pb2.PathMatcher:
    return path_pb2.PathMatcher(path=text_matcher(path))


def _header(header: HeaderMatch) -> components.HeaderMatcher:
    """By the fields that also libraries before gRFC A63 read."""
    name, (match_type, text) = header
    match match_type:
        case MatchType.EXACT:
            return components.HeaderMatcher(name=name, exact_match=text)
        case MatchType.REGULAR_EXPRESSION:
            return components.HeaderMatcher(name=name, safe_regex_match=regex_pb2.RegexMatcher(regex=text))
        case MatchType.PREFIX if text:
            return components.HeaderMatcher(name=name, prefix_match=text)
        case _:
            # By no present_match: grpc-go 1.85 does not match a header whose value is empty.
            return components.HeaderMatcher(
                name=name, safe_regex_match=regex_pb2.RegexMatcher(regex=_ANY_VALUE)
            )


def _audit(authorization: Authorization) -> rbac_pb2.RBAC:
    """Rules whose policies match one by one: those that deny before those that allow, and one for all other calls.

    The policies of a filter have no order, so that each excludes those before it. That is possible with principals
    alone, which can be negated together with the path and the headers.
    """
    denied = {rule.name: _whole(rule) for rule in _useful(authorization.audit_deny)}
    allowed = {rule.name: _whole(rule) for rule in _useful(authorization.audit_allow or ())}
    not_denied = _none_of([*denied.values()])
    policies = {name: _matching([principal]) for name, principal in denied.items()}
    policies |= {name: _matching([principal, *not_denied]) for name, principal in allowed.items()}
    policies[UNMATCHED] = _matching(_none_of([*denied.values(), *allowed.values()]))
    rules = _rules(rbac_pb2.RBAC.ALLOW, policies)
    logger = extension_pb2.TypedExtensionConfig(name=_LOGGER, typed_config=pack(stream_pb2.StdoutAuditLog()))
    options = rules.audit_logging_options
    options.audit_condition = rbac_pb2.RBAC.AuditLoggingOptions.ON_ALLOW
    options.logger_configs.add(audit_logger=logger)
    return rules


def _matching(principals: Sequence[rbac_pb2.Principal]) -> rbac_pb2.Policy:
    """A policy of the calls that all of these match."""
    return rbac_pb2.Policy(permissions=[_Permission(any=True)], principals=[_all(principals)])


def _none_of(principals: Sequence[rbac_pb2.Principal]) -> list[rbac_pb2.Principal]:
    return [_Principal(not_id=_any(principals))] if principals else []


def _whole(rule: AccessRule) -> rbac_pb2.Principal:
    """All of a rule as a principal."""
    parts = [_Principal(header=_header(header)) for header in rule.headers]
    if rule.paths:
        parts.insert(0, _any([_Principal(url_path=_path(path)) for path in rule.paths]))
    if rule.principals is not None:
        parts.insert(0, _any([_authenticated(principal) for principal in rule.principals]))
    return _all(parts)


def _any(principals: Sequence[rbac_pb2.Principal]) -> rbac_pb2.Principal:
    return principals[0] if len(principals) == 1 else _Principal(or_ids=_Principal.Set(ids=principals))


def _all(principals: Sequence[rbac_pb2.Principal]) -> rbac_pb2.Principal:
    if not principals:
        return _Principal(any=True)
    return principals[0] if len(principals) == 1 else _Principal(and_ids=_Principal.Set(ids=principals))
