"""Subsets of any endpoints: exact, even, the same everywhere, and calm when endpoints come and go."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steerway.catalog.locality.subset import subset, subsets

ENDPOINTS = st.lists(
    st.tuples(st.integers(0, 255), st.integers(1, 65535)).map(lambda at: f"10.0.0.{at[0]}:{at[1]}"),
    unique=True,
    max_size=60,
)
SEEDS = range(12)


def some_endpoints(seed: int, count: int) -> list[str]:
    """Different addresses, no two near each other in a way that hashes could know."""
    numbers = random.Random(seed).sample(range(1 << 16), count)
    return [f"10.1.{number >> 8}.{number & 255}:8080" for number in numbers]


def moved(before: tuple[frozenset[str], ...], after: tuple[frozenset[str], ...]) -> int:
    """Connections that clients must open anew, if each bucket has one client."""
    return sum(len(new - old) for old, new in zip(before, after, strict=True))


@settings(derandomize=True)
@given(ENDPOINTS, st.integers(0, 65), st.integers(1, 40))
def test_every_bucket_is_full_and_every_endpoint_is_used_as_much_as_any_other(
    endpoints: list[str], size: int, buckets: int
) -> None:
    """Exactly `size` distinct endpoints in each bucket, and counts that differ by one at most."""
    result = subsets(endpoints, size, buckets)
    assert len(result) == buckets
    assert all(len(item) == min(size, len(endpoints)) and item <= set(endpoints) for item in result)
    uses = Counter(endpoint for item in result for endpoint in item)
    counts = [uses[endpoint] for endpoint in endpoints]
    assert not counts or max(counts) - min(counts) <= 1


@settings(derandomize=True)
@given(ENDPOINTS, st.integers(0, 65), st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_order_of_the_endpoints_does_not_matter(
    endpoints: list[str], size: int, buckets: int, order: random.Random
) -> None:
    """A replica that saw the endpoints in another order, and asks bucket by bucket, computes the same."""
    result = subsets(endpoints, size, buckets)
    order.shuffle(endpoints)
    assert tuple(subset(endpoints, size, bucket, buckets) for bucket in range(buckets)) == result


def test_every_process_computes_the_same() -> None:
    """The literal result: hash() or the order of a set would give another one in another process."""
    endpoints = [f"10.0.0.{number}:80" for number in range(1, 8)]
    result = subsets(endpoints, 3, 4)
    assert ["".join(sorted(item[7] for item in bucket)) for bucket in result] == ["245", "123", "147", "367"]


@pytest.mark.parametrize(
    ("endpoints", "size", "per_bucket"), [([], 3, 0), (["a", "b"], 0, 0), (["a"], -1, 0)]
)
def test_nothing_to_see(endpoints: list[str], size: int, per_bucket: int) -> None:
    """No endpoints, or none wanted: every bucket is empty."""
    assert [len(item) for item in subsets(endpoints, size, 3)] == [per_bucket] * 3


def test_everything_when_there_are_not_more() -> None:
    """With as many endpoints as a client may see, or fewer, all clients see them all."""
    for size in (2, 3):
        assert subsets(["b", "a"], size, 5) == (frozenset("ab"),) * 5


def test_fewer_seats_than_endpoints() -> None:
    """Some endpoints are then in no bucket, and none is in two."""
    result = subsets(some_endpoints(0, 40), 2, 16)
    assert len(frozenset().union(*result)) == 32


@pytest.mark.parametrize("bucket", [-1, 4])
def test_a_bucket_that_is_not_there(bucket: int) -> None:
    """It is a mistake of the caller, and not another bucket."""
    with pytest.raises(ValueError, match="not one of 4"):
        subset(["a", "b"], 1, bucket, 4)


@pytest.mark.parametrize(
    ("count", "size"), [(5, 3), (10, 3), (20, 19), (30, 10), (31, 1), (50, 4), (50, 25), (120, 40)]
)
def test_one_endpoint_more_or_fewer_moves_few_connections(count: int, size: int) -> None:
    """On average at most 2.5 / n of them, where 1 / n is what must move; each size of both has another remainder."""
    shares = []
    for seed in SEEDS:
        endpoints = some_endpoints(seed, count + 1)
        fewer, more = subsets(endpoints[:-1], size, 16), subsets(endpoints, size, 16)
        shares += [moved(fewer, more) / (16 * size), moved(more, fewer) / (16 * size)]
    assert sum(shares) / len(shares) * count <= 2.5


@pytest.mark.parametrize(("count", "size"), [(10, 3), (30, 10), (50, 25), (120, 40)])
def test_one_seat_more_moves_few_connections(count: int, size: int) -> None:
    """When the size grows, each bucket gets one more; on average less than as many again change places."""
    anew = []
    for seed in SEEDS:
        endpoints = some_endpoints(seed, count)
        anew.append(moved(subsets(endpoints, size, 16), subsets(endpoints, size + 1, 16)))
    assert 16 <= sum(anew) / len(anew) <= 1.75 * 16


@pytest.mark.parametrize(("count", "size"), [(10, 3), (30, 10), (120, 40)])
def test_one_endpoint_and_one_seat_more_together(count: int, size: int) -> None:
    """As when the size is a share of all: what must move is the new seats, and the new endpoint's are among them."""
    anew = []
    for seed in SEEDS:
        endpoints = some_endpoints(seed, count + 1)
        anew.append(moved(subsets(endpoints[:-1], size, 16), subsets(endpoints, size + 1, 16)))
    assert sum(anew) / len(anew) <= 1.75 * 16
