"""Files to objects, as a pure function: what `FileSource` serves and `steerway check` reports.

Nothing raises for what a file holds; each thing that is wrong becomes an entry with a `Problem`. When two
entries give the same object, the first wins, in the order of paths, file names and lines.
"""

import dataclasses
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.sources.files import document, tool_file
from steerway.sources.files.document import BrokenDocument, Chunk, Document
from steerway.sources.files.entry import Entry, Origin, path_text, shown
from steerway.sources.files.manifest import is_manifest, read_manifest
from steerway.sources.files.mapping import is_mapping, read_mapping
from steerway.sources.files.scan import REPLACED, ManifestFile, scan
from steerway.sources.files.xds import is_xds, read_xds
from steerway.sources.objects.core import Object, ObjectKey
from steerway.sources.policy.validation_error import Path as ValuePath
from steerway.sources.policy.validation_error import ValidationError
from steerway.sources.store import Problem

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Largest file that is read. 5,000 endpoints are less than 1 MiB; a file beyond this is not a manifest, and
reading it would hold up all the others."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """All that was found. `documents` has one entry for each object, resource, service or broken document, in
    order."""

    objects: tuple[Object, ...]
    problems: tuple[Problem, ...]
    documents: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ParsedChunk:
    """The entries of a chunk, as of the line at which it began."""

    line: int
    entries: Sequence[Entry]

    def at(self, line: int) -> "ParsedChunk":
        """The same chunk where it begins at another line."""
        if line == self.line:
            return self
        return ParsedChunk(line, [entry.moved(line - self.line) for entry in self.entries])


Chunks = Mapping[bytes, ParsedChunk]
"""Chunks of one file by the digest of their text. What a chunk means depends on its text, the path of its file and the
default namespace."""
NO_CHUNKS: Chunks = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The entries of one file, in order, and the chunks that they came from (of a broken file those before)."""

    entries: list[Entry]
    chunks: Chunks = field(repr=False, compare=False)


def load(paths: Sequence[Path], default_namespace: str) -> LoadResult:
    """Read files and directories once. A path that cannot be read is an entry with a problem, too."""
    scanned = scan(tuple(paths))
    lost = [*scanned.missing, *((path, REPLACED) for path in scanned.torn)]
    entries = [unreadable(path, reason) for path, reason in lost]
    for file in scanned.files:
        try:
            entries.extend(parse_file(file, read_bytes(file), default_namespace).entries)
        except OSError as error:
            entries.append(unreadable(file.path, error.strerror or str(error)))
    entries = mark_duplicates(entries)
    return LoadResult(
        objects=tuple(obj for entry in entries for obj in entry.objects),
        problems=tuple(entry.problem for entry in entries if entry.problem is not None),
        documents=tuple(entries),
    )


def read_bytes(file: ManifestFile) -> bytes:
    """The content of a file; nothing of one that is too large. Raises OSError when it cannot be read, and when it is no
    file any more, which could block without end."""
    if file.size > MAX_FILE_BYTES:
        return b""
    with open_file(file.real) as opened:
        content: bytes | None = opened.read(MAX_FILE_BYTES + 1)
    if content is None:  # some files of procfs are streams
        raise OSError(errno.EAGAIN, "it gives no content at once")
    if len(content) > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, f"it holds more than {MAX_FILE_BYTES // 2**20} MiB")
    return content


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError also for what is none, which could block without end."""
    opened = os.fdopen(_open_without_waiting(path), "rb")
    if stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        return opened
    opened.close()
    raise OSError(errno.EINVAL, "it is not a regular file")


def _open_without_waiting(path: Path) -> int:
    """The descriptor of a file; a named pipe would wait for its writer."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def parse_file(
    file: ManifestFile, content: bytes, default_namespace: str, known: Chunks = NO_CHUNKS
) -> ParsedFile:
    """The entries of one file, in order. Never raises for what it holds. `known`: chunks of the same path and
    namespace, which are not parsed again."""
    name = path_text(file.path)
    with isolated("file", path=name) as run:
        return _parse(file, name, content, default_namespace, known)
    return ParsedFile([_broken_file(name, f"internal error: {run.failure}", isolation.HINT)], known)


def _parse(
    file: ManifestFile, name: str, content: bytes, default_namespace: str, known: Chunks
) -> ParsedFile:
    if file.size > MAX_FILE_BYTES:
        size, limit = file.size / 2**20, MAX_FILE_BYTES // 2**20
        reason = f"the file has {size:.0f} MiB; at most {limit} MiB are read"
        return ParsedFile([_broken_file(name, reason, "split it")], known)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        broken = _broken_file(f"{name}:{line}", "not UTF-8 text", "save the file as UTF-8")
        return ParsedFile([broken], known)
    if tool_file.is_template(file.path, file.root, text):
        return ParsedFile([Entry(name, tool_file.TEMPLATE)], known)
    entries: list[Entry] = []
    chunks: dict[bytes, ParsedChunk] = {}
    for chunk in document.split(text, is_json=_is_json(file)):
        digest = blake2b(chunk.text.encode(), digest_size=16).digest()
        parsed = known.get(digest) or chunks.get(digest)
        if parsed is None:
            parsed = ParsedChunk(chunk.line, list(_read_chunk(chunk, file, default_namespace)))
        chunks[digest] = parsed = parsed.at(chunk.line)
        entries.extend(parsed.entries)
    return ParsedFile(entries, chunks)


def mark_duplicates(entries: Iterable[Entry]) -> list[Entry]:
    """The same entries, each object in the first entry only; a later one that gives it again is broken."""
    owners: dict[ObjectKey, str] = {}
    marked: list[Entry] = []
    for entry in entries:
        taken = next(filter(owners.__contains__, entry.keys), None)
        if taken is None:
            for key in entry.keys:
                owners[key] = entry.where
            marked.append(entry)
        else:
            reason = f"{shown(str(taken))} is defined at {owners[taken]} already, which is used"
            problem = Problem(entry.where, reason, "remove one of them")
            marked.append(dataclasses.replace(entry, objects=(), keys=(), problem=problem))
    return marked


def unreadable(path: Path, reason: str) -> Entry:
    """The entry for a path that cannot be read."""
    return _broken_file(
        path_text(path), f"cannot be read: {reason}", "check that the path exists and may be read"
    )


def _broken_file(where: str, reason: str, hint: str) -> Entry:
    return Entry(where, "file", problem=Problem(where, reason, hint))


def _is_json(file: ManifestFile) -> bool:
    return file.path.suffix == ".json"


def _read_chunk(chunk: Chunk, file: ManifestFile, default_namespace: str) -> Iterator[Entry]:
    name = path_text(file.path)
    tool = tool_file.kind_by_name(file.path)
    for part in document.read_chunk(chunk, is_json=_is_json(file)):
        if isinstance(part, BrokenDocument):
            where = f"{name}:{part.line}"
            yield Entry(where, tool, problem=None if tool else Problem(where, shown(part.reason), part.hint))
            continue
        origin = Origin(name, part, default_namespace)
        if not tool or tool_file.states_its_type(part.value):
            yield from _read_document(part, origin, file.path.stem)
        else:  # all else in a file of another tool is ignored
            yield origin.ignored((), tool, "")


def _read_document(parsed: Document, origin: Origin, stem: str) -> list[Entry]:
    return origin.attempt(partial(_read_value, stem=stem), parsed.value, ())


def _read_value(value: Any, path: ValuePath, origin: Origin, stem: str) -> Iterable[Entry]:
    if is_manifest(value):
        return read_manifest(value, path, origin)
    if is_xds(value):
        return read_xds(value, path, origin)
    if is_mapping(value, stem):
        return read_mapping(value, path, origin)
    if tool_file.is_patch(value):
        return [origin.ignored(path, tool_file.PATCH, "")]
    if isinstance(value, list) and value:
        return [
            entry for index, item in enumerate(value) for entry in origin.attempt(_read_item, item, (index,))
        ]
    keys = f" (its keys: {', '.join(list(value)[:5])})" if isinstance(value, dict) and value else ""
    return [
        origin.broken(
            path, _unknown(f"neither a Kubernetes object, nor an xDS resource, nor a mapping{keys}")
        )
    ]


def _read_item(item: Any, path: ValuePath, origin: Origin) -> Iterable[Entry]:
    if isinstance(item, dict) and is_manifest(item):
        return read_manifest(item, path, origin)
    if isinstance(item, dict) and is_xds(item):
        return read_xds(item, path, origin)
    return [origin.broken(path, _unknown("neither a Kubernetes object nor an xDS resource"))]


def _unknown(reason: str) -> ValidationError:
    return ValidationError(
        (), reason, "add apiVersion and kind, or @type; a mapping stands in mapping.yaml or under mapping:"
    )
