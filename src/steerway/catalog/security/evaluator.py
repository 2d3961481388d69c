"""Whether a server accepts a call: an `Authorization` evaluated directly, without RBAC.

`steerway explain` answers with it, and what is sent to servers is tested against it.

Source: gRFC A41 (policies that deny come first; a regular expression matches all of a text).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import re2

from steerway.catalog.model.security import AccessRule, Authorization, MatchType, TextMatch

NOTHING_RESTRICTS = "no policy restricts it"
NOTHING_ALLOWS = "no rule allows it"


@dataclass(frozen=True, slots=True)
class Request:
    """A call. `principal` is the SPIFFE ID of the client, "" without a certificate; `path` is
    `/package.Service/Method`; names of headers are in lower case."""

    principal: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """`by` is the rule that decides, or why none does. `audited`: what policies in audit mode would do to the call."""

    allowed: bool
    by: str
    audited: tuple[str, ...] = ()


def decide(authorization: Authorization, request: Request) -> Decision:
    """Whether the call is accepted, and by what."""
    audited = tuple(_audited(authorization, request))
    if denying := _first(authorization.deny, request):
        return Decision(False, denying, audited)
    if authorization.allow is None:
        return Decision(True, NOTHING_RESTRICTS, audited)
    allowing = _first(authorization.allow, request)
    return Decision(bool(allowing), allowing or NOTHING_ALLOWS, audited)


def _audited(authorization: Authorization, request: Request) -> Iterable[str]:
    if denying := _first(authorization.audit_deny, request):
        yield f"{denying} would refuse it"
    if authorization.audit_allow is None:
        return
    if allowing := _first(authorization.audit_allow, request):
        yield f"{allowing} would allow it"
    elif not _first(authorization.allow or (), request):
        yield "no rule would allow it"


def _first(rules: Iterable[AccessRule], request: Request) -> str:
    """The name of the first rule that matches; "" for none."""
    return next((rule.name for rule in rules if matches(rule, request)), "")


def matches(rule: AccessRule, request: Request) -> bool:
    """Whether a rule matches a call."""
    return (
        # A client without a certificate has no identity that any principal could match.
        (rule.principals is None or (bool(request.principal) and _any(rule.principals, request.principal)))
        and (not rule.paths or _any(rule.paths, request.path))
        and all(
            header.name in request.headers and _matches(header.match, request.headers[header.name])
            for header in rule.headers
        )
    )


def _any(alternatives: Iterable[TextMatch], text: str) -> bool:
    return any(_matches(match, text) for match in alternatives)


def _matches(match: TextMatch, text: str) -> bool:
    match match.type:
        case MatchType.EXACT:
            return text == match.text
        case MatchType.PREFIX:
            return text.startswith(match.text)
        case MatchType.PRESENT:
            return True
        case MatchType.REGULAR_EXPRESSION:
            return _compiled(match.text).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    return re2.compile(expression)
