"""Which files a look reads, and when two looks differ."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from steerway.sources.files import scan as module
from steerway.sources.files.scan import scan
from testbed.config_map import swap


def names(*roots: Path) -> list[str]:
    return [str(file.path.relative_to(roots[0])) for file in scan(roots).files]


def test_manifests_are_listed_in_order_and_recursively(tmp_path: Path) -> None:
    """By name, in subdirectories, too; hidden entries and other suffixes are skipped."""
    for name in ("b.yaml", "a.yml", "sub/c.json", "d.txt", ".hidden.yaml", ".git/e.yaml", "f.yaml~"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert names(tmp_path) == ["a.yml", "b.yaml", "sub/c.json"]


def test_a_path_may_be_a_file_of_any_name(tmp_path: Path) -> None:
    """A file given by its path is read with any suffix."""
    (tmp_path / "x.conf").write_text("")
    (tmp_path / "y.yaml").write_text("")
    assert [file.path.name for file in scan((tmp_path / "x.conf",)).files] == ["x.conf"]


def test_a_file_is_listed_once(tmp_path: Path) -> None:
    """Given twice, linked to, or in a directory that links to itself."""
    (tmp_path / "a.yaml").write_text("")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    (tmp_path / "loop").symlink_to(".")
    assert names(tmp_path, tmp_path / "a.yaml", tmp_path) == ["a.yaml"]


def test_missing_paths_are_reported_with_their_reason(tmp_path: Path) -> None:
    """A missing path, a dangling symlink, a symlink to itself."""
    (tmp_path / "dangling.yaml").symlink_to("gone.yaml")
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    result = scan((tmp_path, tmp_path / "missing"))
    assert {path.name: reason for path, reason in result.missing} == {
        "dangling.yaml": "No such file or directory",
        "circle.yaml": "Too many levels of symbolic links",
        "missing": "No such file or directory",
    }


def test_equal_looks_mean_equal_files(tmp_path: Path) -> None:
    """Rewriting, replacing, and a change of the mode make looks differ; reading does not."""
    file = tmp_path / "a.yaml"
    file.write_text("1")
    seen = [scan((tmp_path,))]
    assert scan((tmp_path,)) == seen[0]
    os.utime(file, ns=(1, 1))
    seen.append(scan((tmp_path,)))
    (tmp_path / "new").write_text("1")
    (tmp_path / "new").rename(file)
    os.utime(file, ns=(1, 1))
    seen.append(scan((tmp_path,)))
    file.unlink()
    seen.append(scan((tmp_path,)))
    assert len(set(seen)) == 4


def test_a_config_map_is_read_through_one_link(tmp_path: Path) -> None:
    """Visible names are listed, files of the payload are read, and leftovers of a swap are not missing."""
    swap(tmp_path, 1, a="1", b="1")
    first = scan((tmp_path,))
    assert [file.path.name for file in first.files] == ["a.yaml", "b.yaml"]
    assert {file.real.parent.name for file in first.files} == {"..gen1"}
    swap(tmp_path, 2, b="2", c="2")
    second = scan((tmp_path,))
    assert [file.path.name for file in second.files] == ["b.yaml", "c.yaml"]
    assert {file.real.parent.name for file in second.files} == {"..gen2"}
    assert second.missing == ()


def test_a_new_name_in_a_config_map_counts_with_the_swap(tmp_path: Path) -> None:
    """kubelet links new names after the swap; waiting for them would split one change in two."""
    swap(tmp_path, 1, a="1")
    swap(tmp_path, 2, a="1", b="2")
    (tmp_path / "b.yaml").unlink()
    assert names(tmp_path) == ["a.yaml", "b.yaml"]


def test_a_replaced_directory_is_another_one(tmp_path: Path) -> None:
    """The new directory must be watched, although it has the same name."""
    root = tmp_path / "m"
    root.mkdir()
    before = scan((root,)).directories
    root.rename(tmp_path / "old")
    root.mkdir()
    after = scan((root,)).directories
    assert [path for path, _ in before] == [path for path, _ in after] == [root]
    assert before != after


def test_a_payload_replaced_while_it_is_listed_is_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it vanished before or after its entries were read: the scan has one payload, the next."""
    root = tmp_path / "m"
    mount = root / "cm"
    swap(mount, 1, a="1", b="1")
    listing = module._below
    swaps = iter((2, 3))

    def below(directory: Path, *arguments: object) -> Iterator[object]:
        generation = next(swaps, None)
        if generation == 2:
            swap(mount, generation, a="2", c="2")
        yield from listing(directory, *arguments)  # type: ignore[arg-type]
        if generation == 3:
            swap(mount, generation, a="3", d="3")

    monkeypatch.setattr(module, "_below", below)
    result = scan((root,))
    assert [file.path.name for file in result.files] == ["a.yaml", "d.yaml"]
    assert {file.payload for file in result.files} == {mount / "..gen3"}
    assert (result.missing, result.torn) == ((), ())


def test_a_payload_that_cannot_be_listed_completely_makes_the_scan_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan has nothing of it: a part would mean the deletion of the rest."""
    mount = tmp_path / "cm"
    swap(mount, 1, a="1")
    (tmp_path / "plain.yaml").write_text("")
    listing = module._below
    generations = count(2)

    def below(directory: Path, *arguments: object) -> Iterator[object]:
        swap(mount, next(generations), a="1")
        return listing(directory, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_below", below)
    result = scan((tmp_path,))
    assert [file.path.name for file in result.files] == ["plain.yaml"]
    assert (result.missing, result.torn) == ((), (mount,))
    assert next(generations) == module.MAX_ATTEMPTS + 2


def test_files_given_by_path_are_of_one_payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A swap between two files makes the scan torn; a file removed meanwhile is scanned again."""
    swap(tmp_path, 1, a="1", b="1")
    roots = (tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert {file.payload for file in scan(roots).files} == {tmp_path / "..gen1"}
    resolve = os.path.realpath
    left = [2]

    def realpath(path: Path, *, strict: bool) -> str:
        real = resolve(path, strict=strict)
        if path.name == "b.yaml" and left:
            swap(tmp_path, left.pop(), a="2", b="2")
        return real

    monkeypatch.setattr(os.path, "realpath", realpath)
    result = scan(roots)
    assert [file.real.parent.name for file in result.files] == ["..gen1", "..gen2"]
    assert (result.missing, result.torn) == ((), (tmp_path,))


def test_a_link_to_no_payload_is_a_missing_path(tmp_path: Path) -> None:
    """Another look does not change it, and it is no deletion."""
    swap(tmp_path / "cm", 1, a="1")
    (tmp_path / "cm" / "..gen1" / "a.yaml").unlink()
    (tmp_path / "cm" / "..gen1").rmdir()
    result = scan((tmp_path,))
    assert (result.files, result.torn) == ((), ())
    assert result.missing == ((tmp_path / "cm", "..data: No such file or directory"),)
