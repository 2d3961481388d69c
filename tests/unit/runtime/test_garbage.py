"""Bulk loads without collections of garbage."""

import gc
from collections.abc import Iterator

import pytest

from steerway.runtime import garbage


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nothing_is_collected_during_a_load_and_a_bulk_is_not_followed_afterwards() -> None:
    """Loads overlap: the last one that ends turns the collector on again."""
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
    """One that hangs must not keep the collector off without end."""
    with garbage.load() as hanging:
        hanging.end()
        assert gc.isenabled()
        other = garbage.Load()
        hanging.end()
        assert not gc.isenabled()
    assert not gc.isenabled()
    other.end()
    assert gc.isenabled()


def test_a_load_that_fails_turns_the_collector_on_again() -> None:
    with pytest.raises(ValueError, match="broken"), garbage.load():
        raise ValueError("broken")
    assert gc.isenabled()
