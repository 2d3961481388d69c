"""Bulk loads without garbage collection."""

import gc
from collections.abc import Iterator

import pytest

from steerway.runtime import garbage


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_no_collection_runs_during_a_load_and_its_objects_are_frozen() -> None:
    """Loads overlap: the end of the last one enables the collector."""
    before = gc.get_freeze_count()
    with garbage.load() as outer:
        with garbage.load() as inner:
            inner.objects = garbage.BULK_OBJECTS - 1
        assert not gc.isenabled()
        assert gc.get_freeze_count() == before
        outer.objects = garbage.BULK_OBJECTS
    assert gc.isenabled()
    assert gc.get_freeze_count() > before


def test_a_load_may_end_early_and_ends_once() -> None:
    """A hanging load must not disable the collector without end."""
    with garbage.load() as hanging:
        hanging.end()
        assert gc.isenabled()
        other = garbage.Load()
        hanging.end()
        assert not gc.isenabled()
    assert not gc.isenabled()
    other.end()
    assert gc.isenabled()


def test_a_failed_load_enables_the_collector() -> None:
    with pytest.raises(ValueError, match="broken"), garbage.load():
        raise ValueError("broken")
    assert gc.isenabled()
