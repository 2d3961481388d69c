"""The clients of a status request: `envoy.type.matcher.v3.NodeMatcher` on nodes.

A node is selected when any of the matchers matches, and a matcher matches when its id and all of its metadata do.
"""

from collections.abc import Callable, Sequence

from envoy.config.core.v3.base_pb2 import Node
from envoy.type.matcher.v3.node_pb2 import NodeMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.matcher.v3.struct_pb2 import StructMatcher
from envoy.type.matcher.v3.value_pb2 import ValueMatcher
from google.protobuf.struct_pb2 import Value

_TEXT: dict[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
    "contains": str.__contains__,
}


class Matchers:
    """Checked matchers. Without any, every node matches."""

    def __init__(self, matchers: Sequence[NodeMatcher]) -> None:
        """Raises ValueError for an unsupported matcher."""
        for matcher in matchers:
            if matcher.HasField("node_id"):
                _check_text(matcher.node_id)
            for metadata in matcher.node_metadatas:
                _check_value(metadata.value)
                if any(part.WhichOneof("segment") is None for part in metadata.path):
                    raise ValueError("node_matchers: a part of a metadata path has no key")
        self._matchers = tuple(matchers)

    def match(self, node: Node) -> bool:
        return not self._matchers or any(_node(matcher, node) for matcher in self._matchers)


def _node(matcher: NodeMatcher, node: Node) -> bool:
    by_id = not matcher.HasField("node_id") or _text(matcher.node_id, node.id)
    return by_id and all(_metadata(node_metadata, node) for node_metadata in matcher.node_metadatas)


def _metadata(matcher: StructMatcher, node: Node) -> bool:
    """The value of a path that does not exist counts as not present."""
    value: Value | None = Value(struct_value=node.metadata)
    for part in matcher.path:
        fields = value.struct_value.fields if value is not None else {}
        value = fields.get(part.key)
    return _value(matcher.value, value)


def _value(matcher: ValueMatcher, value: Value | None) -> bool:
    pattern = matcher.WhichOneof("match_pattern")
    if pattern == "present_match":
        return bool(matcher.present_match == (value is not None))
    if value is None:
        return False
    kind = value.WhichOneof("kind")
    if pattern == "or_match":
        return any(_value(value_matcher, value) for value_matcher in matcher.or_match.value_matchers)
    if pattern == "null_match":
        return kind == "null_value"
    if pattern == "bool_match":
        return kind == "bool_value" and value.bool_value == matcher.bool_match
    if pattern == "string_match":
        return kind == "string_value" and _text(matcher.string_match, value.string_value)
    if pattern == "list_match":
        return kind == "list_value" and any(
            _value(matcher.list_match.one_of, element) for element in value.list_value.values
        )
    number = matcher.double_match
    if kind != "number_value":
        return False
    if number.HasField("range"):
        return bool(number.range.start <= value.number_value < number.range.end)
    return bool(value.number_value == number.exact)


def _text(matcher: StringMatcher, text: str) -> bool:
    pattern = matcher.WhichOneof("match_pattern")
    assert pattern is not None  # checked before
    wanted = getattr(matcher, pattern)
    if matcher.ignore_case:
        wanted, text = wanted.lower(), text.lower()
    return _TEXT[pattern](text, wanted)


def _check_text(matcher: StringMatcher) -> None:
    pattern = matcher.WhichOneof("match_pattern")
    if pattern not in _TEXT:
        # Python's regular expressions are no RE2: a caller could block the process with one.
        expression = pattern or "no pattern"
        raise ValueError(f"node_matchers: {expression} is not supported; use {', '.join(_TEXT)}")


def _check_value(matcher: ValueMatcher) -> None:
    pattern = matcher.WhichOneof("match_pattern")
    if pattern is None:
        raise ValueError("node_matchers: a metadata matcher has no value to match")
    if pattern == "string_match":
        _check_text(matcher.string_match)
    elif pattern == "list_match":
        _check_value(matcher.list_match.one_of)
    elif pattern == "or_match":
        for value_matcher in matcher.or_match.value_matchers:
            _check_value(value_matcher)
