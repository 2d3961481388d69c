"""Every figure of the demo, for results with known figures."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.measure import (
    Balance,
    Figures,
    Record,
    Window,
    balance,
    longest_gap,
    measure,
    per_second,
    percentile_ms,
)

NOTHING_READY = Window(0.0, 10.0, frozenset())


def figures_of(records: Sequence[Record], seconds: float, after: Window = NOTHING_READY) -> Figures:
    """The figures with `after` for both windows."""
    return measure(records, seconds, after, after)


def ok(due: float, backend: str = "a", took: float = 0.01, peer: str = "client") -> Record:
    """A success."""
    return Record(due, due + took, "OK", backend, peer)


def failed(due: float, code: str = "UNAVAILABLE") -> Record:
    """An error."""
    return Record(due, due + 0.01, code, "", "")


def test_no_request_at_all_is_one_gap_and_no_balance() -> None:
    """Zeros and None, without a division by zero."""
    figures = figures_of([], 10.0)
    assert (figures.requests, figures.errors, figures.codes) == (0, 0, {})
    assert (figures.longest_gap_seconds, figures.gap_from, figures.gap_to) == (10.0, 0.0, 10.0)
    assert figures.before.max_over_mean is figures.after.largest_share is None
    assert (figures.p50_ms, figures.p99_ms, figures.busiest) == (None, None, 0)
    assert figures.succeeded == figures.failed == figures.answering == (0,) * 10


def test_no_success_at_all_is_a_gap_of_the_whole_run() -> None:
    """The balance is None, also with ready backends."""
    figures = figures_of([failed(second) for second in range(10)], 10.0, Window(5.0, 10.0, frozenset({"a"})))
    assert (figures.requests, figures.errors) == (10, 10)
    assert figures.longest_gap_seconds == 10.0
    assert figures.before.max_over_mean is figures.after.largest_share is None
    assert figures.failed == (1,) * 10


def test_errors_are_counted_by_code() -> None:
    """Everything but OK is an error, also an exceeded deadline."""
    figures = figures_of([ok(0), failed(1), failed(2), failed(3, "DEADLINE_EXCEEDED")], 10.0)
    assert figures.errors == 3
    assert figures.codes == {"UNAVAILABLE": 2, "DEADLINE_EXCEEDED": 1}


def test_the_gap_lies_between_the_ends_of_successes() -> None:
    """The answer ends a gap, not the request."""
    assert longest_gap([1.0, 2.0, 6.5, 7.0], 8.0) == (2.0, 6.5)
    figures = figures_of([ok(0), ok(1, took=3.0), ok(5)], 6.0)
    assert (figures.gap_from, figures.gap_to) == (0.01, 4.0)


def test_the_time_before_the_first_and_after_the_last_success_counts() -> None:
    """Without a recovery, the gap extends to the end of the run."""
    assert longest_gap([4.0, 5.0], 6.0) == (0.0, 4.0)
    assert longest_gap([0.5, 1.0], 6.0) == (1.0, 6.0)


def test_a_success_after_the_end_of_the_run_does_not_shorten_the_last_gap() -> None:
    """Answers to the last requests may arrive after the end."""
    assert longest_gap([1.0, 6.2], 6.0) == (1.0, 6.0)


@given(st.lists(st.floats(0, 10), max_size=30))
def test_the_gap_is_the_widest_without_successes(successes: list[float]) -> None:
    """Against a slow definition: no two neighbours are further apart."""
    begin, end = longest_gap(successes, 10.0)
    assert not any(begin < time < end for time in successes)
    borders = sorted([0.0, *successes, 10.0])
    assert all(later - earlier <= end - begin for earlier, later in pairwise(borders))


@pytest.mark.parametrize(
    ("counts", "max_over_mean", "largest_share"),
    [
        ([], None, None),
        ([0, 0], None, None),
        ([5], 1.0, 1.0),
        ([5, 5, 5], 1.0, 1 / 3),
        ([10, 0], 2.0, 1.0),
        ([6, 3, 3], 1.5, 0.5),
    ],
)
def test_the_busiest_backend(
    counts: list[int], max_over_mean: float | None, largest_share: float | None
) -> None:
    """The highest count over the mean of all counts, zeros included, and over their sum."""
    spread = Balance(0.0, 1.0, {str(number): count for number, count in enumerate(counts)}, 1)
    assert (spread.max_over_mean, spread.largest_share) == (max_over_mean, largest_share)


def test_connections_are_pairs_of_a_backend_and_its_peer() -> None:
    """Two clients of one backend have two, and one client of two backends has two."""
    records = [ok(1, "a", peer="1"), ok(2, "a", peer="2"), ok(3, "b", peer="1"), ok(4, "b", peer="1")]
    assert balance(records, NOTHING_READY).connections == 3
    assert balance(records, Window(3.0, 5.0, frozenset())).connections == 1


def test_the_balance_is_taken_before_and_after() -> None:
    """Each in its own window, with its own ready backends."""
    before, after = Window(0.0, 5.0, frozenset({"a", "b"})), Window(5.0, 10.0, frozenset({"c"}))
    figures = measure([ok(1, "a"), ok(2, "a"), ok(6, "c")], 10.0, before, after)
    assert (figures.before.backends, figures.after.backends) == ({"a": 2, "b": 0}, {"c": 1})


def test_a_ready_backend_without_an_answer_makes_the_balance_uneven() -> None:
    """One of two ready backends takes all: max/mean is 2."""
    figures = figures_of([ok(5, "a"), ok(6, "a")], 10.0, Window(5.0, 10.0, frozenset({"a", "b"})))
    assert figures.after.backends == {"a": 2, "b": 0}
    assert figures.after.max_over_mean == 2.0


def test_the_balance_is_that_of_its_window() -> None:
    """Requests due before the window, at its end or later do not count."""
    window = Window(5.0, 8.0, frozenset({"a", "b"}))
    figures = figures_of([ok(1, "a"), ok(4.99, "a"), ok(5, "a"), ok(6, "b"), ok(8, "b")], 10.0, window)
    assert figures.after.backends == {"a": 1, "b": 1}
    assert (figures.after.max_over_mean, figures.after.start, figures.after.end) == (1.0, 5.0, 8.0)


def test_without_success_in_the_window_the_balance_is_marked_as_that_of_the_run() -> None:
    """A fleet without success at the end is measured over the run, among the backends that answered."""
    window = Window(5.0, 10.0, frozenset({"new"}))
    figures = figures_of([ok(1, "a"), ok(2, "b"), ok(3, "b"), ok(3.5, "b"), failed(6)], 10.0, window)
    assert figures.after.backends == {"a": 1, "b": 3}
    assert (figures.after.max_over_mean, figures.after.start, figures.after.end) == (1.5, 0.0, 10.0)


def test_seconds_are_those_in_which_requests_were_due() -> None:
    """An incomplete last second counts; a request due at the very end falls into it."""
    assert per_second([ok(0), ok(0.9), ok(1), ok(2.4), ok(2.5)], 2.5) == (2, 1, 2)


def test_backends_are_counted_in_each_second() -> None:
    """The number that answered, and the largest number of answers of one."""
    figures = figures_of([ok(0, "a"), ok(0.5, "b"), ok(1, "a"), ok(1.1, "a"), ok(1.2, "a")], 3.0)
    assert figures.answering == (2, 1, 0)
    assert figures.busiest == 3


def test_percentiles_are_by_nearest_rank_in_milliseconds() -> None:
    """The 99th of a hundred is the last but one, the 50th the middle one."""
    times = [number / 1000 for number in range(1, 101)]
    assert percentile_ms(times, 0.50) == pytest.approx(50)
    assert percentile_ms(times, 0.99) == pytest.approx(99)
    assert percentile_ms([0.004], 0.99) == pytest.approx(4)
    assert percentile_ms([], 0.5) is None
