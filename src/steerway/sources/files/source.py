"""The files source: keeps the object store equal to the files.

The truth is the scan: notifications of the kernel only trigger the next scan, and a slow poll finds what
they miss (network file systems, inotify limits, a path that does not exist yet). `look.py` decides what of a
scan counts, so that neither half of a ConfigMap swap nor half of a file being saved is served. Reading is done
in a thread; the store is written once per look, on the event loop.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog
import watchfiles

from steerway.runtime import garbage, isolation
from steerway.runtime.daemon_thread import in_daemon_thread
from steerway.runtime.isolation import isolated
from steerway.sources.files.entry import path_text
from steerway.sources.files.history import View, advance
from steerway.sources.files.look import Looker
from steerway.sources.files.scan import Scan
from steerway.sources.files.state import State
from steerway.sources.store import Batch, ObjectStore, Problem

log = structlog.get_logger()

POLL_SECONDS = 1.0
"""Time between two scans without any notification."""
HANG_SECONDS = 30.0
"""A look at the files that takes longer is a problem: nothing of them changes meanwhile."""
POLL_SHARE = 0.01
"""A scan that takes long is repeated so seldom that polling takes at most this share of a core."""


class FileSource:
    """Serves manifests, raw resources and mappings from files and directories, watched live.

    Counts as synced once there is something to be read in each file, or after `files_sync_timeout_seconds`: a rollout
    with a broken mount should stop, and one bad path must not keep the other sources from being served. With a
    `state`, what was good in an earlier run is served where nothing can be read. Raises nothing for what the files
    hold.
    """

    name = "files"

    def __init__(
        self,
        paths: Sequence[Path],
        store: ObjectStore,
        default_namespace: str,
        files_sync_timeout_seconds: float,
        state: State | None = None,
    ) -> None:
        self._files_sync_timeout_seconds = files_sync_timeout_seconds
        self._state = state
        self._saved: View | None = None
        self._changed = asyncio.Event()
        self._readable = asyncio.Event()
        self._paths = tuple(Path(path).absolute() for path in paths)
        self._store = store
        self._looker = Looker(self._paths, default_namespace)
        self._view = View()
        self._scan = Scan((), (), ())
        self._narrow: dict[Path, set[str]] = {}
        self._poll_seconds = POLL_SECONDS
        self._load: garbage.Load | None = None
        self._looking = asyncio.Lock()
        self._requested = asyncio.Event()
        self._reported: dict[str, Problem] = {}
        """Subject → its problem, of those that are not about what the files hold."""

    async def run(self) -> None:
        """Load, mark the source as synced, then follow changes until cancelled."""
        if self._state is not None:
            self._view = View(last_good=await asyncio.to_thread(self._state.load, self._paths))
            self._report_state()
        await self._refresh()
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._follow())
                loops.create_task(self._follow_requests())
                if self._state is not None:
                    loops.create_task(self._keep(self._state))
                await self._until_readable()
                self._store.mark_synced(self.name)
        finally:
            if self._state is not None and self._saved is not self._view:
                self._state.save(self._view.last_good, self._view.kept)

    async def _until_readable(self) -> None:
        if self._readable.is_set():
            return
        log.warning(
            "files_not_readable",
            paths=sorted(map(str, self._view.unread)),
            wait_seconds=self._files_sync_timeout_seconds,
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._files_sync_timeout_seconds):
                await self._readable.wait()

    def reread(self) -> None:
        """Read all files again soon, also those that seem unchanged. Call it on the event loop."""
        self._requested.set()

    async def _follow(self) -> None:
        while True:
            # watchfiles raises for a file name that is not UTF-8, perhaps only when it is closed: it is polled then.
            with isolated("watch", source=self.name) as run:
                await self._watch()
            if run.failure:
                await asyncio.sleep(self._poll_seconds)
                await self._refresh()

    async def _watch(self) -> None:
        """Follow changes until other directories are to be watched."""
        directories = self._scan.directories
        async with aclosing(self._wakeups()) as wakeups:
            async for _ in wakeups:
                await self._refresh()
                if self._scan.directories != directories:
                    break

    async def _keep(self, state: State) -> None:
        """Keep the state file up to date, with at most a hundredth of a core."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            started, view = time.monotonic(), self._view
            await asyncio.to_thread(state.save, view.last_good, view.kept)
            self._saved = view
            self._report_state()
            await asyncio.sleep(max(POLL_SECONDS, (time.monotonic() - started) / POLL_SHARE))

    def _report_state(self) -> None:
        """Show the problem of the state file, or that there is none any more."""
        assert self._state is not None
        problem = self._state.problem
        if self._report(str(self._state.path), problem) and problem is not None:
            log.warning("state_not_used", where=problem.where, reason=problem.reason, hint=problem.hint)

    async def _follow_requests(self) -> None:
        while True:
            await self._requested.wait()
            self._requested.clear()
            await self._refresh(reread=True)

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

    async def _refresh(self, reread: bool = False) -> None:
        """Look once and make what changed visible, all at once. What fails unexpectedly changes nothing."""
        async with self._looking:
            with isolated("batch", source=self.name) as run:
                await self._look(reread)
            failed = Problem(self.name, f"internal error: {run.failure}", isolation.HINT)
            self._report(self.name, failed if run.failure else None)

    def _report(self, subject: str, problem: Problem | None) -> bool:
        """Replace the problem of a subject; whether it is another one."""
        if self._reported.get(subject) == problem:
            return False
        self._reported.pop(subject, None)
        if problem is not None:
            self._reported[subject] = problem
        problems = () if problem is None else (problem,)
        self._store.apply(self.name, Batch(problems={subject: problems}))
        return True

    async def _read(self, reread: bool) -> Batch:
        """`_next` in a thread, with a problem while that takes very long."""
        reading = asyncio.create_task(in_daemon_thread(partial(self._next, reread), "files"))
        try:
            await asyncio.wait([reading], timeout=HANG_SECONDS)
            if not reading.done():
                hint = (
                    f"check that {', '.join(map(path_text, self._paths))} can be read: a file system may hang"
                )
                problem = Problem(self.name, f"reading has not ended for {HANG_SECONDS:g} s", hint)
                log.warning("files_hang", reason=problem.reason, hint=problem.hint)
                self._report(self.name, problem)
                if self._load is not None:
                    self._load.end()
            return await reading
        finally:
            reading.cancel()

    async def _look(self, reread: bool) -> None:
        batch = await self._read(reread)
        if not self._view.unread:
            self._readable.set()
        if not (batch.put or batch.delete or batch.problems):
            return
        for problems in batch.problems.values():
            for problem in problems:
                log.warning("document_skipped", where=problem.where, reason=problem.reason, hint=problem.hint)
        log.info("files_read", files=len(self._scan.files), put=len(batch.put), deleted=len(batch.delete))
        self._changed.set()
        await self._store.apply_in_parts(self.name, batch)

    def _next(self, reread: bool = False) -> Batch:
        """What changed since the last look. Blocks; all but this is little work, however large the files are."""
        with garbage.load() as load:
            self._load = load
            batch = self._advance(reread)
            load.objects = len(batch.put)
        return batch

    def _advance(self, reread: bool) -> Batch:
        looked = self._looker.look(reread)
        self._poll_seconds = max(POLL_SECONDS, self._looker.scan_seconds / POLL_SHARE)
        if looked is None:
            return Batch()
        self._scan = looked.scan
        self._narrow = _narrow(self._scan, self._paths)
        contents = [looked.contents[file].entries for file in self._scan.files]
        view = self._restored(advance(self._view, self._scan, contents))
        batch = _difference(self._view, view)
        self._view = view
        return batch

    def _restored(self, view: View) -> View:
        """The same view, with a problem for each file that is served from the state."""
        problems = dict(view.problems)
        for problem in self._state.note(view.kept) if self._state is not None else ():
            problems[problem.where] = (*problems.get(problem.where, ()), problem)
        return replace(view, problems=problems)


def _narrow(scan: Scan, paths: tuple[Path, ...]) -> dict[Path, set[str]]:
    """Directories that are watched for files given by path only, with the names that matter."""
    narrow: dict[Path, set[str]] = {}
    for file in scan.files:
        if file.path == file.root:
            for name in (file.path, file.real):
                narrow.setdefault(name.parent, set()).add(name.name)
    walked = {file.path.parent for file in scan.files if file.path != file.root} | set(paths)
    return {directory: names for directory, names in narrow.items() if directory not in walked}


def _difference(before: View, after: View) -> Batch:
    gone = [path for path in before.problems if path not in after.problems]
    return Batch(
        # Of a document that did not change the objects are the same ones: to compare them by value takes long.
        put=tuple(
            obj
            for key, obj in after.objects.items()
            if (last := before.objects.get(key)) is not obj and last != obj
        ),
        delete=tuple(before.objects.keys() - after.objects.keys()),
        problems={
            **dict.fromkeys(gone, ()),
            **{
                path: problems
                for path, problems in after.problems.items()
                if before.problems.get(path) != problems
            },
        },
        atomic=True,
    )
