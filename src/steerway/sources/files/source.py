"""The files source: keeps the object store equal to what the files say, for ever.

The truth is the scan: notifications of the kernel only say when to scan again, and a slow poll finds what
they miss (network file systems, inotify limits, a path that does not exist yet). A look at the files counts
only when a second scan finds them as they were and none was written a moment ago, so that neither half of a
ConfigMap swap nor half of a file being saved is served. Reading is done in a thread; the store is written
once per look, on the event loop.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import structlog
import watchfiles

from steerway.sources.files.entry import Entry
from steerway.sources.files.history import View, advance
from steerway.sources.files.loader import read_file, unreadable
from steerway.sources.files.scan import FoundFile, Scan, scan
from steerway.sources.store import Batch, ObjectStore

log = structlog.get_logger()

SETTLE_SECONDS = 0.015
"""A file written less than this ago is taken to be still in the hands of its writer: enough between two writes of one
save, with the 4 ms by which the kernel's time stamps may be off, and little for a client that waits for an endpoint."""
SETTLE_MAX_SECONDS = 1.0
"""Files that never come to rest are read as they are after this long."""
POLL_SECONDS = 1.0
"""Time between two scans without any notification."""
POLL_SHARE = 0.01
"""A scan that takes long is repeated so seldom that polling takes at most this share of a core."""


class FileSource:
    """Serves manifests, raw resources and mappings from files and directories, watched live.

    Counts as synced after the first look, also when some of it is broken or missing: one bad path must not
    keep the other sources from being served. Raises nothing for what the files hold.
    """

    name = "files"

    def __init__(self, paths: Sequence[Path], store: ObjectStore, default_namespace: str) -> None:
        self._paths = tuple(Path(path).absolute() for path in paths)
        self._store = store
        self._namespace = default_namespace
        self._view = View()
        self._scan = Scan((), (), ())
        self._read: dict[FoundFile, list[Entry]] = {}
        self._narrow: dict[Path, set[str]] = {}
        self._unreadable: set[FoundFile] = set()
        self._poll_seconds = POLL_SECONDS

    async def run(self) -> None:
        """Load, mark the source as synced, then follow changes until cancelled."""
        await self._refresh()
        self._store.mark_synced(self.name)
        while True:
            directories = self._scan.directories
            async with aclosing(self._wakeups()) as wakeups:
                async for _ in wakeups:
                    await self._refresh()
                    if self._scan.directories != directories:
                        break  # other directories: watch those

    async def _wakeups(self) -> AsyncGenerator[None, None]:
        """Yields once the watch has begun, then for each group of notifications and at every poll."""
        directories = [path for path, _ in self._scan.directories]
        if not directories:
            await asyncio.sleep(self._poll_seconds)
            yield
            return
        notifications = watchfiles.awatch(
            *directories,
            watch_filter=self._matters,
            recursive=False,
            debounce=200,
            step=10,
            rust_timeout=round(self._poll_seconds * 1000),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        async with aclosing(notifications):
            begun = asyncio.ensure_future(anext(notifications))
            try:
                await asyncio.sleep(0)  # the kernel's watch stands when the generator first waits
                yield
                await begun
                yield
                async for _ in notifications:
                    yield
            except (OSError, RuntimeError) as error:  # RuntimeError: watchfiles, for inotify limits
                log.warning(
                    "file_watch_failed", error=str(error), fallback="poll", poll_seconds=self._poll_seconds
                )
                await asyncio.sleep(self._poll_seconds)
                yield
            finally:
                begun.cancel()
                await asyncio.gather(begun, return_exceptions=True)

    def _matters(self, _change: watchfiles.Change, path: str) -> bool:
        """A given file's directory is watched for that file (and `..data`) only: it may be as busy as
        /tmp."""
        changed = Path(path)
        if changed.parent not in self._narrow:
            return True
        return changed.name.startswith("..") or changed.name in self._narrow[changed.parent]

    async def _refresh(self) -> None:
        """Look once and make what changed visible, all at once."""
        looked = await asyncio.to_thread(self._look)
        if looked is None:
            return
        self._scan, self._read = looked
        self._narrow = _narrow(self._scan, self._paths)
        view = advance(self._view, self._scan, [self._read[file] for file in self._scan.files])
        batch = _difference(self._view, view)
        self._view = view
        if not (batch.put or batch.delete or batch.problems):
            return
        for problems in batch.problems.values():
            for problem in problems:
                log.warning("document_skipped", where=problem.where, reason=problem.reason, cure=problem.cure)
        log.info("files_read", files=len(self._scan.files), put=len(batch.put), deleted=len(batch.delete))
        self._store.apply(self.name, batch)

    def _look(self) -> tuple[Scan, dict[FoundFile, list[Entry]]] | None:
        """A scan with the content of its files, or None when nothing changed. Runs in a thread."""
        started = time.monotonic()
        found = scan(self._paths)
        self._poll_seconds = max(POLL_SECONDS, (time.monotonic() - started) / POLL_SHARE)
        if found == self._scan and not self._unreadable:
            return None
        read = {file: entries for file, entries in self._read.items() if file not in self._unreadable}
        self._unreadable = set()
        while True:
            read = {file: read[file] if file in read else self._content(file) for file in found.files}
            again = scan(self._paths)
            unsettled = _unsettled_seconds(again)
            if again == found and not unsettled:
                return found, read
            if time.monotonic() - started > SETTLE_MAX_SECONDS:
                return found, read
            found = again
            time.sleep(unsettled)

    def _content(self, file: FoundFile) -> list[Entry]:
        try:
            entries = read_file(file, self._namespace)
        except OSError as error:
            self._unreadable.add(file)
            return [unreadable(file.path, error.strerror or str(error))]
        for entry in entries:
            if entry.ignored:
                log.debug("document_ignored", where=entry.where, kind=entry.kind, name=entry.name)
        return entries


def _unsettled_seconds(found: Scan) -> float:
    """How long until the file that was written last counts as written; 0 when all do."""
    now = time.time_ns()
    ages = [(now - file.modified_ns) / 1e9 for file in found.files]
    return max((SETTLE_SECONDS - age for age in ages if 0 <= age < SETTLE_SECONDS), default=0.0)


def _narrow(found: Scan, paths: tuple[Path, ...]) -> dict[Path, set[str]]:
    """Directories that are watched for files given by path only, with the names that matter."""
    narrow: dict[Path, set[str]] = {}
    for file in found.files:
        if file.path == file.root:
            for name in (file.path, file.real):
                narrow.setdefault(name.parent, set()).add(name.name)
    walked = {file.path.parent for file in found.files if file.path != file.root} | set(paths)
    return {directory: names for directory, names in narrow.items() if directory not in walked}


def _difference(before: View, after: View) -> Batch:
    gone = [path for path in before.problems if path not in after.problems]
    return Batch(
        put=tuple(obj for key, obj in after.objects.items() if before.objects.get(key) != obj),
        delete=tuple(key for key in before.objects if key not in after.objects),
        problems={
            **dict.fromkeys(gone, ()),
            **{path: found for path, found in after.problems.items() if before.problems.get(path) != found},
        },
        atomic=True,
    )
