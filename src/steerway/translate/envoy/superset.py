"""Matches that take at least the requests of one whose regular expression is too large for an Envoy.

A rule that an Envoy cannot be sent must not leave its requests to the next rule. So a wider match takes them, and they
fail. It is as narrow as two attempts make it: counted repetitions become uncounted ones (`[0-9]{36}` → `[0-9]+`), which
is nearly always enough; else the literal characters at the beginning remain. Everything else of the match stays.

RE2 has no negation (look-around), so an expression with a wider part matches all that it matched before.
"""

import re
from dataclasses import replace

import re2

from steerway.catalog.model.route import Match, MatchType, ValueMatch
from steerway.translate.envoy import size

_TOKEN = re.compile(
    r"""\\Q(?P<quoted>.*?)(?:\\E|\Z)                             # \Q...\E
    | \\(?P<escaped>[^A-Za-z0-9])                                # a character as it is
    | \\(?:[pPx]\{[^}]*\} | .)                                   # \d, \pL, \p{Greek}, \x{10FFFF}
    | \[\^?\]?(?:\[:\^?[a-z]+:\] | \\(?:[pPx]\{[^}]*\} | .) | [^\]])*\]  # a class of characters
    | \{(?P<least>[0-9]+)(?:,[0-9]*)?\}                          # a counted repetition
    | (?P<special>[.^$*+?()|\[{])
    | (?P<literal>.)""",
    re.DOTALL | re.VERBOSE,
)
_REPEATED = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")


def of(match: Match, limit: int) -> Match:
    """A match that is no larger than the limit and takes every request that `match` takes."""
    headers = tuple(_value(header, limit) for header in match.headers)
    query = tuple(_value(parameter, limit) for parameter in match.query)
    match_type, path = match.match_type, match.path
    if match_type is MatchType.REGEX and not size.fits(path, limit):
        match_type, path = _wider(path, limit)
    return replace(match, match_type=match_type, path=path, headers=headers, query=query)


def _value(value: ValueMatch, limit: int) -> ValueMatch:
    if value.match_type is not MatchType.REGEX or size.fits(value.value, limit):
        return value
    return ValueMatch(value.name, *_wider(value.value, limit))


def _wider(expression: str, limit: int) -> tuple[MatchType, str]:
    """A smaller expression, or a prefix, which may be empty."""
    uncounted = _uncounted(expression)
    if uncounted and size.fits(uncounted, limit):
        return MatchType.REGEX, uncounted
    return MatchType.PREFIX, literal_prefix(expression)


def _uncounted(expression: str) -> str:
    """The expression without counts; "" where RE2 does not compile it then."""
    text = ""
    for token in _TOKEN.finditer(expression):
        least = token["least"]
        text += token[0] if least is None else "+" if int(least) else "*"
    try:
        re2.compile(text)
    except re2.error:
        return ""
    return text


def literal_prefix(expression: str) -> str:
    """The characters that every match begins with, as far as they are literal ones of the expression."""
    text, depth = "", 0
    tokens = list(_TOKEN.finditer(expression.removeprefix("^").removeprefix(r"\A")))
    for token in tokens:
        depth += (token["special"] == "(") - (token[0] == ")")
        if token["special"] == "|" and depth <= 0:
            return ""
    for token, after in zip(tokens, [*(following[0] for following in tokens[1:]), ""], strict=True):
        literal = token["literal"] or token["escaped"] or token["quoted"]
        if literal is None:
            break
        # What follows a quotation repeats its last character.
        if _REPEATED.fullmatch(after):
            return text + literal[:-1]
        text += literal
    return text
