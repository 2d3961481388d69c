"""Debounce: no change is lost, given twice, early without reason, or later than the maximum wait."""

from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.debounce import Delay, Window
from steerway.sources.objects import ObjectKey

KEYS = st.frozensets(
    st.builds(
        ObjectKey,
        st.sampled_from(["Service", "EndpointSlice", "XdsResource"]),
        st.just("n"),
        st.sampled_from("abcd"),
    ),
    min_size=1,
)
STEPS = st.lists(st.tuples(st.integers(0, 30), KEYS), max_size=40)
ENDPOINTS = Delay(quiet_seconds=2, max_wait_seconds=7)
OTHERS = Delay(quiet_seconds=5, max_wait_seconds=20)


@given(STEPS)
def test_every_change_comes_out_once_and_in_time(steps: list[tuple[int, frozenset[ObjectKey]]]) -> None:
    """A consumer that takes each batch when it is due sees every change between its arrival and its limit."""
    window = Window(ENDPOINTS, OTHERS)
    now = 0.0
    waiting: list[tuple[float, frozenset[ObjectKey]]] = []

    def take_what_is_due(until: float) -> None:
        while (due := window.due) is not None and due <= until:
            taken = window.take(due)
            assert taken == frozenset().union(*(keys for _, keys in waiting))
            urgent = all(key.kind != "Service" for key in taken)
            delay = ENDPOINTS if urgent else OTHERS
            first, last = waiting[0][0], waiting[-1][0]
            assert due - first <= delay.max_wait_seconds
            assert due - last <= delay.quiet_seconds
            assert due in (last + delay.quiet_seconds, first + delay.max_wait_seconds)
            waiting.clear()

    for gap, keys in steps:
        take_what_is_due(now + gap)
        now += gap
        window.add(keys, now)
        waiting.append((now, keys))
    take_what_is_due(float("inf"))
    assert waiting == []
    assert window.due is None
