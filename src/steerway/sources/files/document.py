"""Text to documents: YAML (one or many in a file) and JSON, with the line of each value.

Built on libyaml's events and not on `yaml.load`, which keeps no position of a value, drops duplicate keys
silently, expands aliases without bound (a few lines can mean gigabytes) and overflows the C stack on deep
nesting, which ends the process. Plain scalars have the types of YAML 1.2's core schema, which is JSON's: `no`
and `on` are strings, dates too. Merge keys (`<<`) work, as in `kubectl`.

Every string is valid Unicode text, every number finite and of bounded length, every value nested at most `MAX_DEPTH`
deep: later stages rely on it.

It does not know what a document means: see `manifest.py`, `xds.py` and `mapping.py`.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import yaml

from steerway.errors import DocumentError
from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.sources.policy.validation_error import Path
from steerway.text import bounded

MAX_DEPTH = 100
"""Levels of nesting. Kubernetes objects need about 20 and Envoy's filter chains about 40."""
MAX_ALIASED_NODES = 100_000
"""Values that aliases may add to one document; far above what people write, far below what hurts."""

MAX_DIGITS = 100
"""Characters of an integer. No field holds a number near this, and Python refuses to convert more than 4,300 digits."""

_MAX_SHOWN = 200
"""Bytes of a key in a reason."""
_SEPARATOR = "---"
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_TAG = "tag:yaml.org,2002:"
# RFC 8259, section 7: a character outside the BMP is escaped as a pair of surrogates. Other escapes are matched, too:
# a backslash that is itself escaped begins none.
_ESCAPE = re.compile(
    r"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its value (what JSON can hold), its first line, and the lines of the values in it."""

    value: Any
    line: int
    lines: dict[Path, int] = field(default_factory=dict, repr=False)

    def line_of(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest value around it that has a known line."""
        while path:
            if (line := self.lines.get(path)) is not None:
                return line
            path = path[:-1]
        return self.line


@dataclass(frozen=True, slots=True)
class BrokenDocument:
    """A document that is not YAML (or JSON): where and why. The others of its file are read all the same."""

    line: int
    reason: str
    hint: str = ""


class Chunk(NamedTuple):
    """Text that is parsed by itself, and the line of its file at which it begins. No chunk depends on another one:
    tags, anchors and directives end with their document."""

    line: int
    text: str


def read_documents(text: str, *, is_json: bool = False) -> Iterator[Document | BrokenDocument]:
    """The documents of a file in order; empty ones are left out. Never raises for what the text holds."""
    for chunk in split(text, is_json=is_json):
        yield from read_chunk(chunk, is_json=is_json)


def read_chunk(chunk: Chunk, *, is_json: bool = False) -> Iterator[Document | BrokenDocument]:
    """The documents of a chunk, usually one. All depends on the text, and the line numbers on `chunk.line`, too."""
    with isolated("document", line=chunk.line) as run:
        yield from _read_json(chunk.text) if is_json else _read_yaml(chunk)
    if run.failure:
        yield BrokenDocument(chunk.line, f"internal error: {run.failure}", isolation.HINT)


def _read_yaml(chunk: Chunk) -> Iterator[Document | BrokenDocument]:
    try:
        yield from _Builder(chunk.text, chunk.line).documents()
    except DocumentError as error:
        broken = BrokenDocument(int(error.where), error.reason, error.hint)
        yield _template_or(broken, chunk.text)
    except yaml.YAMLError as error:
        yield _template_or(_syntax_error(error, chunk.text, chunk.line), chunk.text)


def split(text: str, *, is_json: bool = False) -> Iterator[Chunk]:
    """Cut at `---`, so that a syntax error costs one document and not the rest of the file. JSON is one chunk.

    YAML 1.2, section 9.1.2: a line that begins with `---` is a document marker wherever it stands, in a block
    scalar too, so that cutting needs no parser.
    """
    if is_json:
        yield Chunk(1, text)
        return
    start, line = 0, 1
    for cut in _cuts(text):
        chunk = text[start:cut]
        preamble = start == 0 and _is_preamble(chunk)  # every later chunk begins with its `---`
        if preamble and "%" in chunk:  # a %YAML directive belongs to the document after it
            continue
        if not preamble:
            yield Chunk(line, chunk)
        line += chunk.count("\n")
        start = cut


def _cuts(text: str) -> Iterator[int]:
    """Where separators begin, and the end of the text. `str.find` takes a tenth of the time of a regular expression."""
    if _is_separator(text, 0):
        yield 0
    position = text.find(f"\n{_SEPARATOR}")
    while position >= 0:
        if _is_separator(text, position + 1):
            yield position + 1
        position = text.find(f"\n{_SEPARATOR}", position + 1)
    yield len(text)


def _is_separator(text: str, start: int) -> bool:
    """Whether the line that begins at `start` begins with `---` alone."""
    after = start + len(_SEPARATOR)
    return text.startswith(_SEPARATOR, start) and not text[after : after + 1].strip()


def _is_preamble(chunk: str) -> bool:
    """Whether a chunk has comments and directives only."""
    return all(not part.strip() or part.lstrip()[0] in "#%" for part in chunk.splitlines())


def _template_or(broken: BrokenDocument, chunk: str) -> BrokenDocument:
    """The problem of a document that is not YAML; a template for text has a hint of its own."""
    if "{{" not in chunk:
        return broken
    return replace(broken, hint="if this is a template, give what it renders to (helm template)")


def _syntax_error(error: yaml.YAMLError, chunk: str, first_line: int) -> BrokenDocument:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark is not None else 0)
        reason = ", ".join(part for part in (error.context, error.problem) if part)
    else:  # yaml.reader.ReaderError
        position = int(getattr(error, "position", 0))
        line = first_line + chunk.count("\n", 0, position)
        reason = str(getattr(error, "reason", error))
    # libyaml marks the end of input after the last line break, one line below the last line.
    line = min(line, first_line + chunk.rstrip("\n").count("\n"))
    return BrokenDocument(line, f"not valid YAML: {reason}", "fix the syntax at or just before this line")


def _read_json(text: str) -> Iterator[Document | BrokenDocument]:
    try:
        value = _json_value(text)
        if value is None:
            return
        # JSON is nearly YAML: its events give the lines. What is not (a control character) is served without lines.
        try:
            first = next(_Builder(_ESCAPE.sub(_unescaped, text), 1).documents(), None)
        except yaml.YAMLError:
            first = None
            _limit_depth(value)
    except DocumentError as error:
        yield BrokenDocument(int(error.where), error.reason, error.hint)
        return
    yield Document(value, first.line if first else 1, first.lines if first else {})


def _json_value(text: str) -> Any:
    """The value of JSON text. Raises DocumentError with the bare line number as `where`."""

    def fail(position: int, reason: str, hint: str) -> DocumentError:
        return DocumentError(str(text.count("\n", 0, position) + 1), reason, hint)

    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except json.JSONDecodeError as error:
        raise fail(error.pos, f"not valid JSON: {error.msg}", "fix the syntax at this line") from None
    except _DuplicateKeyError as error:
        keys = list(re.finditer(rf"{re.escape(json.dumps(error.key))}\s*:", text))
        position = keys[1].start() if len(keys) > 1 else 0
        raise fail(position, f"key {_shown(error.key)} is given twice", "remove one of them") from None
    except _NumberError as error:
        number = re.search(rf"(?<![\w.+-]){re.escape(error.text)}", text)
        raise fail(number.start() if number else 0, error.reason, error.hint) from None
    except RecursionError:
        raise fail(0, "nested too deeply", f"nest at most {MAX_DEPTH} levels") from None
    for escape in _ESCAPE.finditer(text):
        if escape["lone"]:
            reason = f"{escape['lone']} is half of a surrogate pair, and no character by itself"
            raise fail(escape.start(), reason, "write the character itself, or both halves")
    return value


def _unescaped(escape: re.Match[str]) -> str:
    """A surrogate pair as the character that it stands for: YAML has no such escape."""
    return str(json.loads(f'"{escape[0]}"')) if escape["pair"] else escape[0]


def _limit_depth(value: Any) -> None:
    """Raise DocumentError for a value that is nested deeper than `MAX_DEPTH`."""
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise DocumentError("1", "nested too deeply", f"nest at most {MAX_DEPTH} levels")
        inner = [node.values() if isinstance(node, dict) else node for node in level]
        level = [
            item
            for items in inner
            if isinstance(items, Iterable) and not isinstance(items, str)
            for item in items
        ]
        depth += 1


def _shown(key: str) -> str:
    """A key in quotes, also where it is no valid Unicode text."""
    return f"'{bounded(key, _MAX_SHOWN)}'"


class _NumberError(ValueError):
    """A number that no field can hold."""

    def __init__(self, text: str, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.text, self.reason, self.hint = text, reason, hint


def _integer(text: str, base: int = 10) -> int:
    if len(text) > MAX_DIGITS:
        reason = f"the number has {len(text):,} digits"
        raise _NumberError(text, reason, f"write at most {MAX_DIGITS}, or a string in quotes")
    return int(text, base)


def _finite(text: str) -> float:
    number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(number):  # JSON has no way to write it, and an API server refuses it
        raise _NumberError(
            text, f"number {text[:20]} is not finite", "write a finite number, or a string in quotes"
        )
    return number


class _DuplicateKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen.add(key)
    return mapping


class _Builder:
    """Values from the events of one chunk. Raises DocumentError with the bare line number as `where`."""

    def __init__(self, text: str, first_line: int) -> None:
        # Any: the type stubs give events no attributes.
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self._first_line = first_line
        self._lines: dict[Path, int] = {}
        self._anchors: dict[str, Any] = {}
        self._open: set[str] = set()  # anchors whose value is still being built
        self._sizes: dict[str, int] = {}
        self._heights: dict[str, int] = {}  # levels of nesting below each anchor
        self._deepest = 0  # length of the longest path below the value that is being built
        self._values = 0
        self._aliased = 0

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._lines, self._anchors, self._sizes, self._heights = {}, {}, {}, {}
                root = next(self._events)
                line = self._line(root)
                value = self._value(root, ())
                if value is not None:
                    yield Document(value, line, self._lines)

    def _line(self, event: Any) -> int:
        return self._first_line + int(event.start_mark.line)

    def _fail(self, event: Any, reason: str, hint: str = "") -> DocumentError:
        return DocumentError(str(self._line(event)), reason, hint)

    def _value(self, event: Any, path: Path) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, len(path))
        self._lines.setdefault(path, self._line(event))
        before, deepest, anchor = self._values, self._deepest, event.anchor
        self._values += 1
        self._count_alias(event, len(path))
        if anchor is not None:
            self._open.add(anchor)
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif event.tag not in (None, f"{_TAG}seq", f"{_TAG}map"):
            raise self._fail(event, f"unknown tag {event.tag!r}", "remove the tag")
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = self._mapping(path)
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = value
            self._sizes[anchor] = self._values - before
            self._heights[anchor] = self._deepest - len(path)
        self._deepest = max(deepest, self._deepest)
        return value

    def _count_alias(self, event: Any, depth: int) -> None:
        self._deepest = depth
        if depth > MAX_DEPTH:
            raise self._fail(event, "nested too deeply", f"nest at most {MAX_DEPTH} levels")

    def _alias(self, event: yaml.AliasEvent, depth: int) -> Any:
        name = event.anchor
        if name in self._open:
            raise self._fail(event, f"alias *{name} stands inside its own anchor", "write the value out")
        if name not in self._anchors:
            raise self._fail(event, f"alias *{name} has no anchor", f"define &{name} before it")
        self._aliased += self._sizes[name]
        self._values += self._sizes[name]
        if self._aliased > MAX_ALIASED_NODES:
            raise self._fail(
                event, f"aliases expand to more than {MAX_ALIASED_NODES} values", "write them out"
            )
        deepest = self._deepest
        self._count_alias(event, depth + self._heights[name])
        self._deepest = max(deepest, self._deepest)
        return self._anchors[name]

    def _sequence(self, path: Path) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, (*path, len(values))))
        return values

    def _mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._fail(event, "a key is not a plain word", "use strings as keys, as JSON does")
            key = event.value
            self._lines[(*path, key)] = self._line(event)  # people look for the key
            value = self._value(next(self._events), (*path, key))
            if key == "<<" and event.implicit[0]:
                merged.extend(self._merge(event, value))
                continue
            if key in values:
                raise self._fail(event, f"key {_shown(key)} is given twice", "remove one of them")
            values[key] = value
        for (
            other
        ) in merged:  # earlier ones win, and the mapping's own keys win over all (YAML merge key, 1.1)
            for key, value in other.items():
                values.setdefault(key, value)
        return values

    def _merge(self, event: Any, value: Any) -> list[dict[str, Any]]:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise self._fail(event, "'<<' merges something that is not a mapping", "merge mappings only")
        return sources

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        plain, tag, text = event.implicit[0], event.tag, event.value
        if tag is not None and not tag.startswith(_TAG):
            raise self._fail(event, f"unknown tag {tag!r}", "remove the tag")
        kind = tag.removeprefix(_TAG) if tag is not None else ""
        if kind == "str" or (not kind and not plain):
            return text
        if kind not in ("", "null", "bool", "int", "float"):
            raise self._fail(event, f"unknown tag '!!{kind}'", "remove the tag")
        try:
            return resolve(text)
        except _NumberError as error:
            raise self._fail(event, error.reason, error.hint) from None


def resolve(text: str) -> Any:
    """The value of a plain scalar (YAML 1.2, section 10.3.2, core schema). Raises ValueError for a number that is too
    long or not finite."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if text[0].isalpha() or text[0] == "/":
        return text
    if _INT.fullmatch(text):
        return _integer(text, 0 if text[:2] in ("0o", "0x") else 10)
    if _FLOAT.fullmatch(text):
        return _finite(text)
    return text
