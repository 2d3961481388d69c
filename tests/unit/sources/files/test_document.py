"""Text to documents: lines, types, invalid documents beside valid ones, and hostile input."""

from typing import Any

import pytest

from steerway.runtime.isolation import HINT
from steerway.sources.files import document as module
from steerway.sources.files.document import (
    MAX_ALIASED_NODES,
    MAX_DEPTH,
    BrokenDocument,
    Document,
    read_documents,
)


def values(text: str, **options: Any) -> list[Any]:
    documents = list(read_documents(text, **options))
    assert all(isinstance(document, Document) for document in documents), documents
    return [document.value for document in documents if isinstance(document, Document)]


def broken(text: str, **options: Any) -> BrokenDocument:
    (broken_document,) = read_documents(text, **options)
    assert isinstance(broken_document, BrokenDocument)
    return broken_document


def test_each_document_knows_its_lines() -> None:
    """The line of a value is that of its key; a value without a line has that of its container."""
    text = "# comment\n---\nkind: A\nlist:\n- x: 1\n- y:\n    z: 2\n---\n\nkind: B\n"
    first, second = read_documents(text)
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.line, second.line) == (3, 10)
    assert first.line_of(("list", 1)) == 6
    assert first.line_of(("list", 1, "y", "z")) == 7
    assert first.line_of(("list", 1, "y", "missing", 3)) == 6
    assert first.line_of(("absent",)) == 3


def test_empty_documents_are_skipped() -> None:
    """Comments, separators and nulls are no documents."""
    assert values("---\n---\n# nothing\n---\n~\n---\na: 1\n---\n") == [{"a": 1}]
    assert values("") == []
    assert values("null", is_json=True) == []


def test_plain_scalars_have_the_types_of_json() -> None:
    """YAML 1.2 core schema: no booleans called `no`, no dates, no base-60 numbers."""
    text = "[no, on, 2020-01-01, 12:30, 1_000, 0o17, 0x1F, 010, -3, 1.5, 1e3, true, ~, '1', !!str 2]"
    expected = ["no", "on", "2020-01-01", "12:30", "1_000", 15, 31, 10, -3, 1.5, 1000.0, True, None]
    assert values(text) == [[*expected, "1", "2"]]


def test_keys_are_strings_as_they_are_written() -> None:
    """As in JSON, which has string keys only."""
    assert values("1: a\ntrue: b\n") == [{"1": "a", "true": "b"}]


def test_an_invalid_document_affects_only_itself() -> None:
    """Documents are split at their separators before they are parsed."""
    documents = list(read_documents("a: 1\n---\nb: [1\n---\nc: 3\n"))
    assert [document.value for document in documents if isinstance(document, Document)] == [
        {"a": 1},
        {"c": 3},
    ]
    assert [(document.line, "not valid YAML" in document.reason) for document in documents[1:2]] == [
        (3, True)
    ]  # type: ignore[union-attr]


def test_a_separator_inside_a_block_scalar_is_text_only_when_indented() -> None:
    """YAML 1.2, 9.1.2: three dashes at the start of a line end the document wherever they stand."""
    assert values("a: |\n  ---\n  x\nb: 1\n") == [{"a": "---\nx\n", "b": 1}]


def test_directives_belong_to_the_document_after_them() -> None:
    """A %YAML line before the separator is not a document."""
    assert values("%YAML 1.2\n---\na: 1\n...\n") == [{"a": 1}]


def test_merge_keys_and_aliases_work_as_in_kubectl() -> None:
    """Own keys win, then earlier merges."""
    text = "x: &x {p: 1, q: 2}\ny: &y {q: 3, r: 4}\nz: {<<: [*x, *y], p: 9}\nw: *x\n"
    assert values(text)[0]["z"] == {"p": 9, "q": 2, "r": 4}
    assert values(text)[0]["w"] == {"p": 1, "q": 2}
    assert values("a: {'<<': 1}") == [{"a": {"<<": 1}}]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: {\n", 2, "not valid YAML"),
        ("a: 1\n  b: 2\n", 2, "not valid YAML: mapping values are not allowed"),
        ("a: 1\nb: \x00\n", 2, "not valid YAML: control characters are not allowed"),
        ("a:\n  b: 1\n  b: 2\n", 3, "key 'b' is given twice"),
        ("a: 1\n? [1, 2]\n: x\n", 2, "a key is not a plain word"),
        ("a: *nowhere\n", 1, "alias *nowhere has no anchor"),
        ("a: &a\n- *a\n", 2, "alias *a stands inside its own anchor"),
        ("a: 1\nb: !custom x\n", 2, "unknown tag '!custom'"),
        ("a: !!python/object/apply:os.getcwd []\n", 1, "unknown tag"),
        ("a: !!binary aGk=\n", 1, "unknown tag '!!binary'"),
        ("a: 1\nb: {<<: 3}\n", 2, "'<<' merges something that is not a mapping"),
        ("a: 1\nb: .inf\n", 2, "number .inf is not finite"),
        ("a: 1\nb: -.NaN\n- .nan", 3, "not valid YAML"),
        ("a: 1\nb: [.nan]\n", 2, "number .nan is not finite"),
        ("a: 1\nb: 1e400\n", 2, "number 1e400 is not finite"),
        ("a: 1\nb: " + "9" * 5000 + "\n", 2, "the number has 5,000 digits"),
        ("a: 1\nb: 0x" + "f" * 5000 + "\n", 2, "the number has 5,002 digits"),
        ('a: 1\nb: "\\ud800"\n', 2, "not valid YAML"),
    ],
)
def test_an_error_has_its_line(text: str, line: int, reason: str) -> None:
    """Each kind of error has a line, a reason and a hint."""
    result = broken(text)
    assert (result.line, reason in result.reason) == (line, True), result
    assert result.hint


def test_aliases_cannot_expand_without_bound() -> None:
    """Nine lines that expand to a billion values are refused without expansion."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert f"more than {MAX_ALIASED_NODES} values" in broken("\n".join(lines)).reason


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
@pytest.mark.parametrize("is_json", [False, True])
def test_deep_nesting_is_refused(opening: str, is_json: bool) -> None:
    """A recursive parser would overflow the stack and end the process."""
    result = broken(opening * 100_000, is_json=is_json)
    assert "nested too deeply" in result.reason or "not valid" in result.reason


def test_nesting_up_to_the_limit_is_read() -> None:
    """The exact limit, in YAML and in JSON, also with nesting by aliases and YAML without lines."""
    assert len(values("[" * MAX_DEPTH + "]" * MAX_DEPTH)) == 1
    too_deep = "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2)
    assert "nested too deeply" in broken(too_deep).reason
    assert "nested too deeply" in broken(too_deep, is_json=True).reason
    assert "nested too deeply" in broken(f'["\x7f", {too_deep}]', is_json=True).reason
    half = MAX_DEPTH // 2
    twice = f"a: &a {'[' * half}{']' * half}\nb: [{'[' * half}*a{']' * half}]\n"
    assert broken(twice) == BrokenDocument(2, "nested too deeply", f"nest at most {MAX_DEPTH} levels")
    assert len(values(twice.replace("b: [", "b: ").replace("*a]", "*a"))) == 1


def test_json_has_its_own_grammar_and_keeps_lines() -> None:
    """Tabs, escapes and surrogate pairs are valid in JSON; unquoted scalars of YAML are not."""
    (result,) = read_documents('{\n\t"a": "\\/",\n\t"b": [\n\t\t{"c": 1}\n\t]\n}', is_json=True)
    assert isinstance(result, Document)
    assert result.value == {"a": "/", "b": [{"c": 1}]}
    assert result.line_of(("b", 0, "c")) == 4
    assert values('{"a": "\\ud83d\\ude00"}', is_json=True) == [{"a": "\U0001f600"}]
    assert broken('{"a": 1,\n b: 2}', is_json=True).line == 2
    assert "not valid JSON" in broken("a: 1", is_json=True).reason
    twice = broken('{"a": 1,\n"a": 2}', is_json=True)
    assert (twice.line, twice.reason) == (2, "key 'a' is given twice")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1,\n"b": ' + "9" * 5000 + "}", "the number has 5,000 digits"),
        ('{"a": 1,\n"b": -1e999}', "number -1e999 is not finite"),
        ('{"a": 1,\n"b": [NaN]}', "number NaN is not finite"),
        ('{"a": 1,\n"b": -Infinity}', "number -Infinity is not finite"),
        ('{"a": "\\\\ud800",\n"b": "\\ud800"}', "\\ud800 is half of a surrogate pair"),
        ('{"a": "\\ud83d\\ude00",\n"b": "\\udfff\\ud83d\\ude00"}', "\\udfff is half of a surrogate pair"),
        ('{"a": 1,\n"\\udc00": 2}', "\\udc00 is half of a surrogate pair"),
        ('{"\\udc00": 1,\n"\\udc00": 2}', "key '\\udc00' is given twice"),
    ],
)
def test_invalid_numbers_and_characters_of_json_are_errors_with_their_line(text: str, reason: str) -> None:
    """Unbounded numbers and lone surrogates are refused here: later stages do not expect them."""
    result = broken(text, is_json=True)
    assert (result.line, reason in result.reason) == (2, True), result
    assert result.hint
    (result.reason + result.hint).encode()


def test_a_surrogate_pair_keeps_lines() -> None:
    """JSON escapes most emoji so; YAML has no such escape."""
    (result,) = read_documents('{"a": "\\ud83d\\ude00",\n"b\\ud83d\\ude00": [\n1]}', is_json=True)
    assert isinstance(result, Document)
    assert result.line_of(("b\U0001f600", 0)) == 3


def test_an_unexpected_error_affects_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a problem of the document, counted; other documents of the file are read."""
    monkeypatch.setattr(module, "resolve", lambda text: 1 // (text != "bad"))
    first, second = read_documents("a: bad\n---\na: b\n")
    assert first == BrokenDocument(
        1, "internal error: ZeroDivisionError('integer division or modulo by zero')", HINT
    )
    assert isinstance(second, Document)


def test_splitting_is_linear_in_blank_lines() -> None:
    (result,) = read_documents("\n" * 200_000 + "a: 1\n" + "# x\n" * 1000)
    assert result.line == 200_001
