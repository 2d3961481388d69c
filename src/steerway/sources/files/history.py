"""What stays when a file breaks: the last good version of each object that the broken part may have last_good.

A broken entry with a known subject keeps that subject's last objects. A broken entry of which nothing is
known may be about any object that its file no longer shows, so all of those stay. So does everything below a
given path that has vanished or that was truncated to nothing: a mount that comes late or an editor at work is
not the wish to delete. A file that is gone from a directory takes its objects with it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from steerway.sources.files.entry import Entry, path_text
from steerway.sources.files.loader import mark_duplicates, unreadable
from steerway.sources.files.scan import ManifestFile, Scan
from steerway.sources.objects.core import Object, ObjectKey
from steerway.sources.store import Problem

Subjects = dict[ObjectKey, tuple[Object, ...]]


@dataclass(frozen=True, slots=True)
class LastGood:
    """The objects of one file by the subject that gave them, and the given path that the file was found
    under."""

    root: Path
    subjects: Subjects


@dataclass(frozen=True, slots=True)
class View:
    """What is served after one look at the files; `problems` by file. `kept`: files of which earlier objects are
    served; `unread`: paths of which nothing is known, and nothing served."""

    objects: Mapping[ObjectKey, Object] = field(default_factory=dict)
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    last_good: Mapping[Path, LastGood] = field(default_factory=dict)
    kept: frozenset[Path] = frozenset()
    unread: frozenset[Path] = frozenset()


def advance(before: View, scan: Scan, contents: Sequence[list[Entry]]) -> View:
    """The next view. `contents` has the entries of each of `found.files`, in their order."""
    read = [_or_truncated(file, entries, before) for file, entries in zip(scan.files, contents, strict=True)]
    # An object that a good file gives is never last_good back by an older copy in a broken file.
    marked = iter(mark_duplicates(entry for entries in read for entry in entries))
    shown = [list(islice(marked, len(entries))) for entries in read]
    objects: dict[ObjectKey, Object] = {}
    for entries in shown:
        for entry in entries:
            objects.update(zip(entry.keys, entry.objects, strict=True))
    last_good = {
        file.path: LastGood(file.root, _good(entries))
        for file, entries in zip(scan.files, shown, strict=True)
    }
    earlier: set[Path] = set()
    for path, root, subject, last_objects in _kept(before, scan, read):
        if left := tuple(obj for obj in last_objects if obj.key not in objects):
            objects.update((obj.key, obj) for obj in left)
            last_good.setdefault(path, LastGood(root, {})).subjects[subject] = left
            earlier.add(path)
    return View(objects, _problems(scan, shown), last_good, frozenset(earlier), _unread(scan, read, earlier))


def _unread(scan: Scan, read: Sequence[list[Entry]], last_good: Collection[Path]) -> frozenset[Path]:
    """Paths that cannot be read and files in which nothing can be parsed, without those in `last_good`."""
    paths = {path for path, _ in scan.missing}
    for file, entries in zip(scan.files, read, strict=True):
        if entries and all(entry.problem is not None and entry.subject is None for entry in entries):
            paths.add(file.path)
    return frozenset(
        path
        for path in paths
        if path not in last_good and not any(path in parent.parents for parent in last_good)
    )


def _or_truncated(file: ManifestFile, entries: list[Entry], before: View) -> list[Entry]:
    """A file of no bytes that had objects is being written (`kubectl get … > file` truncates first), not
    emptied."""
    last = before.last_good.get(file.path)
    if entries or file.size or last is None or not last.subjects:
        return entries
    reason = "the file is empty; its last objects are still served"
    problem = Problem(path_text(file.path), reason, "remove the file if they are to go")
    return [Entry(problem.where, "file", problem=problem)]


def _good(entries: list[Entry]) -> Subjects:
    return {entry.subject: entry.objects for entry in entries if entry.subject is not None and entry.objects}


def _kept(
    before: View, scan: Scan, read: Sequence[list[Entry]]
) -> Iterator[tuple[Path, Path, ObjectKey, tuple[Object, ...]]]:
    """File, its root, subject and objects of each last good version that a broken part may stand for."""
    for file, entries in zip(scan.files, read, strict=True):
        broken = {entry.subject for entry in entries if entry.problem is not None}
        last = before.last_good.get(file.path)
        if last is None or not broken:
            continue
        for subject, objects in last.subjects.items():
            if subject in broken or None in broken:
                yield file.path, file.root, subject, objects
    present = {file.path for file in scan.files}
    lost = {path for path, _ in scan.missing}
    for path, last in before.last_good.items():
        if path not in present and (path in lost or last.root in lost or not lost.isdisjoint(path.parents)):
            for subject, last_objects in last.subjects.items():
                yield path, last.root, subject, last_objects


def _problems(scan: Scan, shown: Sequence[list[Entry]]) -> dict[str, tuple[Problem, ...]]:
    problems: dict[str, tuple[Problem, ...]] = {}
    for path, reason in scan.missing:
        if (problem := unreadable(path, reason).problem) is not None:
            problems[path_text(path)] = (problem,)
    for file, entries in zip(scan.files, shown, strict=True):
        if bad := tuple(entry.problem for entry in entries if entry.problem is not None):
            problems[path_text(file.path)] = bad
    return problems
