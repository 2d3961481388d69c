"""Text to documents: lines, types, broken documents beside good ones, and input made to hurt."""

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
    """A value's line is that of its key; what has no line of its own takes that of what is around it."""
    text = "# comment\n---\nkind: A\nlist:\n- x: 1\n- y:\n    z: 2\n---\n\nkind: B\n"
    first, second = read_documents(text)
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.line, second.line) == (3, 10)
    assert first.line_of(("list", 1)) == 6
    assert first.line_of(("list", 1, "y", "z")) == 7
    assert first.line_of(("list", 1, "y", "missing", 3)) == 6
    assert first.line_of(("nowhere",)) == 3


def test_empty_documents_are_left_out() -> None:
    """Comments, separators and nulls are no documents."""
    assert values("---\n---\n# nothing\n---\n~\n---\na: 1\n---\n") == [{"a": 1}]
    assert values("") == []
    assert values("null", is_json=True) == []


def test_plain_words_have_the_types_of_json() -> None:
    """YAML 1.2 core schema: no booleans called `no`, no dates, no base-60 numbers."""
    text = "[no, on, 2020-01-01, 12:30, 1_000, 0o17, 0x1F, 010, -3, 1.5, 1e3, true, ~, '1', !!str 2]"
    expected = ["no", "on", "2020-01-01", "12:30", "1_000", 15, 31, 10, -3, 1.5, 1000.0, True, None]
    assert values(text) == [[*expected, "1", "2"]]


def test_keys_are_strings_as_they_are_written() -> None:
    """JSON has string keys only, and so has every reader of documents."""
    assert values("1: a\ntrue: b\n") == [{"1": "a", "true": "b"}]


def test_a_broken_document_costs_only_itself() -> None:
    """Documents are cut at their separators before they are parsed."""
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
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    """Each kind of fault has a line, a reason and a cure."""
    result = broken(text)
    assert (result.line, reason in result.reason) == (line, True), result
    assert result.hint


def test_aliases_cannot_expand_without_bound() -> None:
    """Nine lines that mean a billion values are refused, without building them."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert f"more than {MAX_ALIASED_NODES} values" in broken("\n".join(lines)).reason


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
@pytest.mark.parametrize("is_json", [False, True])
def test_deep_nesting_is_refused_and_does_no_harm(opening: str, is_json: bool) -> None:
    """A parser that recurses for each level would overflow the stack and end the process."""
    result = broken(opening * 100_000, is_json=is_json)
    assert "nested too deeply" in result.reason or "not valid" in result.reason


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit is what it says, in YAML and in JSON, also where aliases do the nesting or YAML has no lines."""
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
    """Tabs, escapes and surrogate pairs are JSON's; YAML's unquoted words are not."""
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
def test_what_json_text_cannot_mean_is_named_with_its_line(text: str, reason: str) -> None:
    """Numbers without bound and halves of characters end here: nothing behind it would expect them."""
    result = broken(text, is_json=True)
    assert (result.line, reason in result.reason) == (2, True), result
    assert result.hint
    (result.reason + result.hint).encode()


def test_a_surrogate_pair_costs_no_lines() -> None:
    """JSON escapes most emoji so, and YAML has no such escape."""
    (result,) = read_documents('{"a": "\\ud83d\\ude00",\n"b\\ud83d\\ude00": [\n1]}', is_json=True)
    assert isinstance(result, Document)
    assert result.line_of(("b\U0001f600", 0)) == 3


def test_an_unexpected_error_costs_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a problem of the document, counted, and the others of the file are read."""
    monkeypatch.setattr(module, "resolve", lambda text: 1 // (text != "bad"))
    first, second = read_documents("a: bad\n---\na: b\n")
    assert first == BrokenDocument(
        1, "internal error: ZeroDivisionError('integer division or modulo by zero')", HINT
    )
    assert isinstance(second, Document)


def test_many_blank_lines_cost_nothing() -> None:
    """Finding the documents is linear in the text."""
    (result,) = read_documents("\n" * 200_000 + "a: 1\n" + "# x\n" * 1000)
    assert result.line == 200_001
