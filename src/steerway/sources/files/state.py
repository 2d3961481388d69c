"""The last good objects of the files, kept in a directory: what breaks while no process runs is served after a restart.

One file, lines of JSON: a header, one record for each subject of a file, and the digest of all that. It is replaced
whole, so that a crash leaves the last one or the next. A file that cannot be used is a problem and counts as none.

The age of an object is the time since its file was last read without keeping anything of an earlier version.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_args

import msgspec

from steerway import telemetry
from steerway.sources.files.history import LastGood
from steerway.sources.files.loader import open_file
from steerway.sources.objects.core import Object, ObjectKey
from steerway.sources.store import Problem

MAX_STATE_BYTES = 256 * 1024 * 1024
"""Largest state that is written or read: far above what files of manifests hold, and no danger to a volume."""
_NAME = "files.state"
_FORMAT = "steerway files 1"
_TYPES: dict[str, type[Any]] = {made.__name__: made for made in get_args(Object)}


class _Record(msgspec.Struct, array_like=True):
    """A subject of a file, and its objects by the name of their type."""

    path: str
    root: str
    read_at: float
    subject: tuple[str, str, str]
    objects: list[tuple[str, msgspec.Raw]]


class StateError(ValueError):
    """The state file cannot be used."""


class State:
    """The state file of one directory. `load` once, then `save`; both block. `restored`: when the files were last read
    of which loaded objects are still served."""

    def __init__(
        self, directory: Path, max_age_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = directory / _NAME
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._read_at: dict[Path, float] = {}
        self._saving = threading.Lock()
        self.restored: dict[Path, float] = {}
        self.problem: Problem | None = None
        telemetry.FILES_RESTORED_AGE.set_function(self._age)

    def load(self, roots: Collection[Path]) -> dict[Path, LastGood]:
        """What the state holds of files below these paths, by file, unless it is too old. Raises nothing."""
        last_good: dict[Path, LastGood] = {}
        oldest = self._clock() - self._max_age_seconds
        expired = 0
        try:
            for record in _read(self.path):
                path, root = Path(record.path), Path(record.root)
                if root not in roots:
                    continue
                if record.read_at < oldest:
                    expired += 1
                    continue
                objects = tuple(_decode(kind, raw) for kind, raw in record.objects)
                last_good.setdefault(path, LastGood(root, {})).subjects[ObjectKey(*record.subject)] = objects
                # A time to come is none: the clock was set back.
                self._read_at[path] = min(record.read_at, self._clock())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError) as error:  # msgspec's errors are ValueErrors
            self._read_at.clear()
            self._fail(
                f"cannot be used and is ignored: {error}",
                "nothing to do: it is replaced with the next change",
            )
            return {}
        if expired:
            reason = f"holds {expired} objects older than state_max_age_seconds ({self._max_age_seconds:g}): not used"
            self._fail(reason, "nothing to do if the files can be read")
        self.restored = dict(self._read_at)
        return last_good

    def note(self, stale: Collection[Path]) -> list[Problem]:
        """A look was taken, and of these files earlier objects are served. A problem for each whose objects are from a
        run before this one."""
        self.restored = {path: read_at for path, read_at in self.restored.items() if path in stale}
        return [
            Problem(
                str(path),
                f"is served as it was read at {_shown(read_at)}, from {self.path}",
                "correct the file",
            )
            for path, read_at in self.restored.items()
        ]

    def save(self, last_good: Mapping[Path, LastGood], stale: Collection[Path]) -> None:
        """Replace the state file. `stale`: files of which earlier objects are served, which stay as old as they are."""
        # At the end of the process the last save may meet one that still runs in its thread.
        with self._saving:
            self._save(last_good, stale)

    def _save(self, last_good: Mapping[Path, LastGood], stale: Collection[Path]) -> None:
        now = self._clock()
        self._read_at = {path: self._read_at.get(path, now) if path in stale else now for path in last_good}
        try:
            _replace(self.path, self._lines(last_good))
        except (OSError, StateError) as error:
            self._fail(f"cannot be written: {error}", "check the directory of the setting state_dir")
        else:
            self.problem = None

    def _lines(self, last_good: Mapping[Path, LastGood]) -> Iterator[bytes]:
        for path, of_file in last_good.items():
            for subject, objects in of_file.subjects.items():
                record = (
                    str(path),
                    str(of_file.root),
                    self._read_at[path],
                    subject,
                    [_encode(obj) for obj in objects],
                )
                try:
                    yield msgspec.json.encode(record)
                except (ValueError, OverflowError, TypeError):
                    continue  # a value that JSON cannot hold, as an integer of more than 64 bits: served, not kept

    def _fail(self, reason: str, hint: str) -> None:
        self.problem = Problem(str(self.path), reason, hint)

    def _age(self) -> float:
        return max(0.0, self._clock() - min(self.restored.values())) if self.restored else 0.0


def _encode(obj: Object) -> tuple[str, Object]:
    return type(obj).__name__, obj


def _decode(kind: str, raw: msgspec.Raw) -> Object:
    decoded: Object = msgspec.json.decode(raw, type=_TYPES[kind])
    return decoded


def _read(path: Path) -> Iterator[_Record]:
    """The records of a state file. ValueError when it is not whole."""
    with open_file(path) as file:
        content = file.read(MAX_STATE_BYTES + 1)
    if len(content) > MAX_STATE_BYTES:
        raise StateError(f"it is larger than {MAX_STATE_BYTES // 2**20} MiB")
    body, _, digest = content.rstrip(b"\n").rpartition(b"\n")
    if digest.decode("ascii", "replace") != _digest(body + b"\n"):
        raise StateError("its digest is another one")
    header, *lines = body.split(b"\n")
    if header.decode("ascii", "replace") != _FORMAT:
        raise StateError("its format is unknown")
    decoder = msgspec.json.Decoder(_Record)
    yield from map(decoder.decode, lines)


def _replace(path: Path, lines: Iterator[bytes]) -> None:
    """Write beside the file, to the disk, and take its place."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    hasher, size = blake2b(digest_size=16), 0
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for line in (_FORMAT.encode(), *lines):
            written = line + b"\n"
            size += len(written)
            if size > MAX_STATE_BYTES:
                raise StateError(f"it would be larger than {MAX_STATE_BYTES // 2**20} MiB")
            hasher.update(written)
            file.write(written)
        file.write(hasher.hexdigest().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _shown(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
