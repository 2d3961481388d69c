"""Looks at the files: which content of which files is taken, so that nothing half written is.

A look counts when a second scan finds the files as they were, and none was written a moment ago. Files that never
come to rest must not delay the others without end: after `SETTLE_MAX_SECONDS` the look is made of the parts that are
whole. A part is the payload of a ConfigMap, all files of which were read from one directory before it was replaced, or
a plain file, which is read as it is when it has not come to rest for that long. Of every other part the version of the
look before stays. A file of a payload that vanished is a reason to look again, never a deletion.

Of a file that changed only the documents that changed are parsed again.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from steerway.sources.files.entry import Entry
from steerway.sources.files.loader import NO_CHUNKS, Chunks, ParsedFile, parse_file, read_bytes, unreadable
from steerway.sources.files.scan import REPLACED, ManifestFile, Scan, scan

log = structlog.get_logger()

SETTLE_SECONDS = 0.015
"""A file written less than this ago is taken to be still in the hands of its writer: enough between two writes of one
save, with the 4 ms by which the kernel's time stamps may be off, and little for a client that waits for an endpoint."""
SETTLE_MAX_SECONDS = 1.0
"""How long a look waits for files to come to rest."""


@dataclass(frozen=True, slots=True)
class Look:
    """A scan, and what each of its files was parsed to. `unreadable`: those that are to be tried again."""

    scan: Scan = field(default_factory=lambda: Scan((), (), ()))
    contents: Mapping[ManifestFile, ParsedFile] = field(default_factory=dict)
    unreadable: frozenset[ManifestFile] = frozenset()


class Looker:
    """Takes looks at the same paths, one after the other. `scan_seconds`: CPU time of the first scan of the last."""

    def __init__(self, paths: tuple[Path, ...], default_namespace: str) -> None:
        self.scan_seconds = 0.0
        self._paths = paths
        self._namespace = default_namespace
        self._last = Look()

    def look(self, reread: bool = False) -> Look | None:
        """The next look, or None when nothing changed. Blocks while files are being written. `reread`: read all files,
        also those that seem unchanged."""
        started = taken_at = time.monotonic()
        # The time that passed would make polling rare on a busy machine, where a scan mostly waits for its turn.
        cpu_before = time.thread_time()
        current = scan(self._paths)
        self.scan_seconds = time.thread_time() - cpu_before
        if current == self._last.scan and not self._last.unreadable and not reread:
            return None
        attempt = _Attempt(self._last, self._namespace, reread)
        while True:
            attempt.read(current)
            time.sleep(_unsettled_seconds(current))
            before, taken_at = taken_at, time.monotonic()
            again = scan(self._paths)
            if again == current and not current.torn:
                self._last = attempt.all_of(current)
                return self._last
            attempt.note_unsettled(current, again, before)
            if time.monotonic() - started > SETTLE_MAX_SECONDS:
                self._last = attempt.whole_parts_of(again)
                return self._last
            current = again


class _Attempt:
    """What was read in one look, over as many scans as it takes."""

    def __init__(self, last: Look, default_namespace: str, reread: bool) -> None:
        self._last = last
        self._namespace = default_namespace
        self._contents = dict(last.contents)
        # A file that is read while it is written must not lose the chunks that it will have again.
        self._chunks: dict[Path, Chunks] = {file.path: last.contents[file].chunks for file in last.scan.files}
        self._unreadable = set(last.scan.files if reread else last.unreadable)
        self._payloads: dict[
            Path, tuple[ManifestFile, ...]
        ] = {}  # the last whole one, by where it is mounted
        self._plain: dict[Path, ManifestFile] = {}  # as last read, by path
        self._unsettled: dict[Path, float] = {}  # plain files, with the time since when

    def read(self, current: Scan) -> None:
        """Read what is not known yet. All bytes first: a payload may vanish at any time, and parsing takes long."""
        wanted = [file for file in current.files if file not in self._contents or file in self._unreadable]
        raw = {file: _bytes(file) for file in wanted}
        for file, content in raw.items():
            self._contents[file] = self._parse(file, content)
        self._unreadable -= raw.keys()
        self._unreadable |= {file for file, content in raw.items() if isinstance(content, OSError)}
        vanished = {file for file, content in raw.items() if isinstance(content, FileNotFoundError)}
        torn = {*current.torn, *(file.payload.parent for file in vanished if file.payload is not None)}
        self._payloads.update(
            (mount, files) for mount, files in _payloads(current.files).items() if mount not in torn
        )
        self._plain = {
            file.path: file for file in current.files if file.payload is None and file not in vanished
        }

    def note_unsettled(self, current: Scan, again: Scan, since: float) -> None:
        """Note which plain files of `again` are not at rest. `since`: when `current` was taken."""
        before = {file.path: file for file in current.files}
        self._unsettled = {
            file.path: self._unsettled.get(file.path, since)
            for file in again.files
            if file.payload is None and (before.get(file.path) != file or _young_seconds(file))
        }

    def all_of(self, current: Scan) -> Look:
        """The look in which everything counts."""
        return self._taken(current)

    def whole_parts_of(self, again: Scan) -> Look:
        """The look made of whole parts; see the module's docstring."""
        last = {file.path: file for file in self._last.scan.files}
        last_payloads = _payloads(self._last.scan.files)
        now = time.monotonic()
        mounts = [*_payloads(again.files), *again.torn]
        payloads = {mount: self._payloads.get(mount) or last_payloads.get(mount, ()) for mount in mounts}
        lost = tuple((mount, REPLACED) for mount, files in payloads.items() if not files)
        files: dict[ManifestFile, None] = {}
        for file in again.files:
            if file.payload is not None:
                files.update(dict.fromkeys(payloads[file.payload.parent]))
            elif file.path not in self._unsettled:
                files[file] = None
            else:
                overdue = now - self._unsettled[file.path] > SETTLE_MAX_SECONDS
                read = self._plain.get(file.path) if overdue else None
                if (known := read or last.get(file.path)) is not None:
                    files[known] = None
        for mount in again.torn:
            files.update(dict.fromkeys(payloads[mount]))
        # What went a moment ago may have been renamed, and its new name is not in the look yet.
        present = {file.path for file in again.files}
        files.update((last[path], None) for path in self._plain if path not in present and path in last)
        log.debug("files_not_at_rest", files=len(self._unsettled), torn=len(again.torn))
        return self._taken(replace(again, files=tuple(files), missing=(*again.missing, *lost), torn=()))

    def _taken(self, current: Scan) -> Look:
        contents = {file: self._contents[file] for file in current.files}
        for file in current.files:
            if file not in self._last.contents:
                _log_ignored(contents[file].entries)
        return Look(current, contents, frozenset(self._unreadable.intersection(current.files)))

    def _parse(self, file: ManifestFile, content: bytes | OSError) -> ParsedFile:
        known = self._chunks.get(file.path, NO_CHUNKS)
        if isinstance(content, OSError):
            return ParsedFile([unreadable(file.path, content.strerror or str(content))], known)
        parsed = parse_file(file, content, self._namespace, known)
        self._chunks[file.path] = {**known, **parsed.chunks}
        return parsed


def _bytes(file: ManifestFile) -> bytes | OSError:
    try:
        return read_bytes(file)
    except OSError as error:
        return error


def _payloads(files: Iterable[ManifestFile]) -> dict[Path, tuple[ManifestFile, ...]]:
    """The files of payloads, by where each is mounted."""
    mounted: dict[Path, list[ManifestFile]] = {}
    for file in files:
        if file.payload is not None:
            mounted.setdefault(file.payload.parent, []).append(file)
    return {mount: tuple(group) for mount, group in mounted.items()}


def _log_ignored(entries: Iterable[Entry]) -> None:
    for entry in entries:
        if entry.ignored:
            log.debug("document_ignored", where=entry.where, kind=entry.kind, name=entry.name)


def _unsettled_seconds(current: Scan) -> float:
    """How long until the file that was written last counts as written; 0 when all do."""
    return max(map(_young_seconds, current.files), default=0.0)


def _young_seconds(file: ManifestFile) -> float:
    """How long until a file counts as written."""
    age = (time.time_ns() - file.modified_ns) / 1e9
    return SETTLE_SECONDS - age if 0 <= age < SETTLE_SECONDS else 0.0
