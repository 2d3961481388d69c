"""Text to documents: YAML (one or many in a file) and JSON, with the line of each value.

Built on libyaml's events and not on `yaml.load`, which cannot tell where a value stood, drops duplicate keys
silently, expands aliases without bound (a few lines can mean gigabytes) and overflows the C stack on deep
nesting, which ends the process. Plain scalars have the types of YAML 1.2's core schema, which is JSON's: `no`
and `on` are strings, dates too. Merge keys (`<<`) work, as in `kubectl`.

It does not know what a document means: see `manifest.py`, `xds.py` and `mapping.py`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from steerway.errors import DocumentError
from steerway.sources.fault import Path

MAX_DEPTH = 100
"""Levels of nesting. Kubernetes objects need about 20 and Envoy's filter chains about 40."""
MAX_ALIASED_NODES = 100_000
"""Values that aliases may add to one document; far above what people write, far below what hurts."""

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_TAG = "tag:yaml.org,2002:"


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
    cure: str = ""


def read_documents(text: str, *, is_json: bool = False) -> Iterator[Document | BrokenDocument]:
    """The documents of a file in order; empty ones are left out. Never raises for what the text holds."""
    if is_json:
        yield from _read_json(text)
        return
    for first_line, chunk in _split(text):
        try:
            yield from _Builder(chunk, first_line).documents()
        except DocumentError as error:
            broken = BrokenDocument(int(error.where), error.reason, error.cure)
            yield _template_or(broken, chunk)
        except yaml.YAMLError as error:
            yield _template_or(_syntax_error(error, chunk, first_line), chunk)


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Cut at `---`, so that a syntax error costs one document and not the rest of the file.

    YAML 1.2, section 9.1.2: a line that begins with `---` is a document marker wherever it stands, in a block
    scalar too, so that cutting needs no parser.
    """
    start, line, end = 0, 1, 0
    for cut in [*(match.start() for match in _SEPARATOR.finditer(text)), len(text)]:
        preamble = all(not part.strip() or part.lstrip()[0] in "#%" for part in text[start:cut].splitlines())
        if not preamble:
            yield line, text[start:cut]
        if not preamble or "%" not in text[start:cut]:  # a %YAML directive belongs to the document after it
            start = cut
            line += text.count("\n", end, cut)
            end = cut


def _template_or(broken: BrokenDocument, chunk: str) -> BrokenDocument:
    """The cure for a document that is a template for text is another one than for YAML with a mistake."""
    if "{{" not in chunk:
        return broken
    return replace(broken, cure="if this is a template, give what it renders to (helm template)")


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
    return BrokenDocument(line, f"not valid YAML: {reason}", "mend the syntax at or just before this line")


def _read_json(text: str) -> Iterator[Document | BrokenDocument]:
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        yield BrokenDocument(error.lineno, f"not valid JSON: {error.msg}", "mend the syntax at this line")
        return
    except _DuplicateKeyError as error:
        found = list(re.finditer(rf"{re.escape(json.dumps(error.key))}\s*:", text))
        line = text.count("\n", 0, found[1].start()) + 1 if len(found) > 1 else 1
        yield BrokenDocument(line, f"key {error.key!r} is given twice", "remove one of them")
        return
    except RecursionError:
        yield BrokenDocument(1, "nested too deeply", f"nest at most {MAX_DEPTH} levels")
        return
    if value is None:
        return
    # JSON is nearly YAML: its events give the lines. What is not (a surrogate pair) is served without lines.
    try:
        first = next(_Builder(text, 1).documents(), None)
    except DocumentError as error:
        yield BrokenDocument(int(error.where), error.reason, error.cure)
        return
    except yaml.YAMLError:
        first = None
    yield Document(value, first.line if first else 1, first.lines if first else {})


class _DuplicateKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen.add(key)
    return found


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
        self._values = 0
        self._aliased = 0

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._lines, self._anchors, self._sizes = {}, {}, {}
                root = next(self._events)
                line = self._line(root)
                value = self._value(root, ())
                if value is not None:
                    yield Document(value, line, self._lines)

    def _line(self, event: Any) -> int:
        return self._first_line + int(event.start_mark.line)

    def _fail(self, event: Any, reason: str, cure: str = "") -> DocumentError:
        return DocumentError(str(self._line(event)), reason, cure)

    def _value(self, event: Any, path: Path) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._lines.setdefault(path, self._line(event))
        if len(path) > MAX_DEPTH:
            raise self._fail(event, "nested too deeply", f"nest at most {MAX_DEPTH} levels")
        before, anchor = self._values, event.anchor
        self._values += 1
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
        return value

    def _alias(self, event: yaml.AliasEvent) -> Any:
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
                raise self._fail(event, f"key {key!r} is given twice", "remove one of them")
            values[key] = value
        for (
            other
        ) in merged:  # earlier ones win, and the mapping's own keys win over all (YAML merge key, 1.1)
            values = {**other, **values}
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
        return resolve(text)


def resolve(text: str) -> Any:
    """The value of a plain scalar (YAML 1.2, section 10.3.2, core schema)."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if text[0].isalpha() or text[0] == "/":
        return text
    if _INT.fullmatch(text):
        if len(text) > 100:  # Python refuses to convert thousands of digits; no field holds such a number
            return text
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
