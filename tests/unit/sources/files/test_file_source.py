"""FileSource on real files: a change on disk becomes one batch, and invalid input keeps the last good state."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import watchfiles

from steerway.sources.files import loader, look, source
from steerway.sources.files.scan import ManifestFile
from testbed.config_map import swap
from tests.unit.sources.files.running_source import Running

Run = Callable[..., Running]


def service(name: str, port: int = 80) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"


async def test_everything_is_one_batch_before_sync(tmp_path: Path, run: Run) -> None:
    """No listener receives a part of the first look."""
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(service(name))
    running = run(tmp_path)
    assert await running.batch() == {"a", "b", "c"}
    assert await running.batch() == set(), "then the sync"
    assert running.store.synced


async def test_a_change_a_new_file_and_a_removed_one_are_followed(tmp_path: Path, run: Run) -> None:
    """Each edit reaches the store."""
    (tmp_path / "a.yaml").write_text(service("a"))
    running = run(tmp_path)
    await running.synced()
    (tmp_path / "a.yaml").write_text(service("a", 81))
    await running.until(lambda: running.services() == {"a": 81})
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yaml").write_text(service("b"))
    await running.until(lambda: running.services() == {"a": 81, "b": 80})
    (tmp_path / "a.yaml").unlink()
    await running.until(lambda: running.services() == {"b": 80})


async def test_one_config_map_swap_is_one_batch(tmp_path: Path, run: Run) -> None:
    """Changed, added and removed files of a swap become visible together."""
    directory = tmp_path / "cm"
    swap(directory, 1, a=service("a", 1), b=service("b", 1))
    running = run(directory)
    await running.synced()
    for generation in range(2, 6):
        late = {"c": service("c", generation)} if generation == 4 else {}
        swap(directory, generation, a=service("a", generation), b=service("b", generation), **late)
        expected = {"a", "b"} | ({"c"} if generation in (4, 5) else set())
        assert await running.batch() == expected
        assert running.batches.empty()
    assert running.services() == {"a": 5, "b": 5}


async def test_a_writer_without_pauses_shows_only_written_states(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every state of the store is one of the written ones: no object is withdrawn within a swap."""
    names = [f"s{number}" for number in range(35)]

    def write(generation: int) -> None:
        swap(tmp_path / "cm", generation, **{name: service(name, generation) for name in names})

    def keep_writing() -> None:
        for generation in range(2, 300):
            write(generation)

    monkeypatch.setattr(look, "SETTLE_MAX_SECONDS", 0.02)  # most looks end without rest
    write(1)
    running = run(tmp_path)
    seen: list[dict[str, int]] = []
    running.store.listen(lambda _changes: seen.append(running.services()))
    await running.synced()
    await asyncio.to_thread(keep_writing)
    await running.until(lambda: running.services() == dict.fromkeys(names, 299))
    torn = [state for state in seen if set(state) != set(names) or len(set(state.values())) != 1]
    assert torn == []
    assert len(seen) > 1
    assert running.store.problems() == []


async def test_a_file_of_a_config_map_is_followed_through_its_link(tmp_path: Path, run: Run) -> None:
    """`--files /etc/steerway/a.yaml` follows swaps, too."""
    swap(tmp_path, 1, a=service("a", 1))
    running = run(tmp_path / "a.yaml")
    await running.synced()
    swap(tmp_path, 2, a=service("a", 2))
    assert await running.batch() == {"a"}
    assert running.services() == {"a": 2}


async def test_editors_that_replace_the_file_are_followed(tmp_path: Path, run: Run) -> None:
    """A rename over the file: the watched inode is replaced."""
    file = tmp_path / "a.yaml"
    file.write_text(service("a", 1))
    running = run(file)
    await running.synced()
    for port in (2, 3):
        (tmp_path / ".a.yaml.swp").write_text(service("a", port))
        (tmp_path / ".a.yaml.swp").rename(file)
        assert await running.batch() == {"a"}
        assert running.services() == {"a": port}


async def test_an_invalid_document_keeps_the_last_good_state(tmp_path: Path, run: Run) -> None:
    """It is a problem with its line until it is fixed; other documents are followed."""
    (tmp_path / "a.yaml").write_text(service("a", 1))
    running = run(tmp_path)
    await running.synced()
    (tmp_path / "a.yaml").write_text(service("a", 0))
    await running.problem("a.yaml:4", "port 0 is out of range")
    (tmp_path / "b.yaml").write_text(service("b"))
    assert await running.batch() == {"b"}
    assert running.services() == {"a": 1, "b": 80}
    (tmp_path / "a.yaml").write_text(service("a", 2))
    assert await running.batch() == {"a"}
    assert running.store.problems() == []


async def test_a_missing_directory_keeps_its_objects_and_is_followed_when_it_returns(
    tmp_path: Path, run: Run
) -> None:
    directory = tmp_path / "m"
    directory.mkdir()
    (directory / "a.yaml").write_text(service("a", 1))
    running = run(directory)
    await running.synced()
    directory.rename(tmp_path / "away")
    await running.problem(str(directory), "No such file or directory")
    assert running.services() == {"a": 1}
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "a.yaml").write_text(service("a", 2))
    fresh.rename(directory)
    await running.until(lambda: running.services() == {"a": 2})
    assert running.store.problems() == []
    (directory / "b.yaml").write_text(service("b"))
    assert await running.batch() == {"b"}


async def test_a_missing_path_is_a_problem_until_it_exists(tmp_path: Path, run: Run) -> None:
    """Other paths are served meanwhile; no restart is needed."""
    (tmp_path / "a.yaml").write_text(service("a"))
    late = tmp_path / "late"
    running = run(tmp_path / "a.yaml", late / "b.yaml")
    await running.synced()
    await running.problem("late/b.yaml", "No such file or directory")
    late.mkdir()
    (late / "b.yaml").write_text(service("b"))
    assert await running.batch() == {"b"}
    await running.problem()


@pytest.mark.parametrize(
    ("replace", "reason"),
    [
        (os.mkfifo, "it is a named pipe, not a file"),
        (Path.mkdir, "it is an empty directory, not a file"),
        (lambda file: file.symlink_to("/dev/zero"), "it is a device, not a file"),
        (lambda file: file.symlink_to(file), "Too many levels of symbolic links"),
    ],
)
async def test_a_path_that_is_no_longer_a_file_keeps_its_objects(
    tmp_path: Path, run: Run, replace: Callable[[Path], object], reason: str
) -> None:
    """A failed mount is no empty file; it is a problem until a file is there again."""
    file = tmp_path / "a.yaml"
    file.write_text(service("a"))
    running = run(tmp_path)
    await running.synced()
    file.unlink()
    replace(file)
    await running.problem(f"a.yaml: cannot be read: {reason}")
    assert running.services() == {"a": 80}
    file.rmdir() if file.is_dir() else file.unlink()
    file.write_text(service("a", 81))
    await running.until(lambda: running.services() == {"a": 81})
    assert running.store.problems() == []


async def test_a_file_that_becomes_readable_is_read(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read error is retried at every look, although the file does not change."""
    (tmp_path / "a.yaml").write_text(service("a"))
    refused = True
    real = loader._open_without_waiting

    def refuse(path: Path) -> int:
        if refused and path.name == "a.yaml":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(loader, "_open_without_waiting", refuse)
    monkeypatch.setattr(source, "POLL_SECONDS", 0.05)
    running = run(tmp_path)
    await running.problem("a.yaml: cannot be read: Permission denied")
    refused = False
    await running.until(lambda: running.services() == {"a": 80})
    assert running.store.problems() == []


async def test_an_unchanged_rewrite_is_no_change(tmp_path: Path, run: Run) -> None:
    """Neither a new modification time nor equal content calls a listener."""
    file = tmp_path / "a.yaml"
    file.write_text(service("a"))
    running = run(tmp_path)
    await running.synced()
    file.write_text("# a comment\n" + service("a"))
    (tmp_path / "b.yaml").write_text(service("b"))
    assert await running.batch() == {"b"}


async def test_polling_works_without_notifications_of_the_kernel(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """inotify has limits, and network file systems have no inotify."""

    async def no_watches(*_paths: object, **_options: object) -> object:
        raise OSError(28, "inotify watch limit reached")
        yield

    monkeypatch.setattr(watchfiles, "awatch", no_watches)
    monkeypatch.setattr(source, "POLL_SECONDS", 0.05)
    running = run(tmp_path)
    await running.synced()
    (tmp_path / "a.yaml").write_text(service("a"))
    assert await running.batch() == {"a"}


async def test_a_file_that_is_still_written_is_read_when_complete(tmp_path: Path, run: Run) -> None:
    """A write in several steps is not read in between."""
    file = tmp_path / "a.yaml"
    file.write_text(service("a", 1) + "---\n" + service("b", 1))
    running = run(tmp_path)
    await running.synced()
    with file.open("w") as writer:
        writer.write(service("a", 2))
        writer.flush()
        await asyncio.sleep(0)
        writer.write("---\n" + service("b", 2))
    assert await running.batch() == {"a", "b"}
    assert running.services() == {"a": 2, "b": 2}


async def test_stopping_leaves_nothing_behind(tmp_path: Path, run: Run) -> None:
    """Cancellation ends the watch, its thread and its tasks."""
    running = run(tmp_path)
    await running.synced()
    await running.stop()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_read_that_hangs_is_a_problem_until_it_ends(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network file system without a server: no object of the files changes meanwhile."""
    path = tmp_path / "a.yaml"
    path.write_text(service("a"))
    running = run(tmp_path)
    await running.synced()
    released, real = threading.Event(), look.read_bytes

    def hanging(file: ManifestFile) -> bytes:
        released.wait()
        return real(file)

    monkeypatch.setattr(look, "read_bytes", hanging)
    monkeypatch.setattr(source, "HANG_SECONDS", 0.0)
    path.write_text(service("a", 81))
    await running.problem("files: reading has not ended", str(tmp_path))
    released.set()
    await running.until(lambda: running.services() == {"a": 81})
    monkeypatch.undo()
    await running.problem()
