"""What is kept when files become invalid, move and vanish. Without a file system: scans and entries are constructed."""

from pathlib import Path

from steerway.sources.files.entry import Entry
from steerway.sources.files.history import View, advance
from steerway.sources.files.scan import ManifestFile, Scan
from steerway.sources.objects.core import ObjectKey, Service, ServiceMeta
from steerway.sources.store import Problem

ROOT = Path("/m")
A, B = ROOT / "a.yaml", ROOT / "b.yaml"


def key(name: str) -> ObjectKey:
    return ObjectKey("Service", "shop", name)


def good(name: str, generation: str = "1") -> Entry:
    service = Service(ServiceMeta(name=name, namespace="shop", labels={"generation": generation}))
    return Entry("x:1", "Service", f"shop/{name}", service.key, (service,))


def broken(name: str | None = None) -> Entry:
    return Entry("x:1", "Service", subject=key(name) if name else None, problem=Problem("x:1", "broken"))


def look(before: View, files: dict[Path, list[Entry]], *missing: Path, size: int = 10) -> View:
    manifest_files = tuple(
        ManifestFile(path, path, ROOT, size, 0, 0, (0, index)) for index, path in enumerate(files)
    )
    return advance(
        before, Scan(manifest_files, tuple((path, "gone") for path in missing), ()), list(files.values())
    )


def served(view: View) -> dict[str, str]:
    """Generation of each object by name."""
    results = {}
    for obj in view.objects.values():
        assert isinstance(obj, Service)
        results[obj.metadata.name] = (obj.metadata.labels or {})["generation"]
    return results


def test_valid_files_replace_all_their_objects() -> None:
    """Objects missing from a valid file are removed, as are those of a removed file."""
    first = look(View(), {A: [good("x"), good("y")], B: [good("z")]})
    assert served(first) == {"x": "1", "y": "1", "z": "1"}
    assert served(look(first, {A: [good("x", "2")]})) == {"x": "2"}


def test_an_invalid_entry_keeps_its_own_subject_only() -> None:
    """Other entries of its file are changed and removed."""
    first = look(View(), {A: [good("x"), good("y"), good("z")]})
    second = look(first, {A: [broken("x"), good("y", "2")]})
    assert served(second) == {"x": "1", "y": "2"}
    assert [problem.reason for problem in second.problems[str(A)]] == ["broken"]


def test_an_invalid_entry_without_subject_keeps_all_missing_objects_of_its_file() -> None:
    """It may be any of them; other files are not affected."""
    first = look(View(), {A: [good("x"), good("y")], B: [good("z")]})
    second = look(first, {A: [broken(), good("y", "2")]})
    assert served(second) == {"x": "1", "y": "2"}


def test_an_object_is_kept_until_its_file_is_valid_or_removed() -> None:
    """For any number of looks in between."""
    view = look(View(), {A: [good("x"), good("y")]})
    for _ in range(3):
        view = look(view, {A: [broken()]})
        assert served(view) == {"x": "1", "y": "1"}
    assert served(look(view, {A: [good("x", "2")]})) == {"x": "2"}
    assert served(look(view, {})) == {}


def test_nothing_is_kept_for_a_file_that_was_never_valid() -> None:
    assert served(look(View(), {A: [broken(), broken("x")]})) == {}


def test_an_object_that_moved_to_a_valid_file_is_read_from_it() -> None:
    """An older copy in an invalid file neither shadows it nor makes it a duplicate."""
    first = look(View(), {A: [good("x")]})
    second = look(first, {A: [broken()], B: [good("x", "2")]})
    assert served(second) == {"x": "2"}
    assert set(second.problems) == {str(A)}
    assert served(look(second, {A: [broken()]})) == {}, "it was removed from its new place"


def test_the_second_of_two_duplicates_replaces_a_removed_first() -> None:
    first = look(View(), {A: [good("x")], B: [good("x", "2")]})
    assert served(first) == {"x": "1"}
    assert set(first.problems) == {str(B)}
    second = look(first, {B: [good("x", "2")]})
    assert served(second) == {"x": "2"}
    assert second.problems == {}


def test_a_missing_path_keeps_everything_below_it() -> None:
    """A late mount is no deletion; the path counts again when it returns."""
    first = look(View(), {A: [good("x")], B: [good("y")]})
    lost = look(first, {}, ROOT)
    assert served(lost) == {"x": "1", "y": "1"}
    assert [str(problem) for problem in lost.problems[str(ROOT)]] == [
        "/m: cannot be read: gone (check that the path exists and may be read)"
    ]
    assert served(look(lost, {B: [good("y", "2")]})) == {"y": "2"}


def test_a_truncated_file_keeps_its_objects_and_is_a_problem() -> None:
    """`kubectl get … > file` empties the file and writes it a second later."""
    first = look(View(), {A: [good("x")]})
    second = look(first, {A: []}, size=0)
    assert served(second) == {"x": "1"}
    assert "the file is empty" in str(second.problems[str(A)][0])
    assert served(look(second, {A: []}, size=0)) == {"x": "1"}
    assert served(look(second, {A: []}, size=20)) == {}, "comments only: meant so"
    assert look(View(), {A: []}, size=0).problems == {}
