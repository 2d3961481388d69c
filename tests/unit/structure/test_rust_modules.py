"""The modules of the Rust crates: folders, circles, and one file for each type."""

from pathlib import Path

import pytest

from tests.structure.graph import across_folders, circles
from tests.structure.rust_modules import Crate, folder_sizes

RUST = Path(__file__).parents[3] / "rust"
CRATES = ["engine", "server"]

TEST_FILES = {"tests.rs", "concurrency.rs", "failpoint.rs"}

MOST_FILES_IN_A_FOLDER = 15
MOST_FILES_IN_A_CIRCLE = 3


def source(crate: str) -> Path:
    return RUST / crate / "src"


@pytest.mark.parametrize("crate", CRATES)
def test_every_file_is_in_the_graph(crate: str) -> None:
    """A graph without files or edges would always pass. Files of tests alone are not in it."""
    files = Crate(source(crate)).files()
    written = [path for path in source(crate).rglob("*.rs") if path.name not in TEST_FILES]
    assert len(files) == len(written) > 40
    edges = Crate(source(crate)).graph()
    assert sum(len(targets) for targets in edges.values()) > 2 * len(files)


@pytest.mark.parametrize("crate", CRATES)
def test_circles_are_small_and_within_a_folder(crate: str) -> None:
    components = circles(Crate(source(crate)).graph())
    assert [files for files in components if len(files) > MOST_FILES_IN_A_CIRCLE] == []
    assert across_folders(components) == []


@pytest.mark.parametrize("crate", CRATES)
def test_folders_depend_on_one_another_in_one_direction(crate: str) -> None:
    assert circles(Crate(source(crate)).folder_graph()) == []


@pytest.mark.parametrize("crate", CRATES)
def test_a_folder_has_few_files(crate: str) -> None:
    sizes = folder_sizes(source(crate))
    assert len(sizes) > 5
    assert {folder: size for folder, size in sizes.items() if size > MOST_FILES_IN_A_FOLDER} == {}


@pytest.mark.parametrize("crate", CRATES)
def test_a_type_is_implemented_in_the_file_that_defines_it(crate: str) -> None:
    assert Crate(source(crate)).scattered() == {}


def write(src: Path, files: dict[str, str]) -> Crate:
    for name, code in files.items():
        (src / name).parent.mkdir(parents=True, exist_ok=True)
        (src / name).write_text(code)
    return Crate(src)


def test_a_circle_is_reported(tmp_path: Path) -> None:
    crate = write(
        tmp_path,
        {
            "lib.rs": "mod a;\nmod b;\nmod c;\nmod d;\npub use d::D;",
            "a.rs": "use crate::b::B;\npub struct A;",
            "b.rs": "use super::c::{self, C as Other};\npub struct B;",
            "c.rs": "pub struct C;\nfn f() -> crate::a::A { todo!() }",
            "d.rs": "use crate::a::{A, A as Second};\npub struct D;",
        },
    )
    assert circles(crate.graph()) == [["a.rs", "b.rs", "c.rs"]]
    assert crate.graph()["lib.rs"] == {"d.rs"}


def test_a_circle_through_a_re_export_is_reported(tmp_path: Path) -> None:
    """The files that define the items are in it; the face of a folder is not."""
    crate = write(
        tmp_path,
        {
            "lib.rs": "mod a;\nmod b;\npub use a::*;",
            "a/mod.rs": "mod x;\nmod y;\npub(crate) use x::{X, nested::{X1, X2}};\npub use y::Y as Z;",
            "a/x.rs": "use crate::b::B;\npub struct X;",
            "a/y.rs": "use super::X;\npub struct Y;",
            "b/mod.rs": "mod b;\npub use b::B;",
            "b/b.rs": "use crate::a::Z;\npub struct B;",
        },
    )
    components = circles(crate.graph())
    assert components == [["a/x.rs", "a/y.rs", "b/b.rs"]]
    assert across_folders(components) == components
    assert circles(crate.folder_graph()) == [["a", "b"]]
    assert crate.graph()["lib.rs"] == {"a/mod.rs", "a/x.rs", "a/y.rs"}


def test_folders_in_a_circle_are_reported_without_a_circle_of_files(tmp_path: Path) -> None:
    crate = write(
        tmp_path,
        {
            "lib.rs": "mod a;\nmod b;",
            "a/mod.rs": "mod low;\nmod high;\npub use low::Low;",
            "a/low.rs": "pub struct Low;",
            "a/high.rs": "use crate::b::middle;",
            "b/mod.rs": "pub mod middle;",
            "b/middle.rs": "use crate::a::Low;",
        },
    )
    assert circles(crate.graph()) == []
    assert circles(crate.folder_graph()) == [["a", "b"]]


def test_tests_comments_and_texts_do_not_count(tmp_path: Path) -> None:
    crate = write(
        tmp_path,
        {
            "lib.rs": "mod a;\nmod b;\n#[cfg(test)]\nmod only_in_tests;",
            "a.rs": '// use crate::b::B;\nconst TEXT: &str = "use crate::b::B;";\npub struct A;\n'
            '#[cfg(test)]\n#[path = "x.rs"]\nmod tests { use crate::b::B; fn f() { if true { } } }',
            "b.rs": "use crate::a::A;\npub struct B;\n#[cfg(test)]\nuse crate::only_in_tests::Helper;",
            "only_in_tests.rs": "use crate::b::B;",
        },
    )
    assert crate.files() == ["a.rs", "b.rs", "lib.rs"]
    assert crate.graph() == {"lib.rs": set(), "a.rs": set(), "b.rs": {"a.rs"}}


def test_a_folder_of_sixteen_files_is_reported(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(15)]
    files = {f"many/{name}.rs": "" for name in names}
    write(
        tmp_path, {"lib.rs": "mod many;", "many/mod.rs": "".join(f"mod {name};" for name in names), **files}
    )
    assert folder_sizes(tmp_path) == {".": 1, "many": 16}


def test_an_implementation_elsewhere_is_reported(tmp_path: Path) -> None:
    crate = write(
        tmp_path,
        {
            "lib.rs": "mod a;\nmod b;",
            "a.rs": "pub struct A<T>(T);\nimpl<T: Into<u8>> A<T> { }\npub enum E { }",
            "b.rs": "use crate::a::{A, E};\nimpl<T: for<'x> Fn(&'x T)> From<A<T>> for E where T: Copy { }\n"
            "impl Drop for Other { }",
        },
    )
    assert crate.scattered() == {"E": ["b.rs"]}
