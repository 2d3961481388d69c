"""Files that belong together: read as one version, followed through Kubernetes' symlinks, kept when invalid."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from steerway.access import watched_files
from steerway.access.watched_files import MAX_BYTES, ContentError, WatchedFiles
from testbed.process.deadline import PATIENCE_SECONDS


class Taken:
    """Records the contents it receives; refuses content that begins with `bad`."""

    def __init__(self) -> None:
        self.contents: list[tuple[bytes, ...]] = []

    def __call__(self, contents: Sequence[bytes]) -> None:
        if contents[0].startswith(b"bad"):
            raise ContentError("the first", "it is bad", "make it good")
        self.contents.append(tuple(contents))


def mount(folder: Path, version: str, certificate: str, key: str) -> None:
    """Write a version as kubelet's atomic writer does: a new directory, then one rename of `..data`."""
    payload = folder / f"..{version}"
    payload.mkdir(parents=True)
    (payload / "tls.crt").write_text(certificate)
    (payload / "tls.key").write_text(key)
    link = folder / "..data_tmp"
    link.symlink_to(payload.name)
    link.rename(folder / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)


async def test_a_swapped_secret_is_read_as_one_version(tmp_path: Path) -> None:
    """Without a swap the files are not read again."""
    mount(tmp_path, "1", "c1", "k1")
    taken = Taken()
    files = WatchedFiles([tmp_path / "tls.crt", tmp_path / "tls.key"], taken)
    files.load()
    await files.look()
    mount(tmp_path, "2", "c2", "k2")
    await files.look()
    await files.look()
    assert taken.contents == [(b"c1", b"k1"), (b"c2", b"k2")]


def test_files_that_change_while_they_are_read_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swap between two reads never pairs a certificate with another version's key."""
    mount(tmp_path, "1", "c1", "k1")
    read, swapped = watched_files._content, []

    def swap(path: Path) -> bytes:
        content = read(path)
        if not swapped:
            swapped.append(path)
            mount(tmp_path, "2", "c2", "k2")
        return content

    monkeypatch.setattr(watched_files, "_content", swap)
    taken = Taken()
    WatchedFiles([tmp_path / "tls.crt", tmp_path / "tls.key"], taken).load()
    assert taken.contents == [(b"c2", b"k2")]


async def test_invalid_or_missing_content_is_a_problem_until_fixed(tmp_path: Path) -> None:
    """The last valid content stays; the problem names the file and clears itself."""
    path = tmp_path / "file"
    path.write_text("good")
    taken = Taken()
    files = WatchedFiles([path], taken)
    files.load()
    path.write_text("bad")
    await files.look()
    assert files.problem is not None
    assert (files.problem.where, files.problem.hint) == ("the first", "make it good")
    path.unlink()
    await files.look()
    assert files.problem is not None
    assert files.problem.where == str(path)
    assert "No such file" in files.problem.reason
    path.write_text("good again")
    await files.look()
    assert files.problem is None
    assert taken.contents == [(b"good",), (b"good again",)]


async def test_refused_content_is_retried_unchanged(tmp_path: Path) -> None:
    """A certificate may only not be valid yet."""
    path = tmp_path / "file"
    path.write_text("good")
    patient: list[str] = []

    def take(contents: Sequence[bytes]) -> None:
        if contents[0] == b"later" and len(patient) < 2:
            patient.append("not yet")
            raise ContentError(str(path), "not valid yet")

    files = WatchedFiles([path], take)
    files.load()
    path.write_text("later")
    for _ in range(2):
        await files.look()
        assert files.problem is not None
    await files.look()
    assert files.problem is None


def test_a_start_without_a_usable_file_fails(tmp_path: Path) -> None:
    """The error has the path and a hint."""
    with pytest.raises(ContentError, match=r"missing: cannot be read: No such file.*\(check that"):
        WatchedFiles([tmp_path / "missing"], Taken()).load()
    (tmp_path / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(ContentError, match="larger than"):
        WatchedFiles([tmp_path / "large"], Taken()).load()


async def test_running_follows_changes(tmp_path: Path) -> None:
    """Without an explicit call of `look`."""
    path = tmp_path / "file"
    path.write_text("one")
    seen: asyncio.Queue[bytes] = asyncio.Queue()
    files = WatchedFiles([path], lambda contents: seen.put_nowait(contents[0]), look_seconds=0.005)
    files.load()
    running = asyncio.create_task(files.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await seen.get() == b"one"
        path.write_text("two")
        assert await seen.get() in (b"", b"two")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
