"""Last good versions, under any sequence of edits, breakages and disappearances."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.files.entry import Entry
from steerway.sources.files.history import View, advance
from steerway.sources.files.scan import ManifestFile, Scan
from steerway.sources.objects.core import Object, ObjectKey, Service, ServiceMeta
from steerway.sources.store import Problem

ROOT = Path("/m")
FILES = [ROOT / "a.yaml", ROOT / "b.yaml"]
NAMES = st.sampled_from("xyz")


def good(name: str, generation: int) -> Entry:
    service = Service(ServiceMeta(name=name, namespace="n", labels={"generation": str(generation)}))
    return Entry("f:1", "Service", name, service.key, (service,))


def broken(name: str | None) -> Entry:
    subject = ObjectKey("Service", "n", name) if name else None
    return Entry("f:1", "Service", subject=subject, problem=Problem("f:1", "broken"))


ENTRY = st.builds(good, NAMES, st.integers(0, 9)) | st.builds(broken, st.none() | NAMES)
LOOKS = st.lists(
    st.fixed_dictionaries({}, optional={file: st.lists(ENTRY, max_size=4) for file in FILES}) | st.none(),
    max_size=8,
)


@given(LOOKS)
def test_good_is_served_kept_was_good_and_nothing_else_is(
    looks: list[dict[Path, list[Entry]] | None],
) -> None:
    """Each look: the first good version of each object, else what was served before; all errors are reported."""
    view = View()
    for files in looks:
        before = dict(view.objects)
        if files is None:  # the directory is away
            view = advance(view, Scan((), ((ROOT, "gone"),), ()), [])
            assert dict(view.objects) == before
            assert set(view.problems) == {str(ROOT)}
            continue
        manifest_files = tuple(
            ManifestFile(path, path, ROOT, 10, 0, 0, (0, index)) for index, path in enumerate(files)
        )
        view = advance(view, Scan(manifest_files, (), ()), list(files.values()))
        first: dict[ObjectKey, Object] = {}
        for entries in files.values():
            for entry in entries:
                for obj in entry.objects:
                    first.setdefault(obj.key, obj)
        assert {key: view.objects[key] for key in first} == first
        for key, obj in view.objects.items():
            if key not in first:
                assert before.get(key) == obj
        if all(entry.ok for entries in files.values() for entry in entries):
            assert dict(view.objects) == first
        for path, entries in files.items():
            validation_errors = sum(not entry.ok for entry in entries)
            assert len(view.problems.get(str(path), ())) >= validation_errors
        again = advance(view, Scan(manifest_files, (), ()), list(files.values()))
        assert again == view, "looking again changes nothing"
