"""Which backends answer how many calls of a channel: samples of a fixed size, compared by standard deviations."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from testbed.client.grpc_client import Answer, Channel
from testbed.process.deadline import until

_DEVIATIONS = 5
"""Farther from what is expected is one sample in two million."""
_ROUND = 20


def meet(channel: Channel, backends: Collection[str]) -> None:
    """Call until each of these backends has answered, so that the channel is connected to all of them."""
    missing = set(backends)

    def look() -> bool:
        missing.difference_update(answer.backend for answer in channel.call(_ROUND))
        return not missing

    until(look, lambda: f"answers of {sorted(missing)} at {channel.target}")


def counted(answers: Sequence[Answer]) -> Counter[str]:
    """How many calls each backend answered; all were answered."""
    failures = [answer for answer in answers if not answer.ok]
    assert not failures, failures
    return Counter(answer.backend for answer in answers)


def assert_shares(answers: Sequence[Answer], expected: Mapping[str, float]) -> None:
    """Each backend answered its share of the calls, and no other backend did."""
    result = counted(answers)
    assert set(result) <= set(expected), result
    for backend, share in expected.items():
        mean = share * len(answers)
        deviation = math.sqrt(mean * (1 - share))
        assert abs(result[backend] - mean) <= _DEVIATIONS * deviation + 1, (backend, share, result)
