"""Memory is returned to the system after large releases."""

from steerway.engine.memory import MUCH, NAME_BYTES, Trimmer, trim_function


def test_a_trim_is_due_once_after_a_large_release() -> None:
    """Of subscribed bytes, or of names that outlive their subscriptions."""
    retained = [(0, 0)]
    trimmer = Trimmer(lambda: retained[0], None)
    names = MUCH // NAME_BYTES
    for now, due in [
        ((4 * MUCH, names), False),
        ((4 * MUCH, 0), True),
        ((3 * MUCH + 1, 0), False),
        ((3 * MUCH, 0), True),
        ((3 * MUCH, 0), False),
        ((0, 0), True),
        ((0, 0), False),
    ]:
        retained[0] = now
        assert trimmer.is_due() is due, now


def test_the_function_of_the_system_can_be_called() -> None:
    """glibc returns whether memory was released."""
    if (trim := trim_function()) is not None:
        assert trim() in (0, 1)
