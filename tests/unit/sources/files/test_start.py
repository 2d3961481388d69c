"""The first look: what delays the sync of a source, for how long, and the effect of a state directory."""

from collections.abc import Callable
from pathlib import Path

import pytest

from steerway.sources.files.state import State
from tests.unit.sources.files.running_source import Running

Run = Callable[..., Running]
GOOD = "apiVersion: v1\nkind: Service\nmetadata: {name: good}\nspec: {ports: [{port: 1}]}\n"
LONG_SECONDS = 3600.0


@pytest.mark.parametrize(
    "broken",
    [b"a: [", b"\xe9", b"a: [\n---\nb: ]\n", b"what: ever\n"],
    ids=["YAML", "bytes", "all", "unknown"],
)
async def test_an_unreadable_file_delays_a_start_until_it_is_fixed(
    run: Run, tmp_path: Path, broken: bytes
) -> None:
    """Its problem is reported meanwhile; other files are read."""
    (tmp_path / "a.yaml").write_bytes(broken)
    (tmp_path / "b.yaml").write_text(GOOD)
    source = run(tmp_path, files_sync_timeout_seconds=LONG_SECONDS)
    await source.problem("a.yaml")
    assert not source.store.synced
    (tmp_path / "a.yaml").write_text(GOOD.replace("good", "better"))
    await source.until(lambda: source.store.synced)
    assert source.services() == {"good": 1, "better": 1}


async def test_the_delay_is_bounded(run: Run, tmp_path: Path) -> None:
    """The file stays a problem, and other files are served."""
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text(GOOD)
    source = run(tmp_path, files_sync_timeout_seconds=0.01)
    await source.until(lambda: source.store.synced)
    await source.problem("a.yaml", "YAML")
    assert source.services() == {"good": 1}


async def test_an_invalid_document_beside_a_valid_one_delays_nothing(run: Run, tmp_path: Path) -> None:
    """Nor does an invalid document with a known subject, nor an empty file."""
    (tmp_path / "a.yaml").write_text(f"a: [\n---\n{GOOD}")
    (tmp_path / "b.yaml").write_text(GOOD.replace("good", "bad").replace("port: 1", "port: 0"))
    (tmp_path / "c.yaml").write_text("")
    source = run(tmp_path, files_sync_timeout_seconds=LONG_SECONDS)
    await source.until(lambda: source.store.synced)
    assert source.services() == {"good": 1}


async def test_a_missing_path_ends_the_delay_when_it_appears(run: Run, tmp_path: Path) -> None:
    """Such as a volume that is mounted late."""
    source = run(tmp_path / "late", files_sync_timeout_seconds=LONG_SECONDS)
    await source.problem("late", "cannot be read")
    assert not source.store.synced
    (tmp_path / "late").mkdir()
    await source.until(lambda: source.store.synced)


@pytest.mark.parametrize("broken", ["a: [", None], ids=["file", "directory"])
async def test_a_file_that_became_invalid_between_runs_is_served_from_the_state(
    run: Run, tmp_path: Path, broken: str | None
) -> None:
    """At once, with a problem that has the time; fixing the file clears it."""
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "a.yaml").write_text(GOOD)
    (manifests / "b.yaml").write_text(GOOD.replace("good", "gone"))
    first = run(manifests, state=State(tmp_path / "state", 60))
    await first.synced()
    await first.stop()
    if broken is None:
        manifests.rename(tmp_path / "aside")
    else:
        (manifests / "a.yaml").write_text(broken)
        (manifests / "b.yaml").unlink()
    second = run(manifests, files_sync_timeout_seconds=LONG_SECONDS, state=State(tmp_path / "state", 60))
    await second.until(lambda: second.store.synced)
    assert second.services() == ({"good": 1} if broken else {"good": 1, "gone": 1})
    await second.problem("a.yaml", "is served as it was read at", "files.state")
    if broken is None:
        (tmp_path / "aside").rename(manifests)
    else:
        (manifests / "a.yaml").write_text(GOOD)
    await second.problem()


async def test_a_damaged_state_is_a_problem_until_it_is_replaced(run: Run, tmp_path: Path) -> None:
    """Files are served meanwhile."""
    (tmp_path / "files.state").write_text("what")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "a.yaml").write_text(GOOD)
    source = run(tmp_path / "manifests", state=State(tmp_path, 60))
    await source.until(lambda: source.store.synced)
    assert source.services() == {"good": 1}
    await source.problem()
    await source.stop()
    assert State(tmp_path, 60).load([tmp_path / "manifests"])
