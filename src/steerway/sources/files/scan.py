"""Which files there are: paths to a list of manifest files with a stamp of their content's identity.

A directory is searched with its subdirectories; hidden entries are left out. A directory that Kubernetes
mounts from a ConfigMap (its `..data` symlink is swapped on each change) is read through one look at that
link, so that one swap is one change and never half of it: a payload that vanishes while it is listed was
replaced, and its successor is listed instead. A file that is reachable by two names counts once, by the first.

It reads no content. The watcher asks again whenever something may have changed: two equal scans mean equal
files.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SUFFIXES = (".yaml", ".yml", ".json")
CONFIG_MAP_LINK = "..data"
"""The symlink that kubelet's atomic writer swaps (kubernetes/pkg/volume/util/atomic_writer.go)."""
REPLACED = f"what its {CONFIG_MAP_LINK} leads to is replaced faster than it can be read"
_SPECIAL = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "directory"}
MAX_ATTEMPTS = 10
"""How often a payload that is replaced while it is listed is skipped for the next one, within one scan."""


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A manifest file: the name an operator knows, where its content is, and what changes when that
    changes."""

    path: Path
    real: Path
    root: Path
    size: int
    modified_ns: int
    changed_ns: int  # also moved by chmod: a file that could not be read may be readable now
    identity: tuple[int, int]  # device and inode
    payload: Path | None = None
    """The directory that `..data` led to, for a file of a ConfigMap. The files of one payload belong together."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look at the paths found. `missing` maps a given path to why it could not be read."""

    files: tuple[ManifestFile, ...]
    missing: tuple[tuple[Path, str], ...]
    directories: tuple[tuple[Path, tuple[int, int]], ...]
    """Every directory that decides what is found, with device and inode: one that was replaced is another."""
    torn: tuple[Path, ...] = ()
    """Directories mounted from a ConfigMap of which no payload could be listed whole: each was replaced meanwhile."""


class _Listed(NamedTuple):
    """A manifest in a payload: its path below the payload, and its status or why that is not known."""

    name: Path
    status: os.stat_result | OSError


def scan(roots: tuple[Path, ...]) -> Scan:
    """Look at all paths, in their order, entries of a directory by name."""
    result = _Found()
    for root in roots:
        try:
            real, status = result.look(root, linked=root.is_symlink())
            if stat.S_ISDIR(status.st_mode):
                result.walk(root, root)
            else:
                result.watch(root.parent)
                result.add(root, root, real, status)
        except OSError as error:
            result.missing.append((root, error.strerror or str(error)))
    return Scan(
        tuple(result.files),
        tuple(result.missing),
        tuple(result.directories.items()),
        tuple(sorted(result.torn)),
    )


class _Found:
    def __init__(self) -> None:
        self.files: list[ManifestFile] = []
        self.missing: list[tuple[Path, str]] = []
        self.directories: dict[Path, tuple[int, int]] = {}
        self.torn: set[Path] = set()
        self._seen: set[tuple[int, int]] = set()
        self._resolved: dict[Path, Path] = {}
        self._payloads: dict[Path, Path] = {}  # by the directory that is mounted
        self._inside: dict[Path, Path | None] = {}

    def watch(self, directory: Path) -> None:
        """Note a directory whose entries matter. Raises OSError when it cannot be looked at."""
        if directory not in self.directories:
            status = directory.stat()
            self.directories[directory] = (status.st_dev, status.st_ino)

    def look(self, location: Path, *, linked: bool) -> tuple[Path, os.stat_result]:
        """The path without symlinks and the status of what is there. A symlink into a payload that was removed
        meanwhile is followed again, to its successor. Raises OSError when it cannot be looked at."""
        attempts = MAX_ATTEMPTS if linked else 1
        for attempt in range(attempts):
            try:
                real = self._resolve(location, linked)
                return real, real.stat()
            except FileNotFoundError:
                if attempt == attempts - 1:
                    raise
        raise AssertionError("at least one attempt was made")

    def add(self, path: Path, root: Path, real: Path, status: os.stat_result) -> None:
        """Note a file that is at `real`. Raises OSError when its directory cannot be looked at."""
        payload = self._payload_of(real.parent)
        if payload is not None and self._payloads.setdefault(payload.parent, payload) != payload:
            self.torn.add(payload.parent)
        # A symlinked file changes where it points to; a payload never does, only the link to it.
        self.watch(real.parent if payload is None else payload.parent)
        self._note(path, root, real, status, payload)

    def _note(
        self, path: Path, root: Path, real: Path, status: os.stat_result, payload: Path | None = None
    ) -> None:
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return
        if not stat.S_ISREG(status.st_mode):
            # A manifest of this name may have been there before: what it gave stays.
            self.missing.append(
                (path, f"it is a {_SPECIAL.get(stat.S_IFMT(status.st_mode), 'device')}, not a file")
            )
            return
        self._seen.add(identity)
        times = status.st_mtime_ns, status.st_ctime_ns
        self.files.append(ManifestFile(path, real, root, status.st_size, *times, identity, payload))

    def _resolve(self, location: Path, linked: bool) -> Path:
        """The path without symlinks. Asking the kernel for each component is the dear part of a scan, and files of
        one directory have theirs in common."""
        if linked:
            return Path(os.path.realpath(location, strict=True))
        return self._real_directory(location.parent) / location.name

    def _real_directory(self, directory: Path) -> Path:
        if directory not in self._resolved:
            self._resolved[directory] = directory.resolve()
        return self._resolved[directory]

    def walk(self, directory: Path, root: Path) -> None:
        """Note the files below a directory. Raises OSError only for the directory itself."""
        status = directory.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:  # a symlink loop, or a directory given twice
            return
        self._seen.add(identity)
        self.watch(directory)
        real = self._real_directory(directory)
        payload = self._payload_of(real)
        known = len(self.files)
        self._entries(directory, root)
        if len(self.files) == known and directory.name.endswith(SUFFIXES):
            # Container runtimes make such a directory where the file of a bind mount does not exist.
            self.missing.append((directory, "it is an empty directory, not a file"))
        if payload is not None:  # the given path leads through `..data`, or to it
            self.watch(payload.parent)
            if directory.resolve() != real:
                self.torn.add(payload.parent)

    def _entries(self, directory: Path, root: Path) -> None:
        entries = {entry.name: entry for entry in os.scandir(directory)}
        if (directory / CONFIG_MAP_LINK).is_symlink():
            noted = self._payload(directory, root)
            # A link into the payload is a noted file, or a leftover of a swap that kubelet has not removed yet.
            entries = {
                name: entry
                for name, entry in entries.items()
                if name not in noted and not (entry.is_symlink() and _leads_into(entry.path, CONFIG_MAP_LINK))
            }
        for name in sorted(name for name in entries if not name.startswith(".")):
            location, linked = directory / name, entries[name].is_symlink()
            try:
                real, status = self.look(location, linked=linked)
                if stat.S_ISDIR(status.st_mode):
                    self.walk(location, root)
                elif name.endswith(SUFFIXES):
                    self.add(location, root, real, status)
            except OSError as error:
                # Gone since the listing is no news; a manifest that is a symlink that dangles is, and so is all else.
                dangling = linked and name.endswith(SUFFIXES)
                if dangling or not isinstance(error, FileNotFoundError):
                    self.missing.append((location, error.strerror or str(error)))

    def _payload(self, directory: Path, root: Path) -> frozenset[str]:
        """Note the files of the payload that a ConfigMap's link leads to, all or none; the names at its top."""
        try:
            whole = _whole_payload(directory)
        except OSError as error:
            self.missing.append((directory, f"{CONFIG_MAP_LINK}: {error.strerror or error}"))
            return frozenset()
        real = self._real_directory(directory)
        if whole is None:
            self.torn.add(real)
            return frozenset()
        payload, listed = real / whole[0], whole[1]
        if self._payloads.setdefault(real, payload) != payload:
            self.torn.add(real)
        for name, status in listed:
            if isinstance(status, OSError):
                self.missing.append((directory / name, status.strerror or str(status)))
            else:
                self._note(directory / name, root, payload / name, status, payload)
        return frozenset(name.parts[0] for name, _ in listed)

    def _payload_of(self, directory: Path) -> Path | None:
        """The payload that a directory is or lies in: one with a name like `..2024_01_01` beside a `..data`."""
        if directory not in self._inside:
            payloads = (
                above
                for above in (directory, *directory.parents)
                if above.name.startswith("..") and (above.parent / CONFIG_MAP_LINK).is_symlink()
            )
            self._inside[directory] = next(payloads, None)
        return self._inside[directory]


def _whole_payload(directory: Path) -> tuple[Path, list[_Listed]] | None:
    """What `..data` leads to, and the manifests in it; None when it led elsewhere after each listing.

    Raises OSError when the link stays and dangles.
    """
    link = directory / CONFIG_MAP_LINK
    for _ in range(MAX_ATTEMPTS):
        target = link.readlink()
        try:
            listed = list(_below(directory / target, Path(), set()))
        except FileNotFoundError:
            # kubelet removes a payload only after the link leads to the next one.
            if link.readlink() == target:
                raise
            continue
        if link.readlink() == target:  # else some may have been removed before they were listed
            return target, listed
    return None


def _below(directory: Path, name: Path, seen: set[tuple[int, int]]) -> Iterator[_Listed]:
    """Visible manifests below a directory by name. Raises FileNotFoundError when something vanishes meanwhile."""
    status = directory.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return
    seen.add(identity)
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        location = Path(entry.path)
        try:
            status = location.stat()
            if stat.S_ISDIR(status.st_mode):
                yield from _below(location, name / entry.name, seen)
            elif entry.name.endswith(SUFFIXES):
                yield _Listed(name / entry.name, status)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not entry.is_symlink():
                raise
            yield _Listed(name / entry.name, error)


def _leads_into(link: str, directory: str) -> bool:
    try:
        return Path(link).readlink().parts[:1] == (directory,)
    except OSError:
        return True
