"""The wider match that an Envoy gets for a regular expression that is too large: nothing escapes it."""

import re2
from hypothesis import given
from hypothesis import strategies as st

from steerway.catalog.model.route import Match, MatchType, ValueMatch
from steerway.translate.envoy import match, superset

_ATOMS = st.sampled_from(["a", "b", "/", r"\.", r"\|", "[a-c]", "[^/]", "[|)]", r"[\]b]", "."])
_REPEATED = st.sampled_from(["", "", "*", "+", "?", "{2}", "{0,2}", "{1,3}", "{0}", "{2,}?"])


def _grown(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(parts, min_size=1, max_size=4).map("".join)
    group = st.lists(several, min_size=1, max_size=3).map(lambda item: f"(?:{'|'.join(item)})")
    return st.tuples(st.one_of(_ATOMS, group), _REPEATED).map("".join)


_PART = st.recursive(st.tuples(_ATOMS, _REPEATED).map("".join), _grown, max_leaves=12)
_SEQUENCE = st.lists(_PART, min_size=1, max_size=5).map("".join)
_EXPRESSIONS = st.lists(_SEQUENCE, min_size=1, max_size=2).map("|".join)


@given(_EXPRESSIONS, st.integers(0, 30), st.data())
def test_the_wider_match_takes_whatever_the_expression_takes(
    expression: str, limit: int, data: st.DataObject
) -> None:
    """For paths and for values of headers, under any limit that leaves something out."""
    text = data.draw(st.from_regex(expression, fullmatch=True))
    wanted = Match(MatchType.REGEX, expression, headers=(ValueMatch("x", MatchType.REGEX, expression),))
    wider = superset.of(wanted, limit)
    assert not match.too_large(wider, limit)
    assert _takes(wider.match_type, wider.path, text)
    (header,) = wider.headers
    assert _takes(header.match_type, header.value, text)


def _takes(match_type: MatchType, value: str, text: str) -> bool:
    if match_type is MatchType.PREFIX:
        return text.startswith(value)
    return re2.fullmatch(value, text) is not None
