"""How even and how calm subsets are, beside the obvious ways to choose them: `python -m bench.subset`.

One endpoint comes, and one goes; the figures are the share of all connections that is opened anew, in units of 1/n:
1.00 is what cannot be avoided. Each bucket counts as one client. It needs nothing but Python, and takes half a minute.

The alternatives are written here from their descriptions: deterministic subsetting (Google's SRE book, chapter 20),
consecutive endpoints from a random start (k8s-xds, `internal/sort.go`) and rendezvous hashing (gRFC A68).
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from time import perf_counter_ns

from rich.console import Console
from rich.table import Table

from steerway.catalog.locality import subset

_BUCKETS = 16
_SIZES = ((3, 1), (10, 3), (10, 7), (30, 10), (50, 4), (50, 17), (50, 25), (200, 20), (200, 66), (1000, 333))
_ENDPOINT_TRIALS = 8000
"""Trials times endpoints, so that each line takes about as long."""

_Subsets = tuple[frozenset[str], ...]
_Way = Callable[[Sequence[str], int, int], _Subsets]


def _steerway(endpoints: Sequence[str], size: int, buckets: int) -> _Subsets:
    subset.columns.cache_clear()  # else a set that was seen before would cost nothing
    return subset.subsets(endpoints, size, buckets)


def _deterministic(endpoints: Sequence[str], size: int, buckets: int) -> _Subsets:
    """Clients in rounds: each round shuffles all by its number and deals them out to its clients."""
    per_round = len(endpoints) // size
    results = []
    for client in range(buckets):
        shuffled = sorted(endpoints)
        random.Random(client // per_round).shuffle(shuffled)
        start = client % per_round * size
        results.append(frozenset(shuffled[start : start + size]))
    return tuple(results)


def _consecutive(endpoints: Sequence[str], size: int, buckets: int) -> _Subsets:
    """A start that is a random number of the client modulo n, and those that follow in the sorted list."""
    ring = sorted(endpoints) * 2
    starts = (random.Random(f"client-{client}").getrandbits(31) % len(endpoints) for client in range(buckets))
    return tuple(frozenset(ring[start : start + size]) for start in starts)


def _rendezvous(endpoints: Sequence[str], size: int, buckets: int) -> _Subsets:
    """The highest scores of each client, whatever the others have."""

    def score(client: int, endpoint: str) -> bytes:
        return blake2b(f"{client} {endpoint}".encode(), digest_size=8).digest()

    ranked = (sorted(endpoints, key=lambda e: score(client, e), reverse=True) for client in range(buckets))
    return tuple(frozenset(best[:size]) for best in ranked)


_WAYS: dict[str, _Way] = {
    "steerway": _steerway,
    "SRE book": _deterministic,
    "k8s-xds": _consecutive,
    "rendezvous": _rendezvous,
}


def _endpoints(seed: int, count: int) -> list[str]:
    numbers = random.Random(seed).sample(range(1 << 16), count)
    return [f"10.1.{number >> 8}.{number & 255}:8080" for number in numbers]


def _moved(before: _Subsets, after: _Subsets) -> int:
    return sum(len(new - old) for old, new in zip(before, after, strict=True))


def _spread(endpoints: Sequence[str], subsets: _Subsets) -> int:
    uses = Counter(endpoint for item in subsets for endpoint in item)
    return max(uses.values()) - min(uses[endpoint] for endpoint in endpoints)


def _measure(way: _Way, count: int, size: int) -> list[str]:
    """Mean and worst share moved times n, the widest spread and the microseconds of a call for all buckets."""
    shares: list[float] = []
    spread = 0
    nanoseconds: list[int] = []
    for seed in range(max(4, min(100, _ENDPOINT_TRIALS // count))):
        endpoints = _endpoints(seed, count + 1)
        way(endpoints, size, _BUCKETS)  # digests of addresses are kept: an endpoint is new only once
        start = perf_counter_ns()
        more = way(endpoints, size, _BUCKETS)
        nanoseconds.append(perf_counter_ns() - start)
        fewer = way(endpoints[:-1], size, _BUCKETS)
        unit = count / (size * _BUCKETS)
        shares += [_moved(fewer, more) * unit, _moved(more, fewer) * unit]
        spread = max(spread, _spread(endpoints, more), _spread(endpoints[:-1], fewer))
    mean = sum(shares) / len(shares)
    return [
        f"{mean:.2f}",
        f"{max(shares):.2f}",
        str(spread),
        f"{sorted(nanoseconds)[len(nanoseconds) // 2] // 1000:,}",
    ]


def main() -> None:
    """Measure every way at every size, and print one table."""
    table = Table("n", "k", "B", "way", title="One endpoint more or fewer")
    for heading in ("mean moved by n", "worst moved by n", "max - min", "median µs"):
        table.add_column(heading, justify="right")
    for count, size in _SIZES:
        for name, way in _WAYS.items():
            table.add_row(str(count), str(size), str(_BUCKETS), name, *_measure(way, count, size))
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
