"""How many demands are answered at once."""

import pytest

from steerway.engine.portion import LEAST, MOST, SECONDS, Portion


@pytest.mark.parametrize(
    ("seconds_each", "size"), [(SECONDS / 100, 100), (SECONDS / 10, 10), (1.0, LEAST), (0.0, MOST)]
)
def test_a_portion_takes_about_as_long_as_it_may(seconds_each: float, size: int) -> None:
    """Whatever one demand takes."""
    portion = Portion()
    for _ in range(100):
        portion.took(portion.size, portion.size * seconds_each)
    assert portion.size == pytest.approx(size, abs=1)
