"""Number of demands that are answered at once."""

import pytest

from steerway.engine.batch_size import LEAST, MOST, SECONDS, BatchSize


@pytest.mark.parametrize(
    ("seconds_each", "size"), [(SECONDS / 100, 100), (SECONDS / 10, 10), (1.0, LEAST), (0.0, MOST)]
)
def test_a_portion_takes_about_as_long_as_it_may(seconds_each: float, size: int) -> None:
    """Whatever one demand takes."""
    batch = BatchSize()
    for _ in range(100):
        batch.observe(batch.size, batch.size * seconds_each)
    assert batch.size == pytest.approx(size, abs=1)
