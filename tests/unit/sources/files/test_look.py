"""What a look reads of files that are being written. Every swap happens at a chosen moment."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from steerway.sources.files import look as module
from steerway.sources.files.look import Look, Looker
from steerway.sources.files.scan import ManifestFile, Scan
from testbed.config_map import swap

Between = Callable[[], object]


def service(name: str, port: int) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"


def ports(look: Look | None) -> dict[str, int]:
    """Name and port of each Service of a look."""
    assert look is not None
    entries = (entry for file in look.scan.files for entry in look.contents[file].entries)
    return {obj.metadata.name: obj.spec.ports[0].port for entry in entries for obj in entry.objects}  # type: ignore[union-attr, index]


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[Between]]]:
    """Actions before the next scans and the next reads: one for each, in order."""
    moments: dict[str, list[Between]] = {"scan": [], "read": []}
    scan, read_bytes = module.scan, module.read_bytes

    def scan_later(paths: tuple[Path, ...]) -> Scan:
        if moments["scan"]:
            moments["scan"].pop(0)()
        return scan(paths)

    def read_later(file: ManifestFile) -> bytes:
        if moments["read"]:
            moments["read"].pop(0)()
        return read_bytes(file)

    monkeypatch.setattr(module, "scan", scan_later)
    monkeypatch.setattr(module, "read_bytes", read_later)
    yield moments
    assert moments == {"scan": [], "read": []}, "all of it happened"


def writer(directory: Path, start: int) -> Between:
    """Each call swaps in the next generation of two Services."""
    generations = count(start)

    def write() -> None:
        generation = next(generations)
        swap(directory, generation, a=service("a", generation), b=service("b", generation))

    return write


def test_a_payload_removed_after_the_scan_is_read_from_its_successor(
    tmp_path: Path, moments: dict[str, list[Between]]
) -> None:
    """Without a deletion, a problem or a mixture of both."""
    write = writer(tmp_path / "cm", 1)
    write()
    looker = Looker((tmp_path,), "own")
    assert ports(looker.look()) == {"a": 1, "b": 1}
    write()
    moments["read"] = [lambda: None, write]  # a is read, then both are replaced
    look = looker.look()
    assert ports(look) == {"a": 3, "b": 3}
    assert look is not None
    assert look.scan.missing == ()
    assert look.unreadable == frozenset()
    assert looker.look() is None


def test_a_writer_without_pauses_is_read_from_the_last_complete_payload(
    tmp_path: Path, moments: dict[str, list[Between]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the maximum wait, the last completely read payload is used, although it is not the present one."""
    write = writer(tmp_path / "cm", 1)
    write()
    monkeypatch.setattr(module, "SETTLE_MAX_SECONDS", 0.0)
    moments["scan"] = [lambda: None, write]
    looker = Looker((tmp_path,), "own")
    assert ports(looker.look()) == {"a": 1, "b": 1}
    assert ports(looker.look()) == {"a": 2, "b": 2}, "it was taken as it was; the next look finds the rest"


def test_a_payload_that_is_never_read_completely_keeps_the_previous_look(
    tmp_path: Path, moments: dict[str, list[Between]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other files are not delayed."""
    write = writer(tmp_path / "cm", 1)
    write()
    plain = tmp_path / "plain.yaml"
    plain.write_text(service("plain", 1))
    looker = Looker((tmp_path,), "own")
    assert ports(looker.look()) == {"a": 1, "b": 1, "plain": 1}
    write()
    plain.write_text(service("plain", 2))
    monkeypatch.setattr(module, "SETTLE_MAX_SECONDS", 0.0)
    moments["read"] = [lambda: None, write]
    look = looker.look()
    assert ports(look) == {"a": 1, "b": 1, "plain": 2}
    assert look is not None
    assert look.scan.missing == ()
    assert ports(looker.look()) == {"a": 3, "b": 3, "plain": 2}


def test_without_a_previous_look_it_is_a_missing_path(
    tmp_path: Path, moments: dict[str, list[Between]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem until the next look, and no deletion."""
    write = writer(tmp_path, 1)
    write()
    monkeypatch.setattr(module, "SETTLE_MAX_SECONDS", 0.0)
    moments["read"] = [lambda: None, write]
    looker = Looker((tmp_path,), "own")
    look = looker.look()
    assert look is not None
    assert (look.scan.files, [path for path, _ in look.scan.missing]) == ((), [tmp_path])
    assert ports(looker.look()) == {"a": 2, "b": 2}


def test_only_a_file_that_changes_without_pauses_is_read_as_it_is(
    tmp_path: Path, moments: dict[str, list[Between]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that began to change just now, or was removed, keeps its last version; a new one waits."""
    busy, late, fresh, moved = (tmp_path / f"{name}.yaml" for name in ("busy", "late", "new", "old"))
    busy.write_text(service("busy", 1))
    late.write_text(service("late", 1))
    moved.write_text(service("moved", 1))
    looker = Looker((tmp_path,), "own")
    assert ports(looker.look()) == {"busy": 1, "late": 1, "moved": 1}
    clock = iter((0.0, 0.0, 0.5, 0.5, 1.5, 1.5, 1.5, 1.5))
    monkeypatch.setattr(module, "SETTLE_MAX_SECONDS", 1.0)
    timed = SimpleNamespace(
        monotonic=lambda: next(clock), time_ns=time.time_ns, thread_time=time.thread_time, sleep=time.sleep
    )
    monkeypatch.setattr(module, "time", timed)

    def begin() -> None:
        busy.write_text(service("busy", 3) + "# longer\n")
        late.write_text("# half\n")
        fresh.write_text("# half\n")
        moved.rename(tmp_path / "renamed.yaml")

    busy.write_text(service("busy", 2))
    moments["scan"] = [
        lambda: None,
        lambda: busy.write_text(service("busy", 2) + "# once more\n"),
        begin,
    ]
    assert ports(looker.look()) == {"busy": 2, "late": 1, "moved": 1}


def test_a_scan_is_charged_for_its_cpu_time_only(
    tmp_path: Path, moments: dict[str, list[Between]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise polls would be rare on a busy machine."""
    passed, computed = 0.0, 0.0

    def preempted() -> None:
        nonlocal passed, computed
        passed, computed = 30.0, 0.25

    clocks = SimpleNamespace(
        monotonic=lambda: passed, time_ns=time.time_ns, thread_time=lambda: computed, sleep=time.sleep
    )
    monkeypatch.setattr(module, "time", clocks)
    moments["scan"] = [preempted]
    looker = Looker((tmp_path,), "own")
    looker.look()
    assert looker.scan_seconds == 0.25


def test_all_files_are_read_again_on_request(tmp_path: Path) -> None:
    """Also with equal size and times: a network file system may show a change late."""
    file = tmp_path / "a.yaml"
    file.write_text(service("a", 1))
    status = file.stat()
    looker = Looker((tmp_path,), "default")
    assert ports(looker.look()) == {"a": 1}
    with file.open("r+") as opened:
        opened.write(service("a", 2))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    known = looker._last.scan
    same = replace(looker._last, scan=replace(known, files=module.scan((tmp_path,)).files))
    looker._last = replace(same, contents={same.scan.files[0]: looker._last.contents[known.files[0]]})
    assert looker.look() is None
    assert ports(looker.look(reread=True)) == {"a": 2}
