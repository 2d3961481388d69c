"""Reading documents: whatever can be written is read back, and nothing that can be typed makes it raise."""

import json
import string
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.files.document import BrokenDocument, Document, read_documents

TEXT = st.text(
    alphabet=string.printable.replace("\r", "").replace("\x0b", "").replace("\x0c", ""), max_size=12
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


class _Quoting(yaml.SafeDumper):
    """Writes every string quoted, so that YAML 1.1's words (`no`, dates) and ours cannot differ."""


_Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)
_Quoting.add_representer(
    float, lambda dumper, number: dumper.represent_scalar("tag:yaml.org,2002:float", repr(number))
)


def values(text: str, *, is_json: bool = False) -> list[Any]:
    documents = list(read_documents(text, is_json=is_json))
    assert not any(isinstance(document, BrokenDocument) for document in documents), documents
    return [document.value for document in documents if isinstance(document, Document)]


@given(st.lists(VALUES, max_size=4), st.booleans())
def test_yaml_is_read_as_it_was_written(documents: list[Any], flow: bool) -> None:
    """Any JSON values, in block or flow style, one or many in a file."""
    text = yaml.dump_all(documents, Dumper=_Quoting, default_flow_style=flow, explicit_start=True)
    assert values(text) == [document for document in documents if document is not None]


@given(VALUES, st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_it_was_written(value: Any, indent: Any) -> None:
    """In any layout, as a .json file."""
    expected = [value] if value is not None else []
    assert values(json.dumps(value, indent=indent), is_json=True) == expected


@given(st.text(alphabet="abc:-[]{}&*!|>%#'\" \n\t0~<,?@`\\"), st.booleans())
def test_nothing_that_can_be_typed_raises(text: str, is_json: bool) -> None:
    """Each outcome is a document or a broken one, on a line that the text has."""
    for document in read_documents(text, is_json=is_json):
        assert 1 <= document.line <= text.count("\n") + 1


@given(st.binary())
def test_nothing_that_is_utf_8_raises(raw: bytes) -> None:
    """Control characters included."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return
    breaks = sum(map(text.count, ("\n", "\r", "\x85", "\u2028", "\u2029")))  # YAML 1.1, section 4.2
    for document in read_documents(text):
        assert 1 <= document.line <= breaks + 1


@given(
    st.lists(
        st.dictionaries(st.text(string.ascii_letters, min_size=1), st.integers(), min_size=1), min_size=1
    )
)
def test_every_value_knows_its_line(items: list[dict[str, int]]) -> None:
    """Each line of a block list of mappings is that of one key."""
    text = "items:\n" + "".join(
        f"{'- ' if first else '  '}{key}: {value}\n"
        for item in items
        for first, (key, value) in zip([True] + [False] * len(item), item.items(), strict=False)
    )
    (document,) = read_documents(text)
    assert isinstance(document, Document)
    lines = [document.line_of(("items", index, key)) for index, item in enumerate(items) for key in item]
    assert lines == list(range(2, 2 + len(lines)))
