"""Which files there are: paths to a list of manifest files with a stamp of their content's identity.

A directory is searched with its subdirectories; hidden entries are left out. A directory that Kubernetes
mounts from a ConfigMap (its `..data` symlink is swapped on each change) is read through one look at that
link, so that one swap is one change and never half of it. A file that is reachable by two names counts once,
by the first.

It reads no content. The watcher asks again whenever something may have changed: two equal scans mean equal
files.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".yaml", ".yml", ".json")
CONFIG_MAP_LINK = "..data"
"""The symlink that kubelet's atomic writer swaps (kubernetes/pkg/volume/util/atomic_writer.go)."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A manifest file: the name an operator knows, where its content is, and what changes when that
    changes."""

    path: Path
    real: Path
    root: Path
    size: int
    modified_ns: int
    changed_ns: int  # also moved by chmod: a file that could not be read may be readable now
    identity: tuple[int, int]  # device and inode


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look at the paths found. `missing` maps a given path to why it could not be read."""

    files: tuple[FoundFile, ...]
    missing: tuple[tuple[Path, str], ...]
    directories: tuple[tuple[Path, tuple[int, int]], ...]
    """Every directory that decides what is found, with device and inode: one that was replaced is another."""


def scan(roots: tuple[Path, ...]) -> Scan:
    """Look at all paths, in their order, entries of a directory by name."""
    found = _Found()
    for root in roots:
        try:
            status = root.stat()
            if stat.S_ISDIR(status.st_mode):
                found.walk(root, root)
            else:
                found.watch(root.parent)
                found.add(root, root, root, status)
        except OSError as error:
            found.missing.append((root, error.strerror or str(error)))
    return Scan(tuple(found.files), tuple(found.missing), tuple(found.directories.items()))


class _Found:
    def __init__(self) -> None:
        self.files: list[FoundFile] = []
        self.missing: list[tuple[Path, str]] = []
        self.directories: dict[Path, tuple[int, int]] = {}
        self._seen: set[tuple[int, int]] = set()
        self._resolved: dict[Path, Path] = {}

    def watch(self, directory: Path) -> None:
        """Note a directory whose entries matter. Raises OSError when it cannot be looked at."""
        if directory not in self.directories:
            status = directory.stat()
            self.directories[directory] = (status.st_dev, status.st_ino)

    def add(self, path: Path, root: Path, place: Path, status: os.stat_result) -> None:
        """Note a file that is at `place`. Raises OSError when it cannot be looked at."""
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen or not stat.S_ISREG(status.st_mode):
            return
        self._seen.add(identity)
        real = self._resolve(place)
        self.watch(real.parent)  # a symlinked file changes where it points to
        times = status.st_mtime_ns, status.st_ctime_ns
        self.files.append(FoundFile(path, real, root, status.st_size, *times, identity))

    def _resolve(self, place: Path) -> Path:
        """The path without symlinks. Asking the kernel for each component is the dear part of a scan, and files of
        one directory have theirs in common."""
        if place.is_symlink():
            return place.resolve()
        if place.parent not in self._resolved:
            self._resolved[place.parent] = place.parent.resolve()
        return self._resolved[place.parent] / place.name

    def walk(self, directory: Path, root: Path, real: Path | None = None) -> None:
        """Note the files below a directory. Raises OSError only for the directory itself."""
        status = (real or directory).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:  # a symlink loop, or a directory given twice
            return
        self._seen.add(identity)
        self.watch(real or directory)
        for name, place in _entries(real or directory):
            try:
                status = place.stat()
                if stat.S_ISDIR(status.st_mode):
                    self.walk(directory / name, root, place)
                elif name.endswith(SUFFIXES):
                    self.add(directory / name, root, place, status)
            except OSError as error:
                # Gone since the listing is no news; a manifest that is a symlink to nowhere is, and so is all else.
                nowhere = place.is_symlink() and name.endswith(SUFFIXES)
                if nowhere or not isinstance(error, FileNotFoundError):
                    self.missing.append((directory / name, error.strerror or str(error)))


def _entries(directory: Path) -> Iterator[tuple[str, Path]]:
    """Visible entries by name, with the place to read each from."""
    places: dict[str, Path] = {}
    link = directory / CONFIG_MAP_LINK
    payload: Path | None = None
    if link.is_symlink():
        payload = directory / link.readlink()
        for entry in os.scandir(payload):
            places[entry.name] = payload / entry.name
    for entry in os.scandir(directory):
        if payload is not None and entry.is_symlink() and _leads_into(Path(entry.path), CONFIG_MAP_LINK):
            continue  # listed above, or a leftover of the swap that kubelet has not removed yet
        places.setdefault(entry.name, directory / entry.name)
    for name in sorted(places):
        if not name.startswith("."):
            yield name, places[name]


def _leads_into(link: Path, directory: str) -> bool:
    try:
        return link.readlink().parts[:1] == (directory,)
    except OSError:
        return True
