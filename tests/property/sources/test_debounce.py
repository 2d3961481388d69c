"""Debounce: no change is lost, given twice, early without reason, or later than the maximum wait."""

from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.objects.core import ObjectKey
from steerway.sources.store import Change
from steerway.sources.window import Delay, Window

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


URGENT = ("EndpointSlice",)


@given(STEPS)
def test_every_change_comes_out_once_and_in_time(steps: list[tuple[int, frozenset[ObjectKey]]]) -> None:
    """Each owner's changes of each kind for themselves, as if there were no other owners."""
    window = Window(lambda key: (key.name,), endpoints=ENDPOINTS, others=OTHERS)
    now = 0.0
    waiting: dict[tuple[str, bool], list[tuple[float, ObjectKey]]] = {}

    def due_of(changes: list[tuple[float, ObjectKey]], urgent: bool) -> float:
        delay = ENDPOINTS if urgent else OTHERS
        return min(changes[-1][0] + delay.quiet_seconds, changes[0][0] + delay.max_wait_seconds)

    def take_what_is_due(until: float) -> None:
        while (due := window.due) is not None and due <= until:
            dues = {locality: due_of(changes, locality[1]) for locality, changes in waiting.items()}
            assert due == min(dues.values())
            given = {locality for locality, at in dues.items() if at == due}
            # What is urgent goes out with the rest of its owner, if that comes first.
            given |= {(owner, True) for owner, urgent in given if not urgent} & waiting.keys()
            assert window.take(due).keys == {key for locality in given for _, key in waiting.pop(locality)}

    for gap, keys in steps:
        take_what_is_due(now + gap)
        now += gap
        for key in keys:
            window.add({key: Change(None)}, now)
            waiting.setdefault((key.name, key.kind in URGENT), []).append((now, key))
    take_what_is_due(float("inf"))
    assert waiting == {}
    assert window.due is None
