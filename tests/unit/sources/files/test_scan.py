"""Which files a look finds, and what makes two looks differ."""

import os
from pathlib import Path

from steerway.sources.files.scan import scan


def names(*roots: Path) -> list[str]:
    return [str(file.path.relative_to(roots[0])) for file in scan(roots).files]


def config_map(directory: Path, generation: int, **files: str) -> None:
    """Write as kubelet's atomic writer does: a new directory, one rename, links for new names, old links
    away."""
    payload = directory / f"..gen{generation}"
    payload.mkdir(parents=True)
    for name, text in files.items():
        (payload / f"{name}.yaml").write_text(text)
    (directory / "..data_tmp").symlink_to(payload.name)
    (directory / "..data_tmp").rename(directory / "..data")
    for name in files:
        link = directory / f"{name}.yaml"
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}.yaml")


def test_manifests_are_found_in_order_and_below(tmp_path: Path) -> None:
    """By name, in subdirectories too; hidden entries and other suffixes are left out."""
    for name in ("b.yaml", "a.yml", "sub/c.json", "d.txt", ".hidden.yaml", ".git/e.yaml", "f.yaml~"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert names(tmp_path) == ["a.yml", "b.yaml", "sub/c.json"]


def test_a_path_may_be_a_file_of_any_name(tmp_path: Path) -> None:
    """What was named outright is read, whatever its suffix."""
    (tmp_path / "x.conf").write_text("")
    (tmp_path / "y.yaml").write_text("")
    assert [file.path.name for file in scan((tmp_path / "x.conf",)).files] == ["x.conf"]


def test_a_file_counts_once(tmp_path: Path) -> None:
    """Given twice, linked to, or in a directory that links to itself."""
    (tmp_path / "a.yaml").write_text("")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    (tmp_path / "loop").symlink_to(".")
    assert names(tmp_path, tmp_path / "a.yaml", tmp_path) == ["a.yaml"]


def test_missing_paths_are_told_with_their_reason(tmp_path: Path) -> None:
    """A path that is not there, a symlink to nowhere, a symlink to itself."""
    (tmp_path / "nowhere.yaml").symlink_to("gone.yaml")
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    found = scan((tmp_path, tmp_path / "missing"))
    assert {path.name: reason for path, reason in found.missing} == {
        "nowhere.yaml": "No such file or directory",
        "circle.yaml": "Too many levels of symbolic links",
        "missing": "No such file or directory",
    }


def test_equal_looks_mean_equal_files(tmp_path: Path) -> None:
    """Rewriting, replacing, and changing the mode of a file are seen; looking is not."""
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
    """The visible names count, the payload's files are read, and leftovers of a swap are not missing."""
    config_map(tmp_path, 1, a="1", b="1")
    first = scan((tmp_path,))
    assert [file.path.name for file in first.files] == ["a.yaml", "b.yaml"]
    assert {file.real.parent.name for file in first.files} == {"..gen1"}
    config_map(tmp_path, 2, b="2", c="2")
    second = scan((tmp_path,))
    assert [file.path.name for file in second.files] == ["b.yaml", "c.yaml"]
    assert {file.real.parent.name for file in second.files} == {"..gen2"}
    assert second.missing == ()


def test_a_new_name_in_a_config_map_counts_with_the_swap(tmp_path: Path) -> None:
    """kubelet links new names after the swap; waiting for them would make two changes of one."""
    config_map(tmp_path, 1, a="1")
    config_map(tmp_path, 2, a="1", b="2")
    (tmp_path / "b.yaml").unlink()
    assert names(tmp_path) == ["a.yaml", "b.yaml"]


def test_a_replaced_directory_is_another_one(tmp_path: Path) -> None:
    """The watcher must watch the new directory, although it has the old one's name."""
    root = tmp_path / "m"
    root.mkdir()
    before = scan((root,)).directories
    root.rename(tmp_path / "old")
    root.mkdir()
    after = scan((root,)).directories
    assert [path for path, _ in before] == [path for path, _ in after] == [root]
    assert before != after
