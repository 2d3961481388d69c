"""Which few of a service's many endpoints a client sees, so that not everybody connects to everything.

Clients are divided into buckets; those of one bucket see the same `size` endpoints. Over all buckets the endpoints
are used evenly: the counts of any two differ by one at most. When an endpoint comes or goes, about twice as many pairs
of bucket and endpoint change as must (on average about 2/n of them; `bench/subset.py` measures it).

What the obvious alternatives get wrong:

- Deterministic subsetting (Google's SRE book) shuffles all endpoints by a seed and cuts: even, but only where n is a
  multiple of the size, and one endpoint more shuffles everything anew.
- A random start in the sorted list and `size` consecutive ones (k8s-xds): the arcs overlap as chance has it, and the
  start is a random number modulo n, so that one endpoint more sends every client elsewhere too.
- The highest hash scores of each bucket (rendezvous hashing, gRFC A68): moves the least, but endpoints are as uneven as
  balls thrown into bins, and with few buckets that is very uneven.

Here each pair has a hash score as with rendezvous hashing, and of all assignments that are even the one with the
highest sum of scores is taken: the transportation problem, a bipartite b-matching. Its optimum does not depend on how
one gets there, and one endpoint more shifts it only along short exchange paths. All columns (buckets) have `size`
seats. Every endpoint has q + 1 units, where q = buckets * size // n; those that are to be in only q buckets give one
unit to one more column, the *bench*. Which these are is so decided by the matching, not by a rank of their own.

It does not know of weights, health, zones or how many clients a bucket has: a caller that needs those picks `endpoints`
first.

Sources: Google, "Site Reliability Engineering", chapter 20; gRFC A68; Thaler and Ravishankar, "Using name-based
mappings to increase hit rates"; Ahuja, Magnanti and Orlin, "Network Flows", chapter 9 (successive shortest paths).
"""

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from heapq import heapify, heappop, heappush

_DIGEST = struct.Struct("<16I")
_SCORE_BITS = 32
_FAR = 1 << 128
"""Longer than any path."""

_Row = Sequence[int]
"""What the columns are worth to an endpoint: one value for each bucket, and the last for the bench."""


def subset(endpoints: Sequence[str], size: int, bucket: int, buckets: int) -> frozenset[str]:
    """The endpoints that clients of `bucket` (0 to `buckets` - 1) see; their order does not matter."""
    if not 0 <= bucket < buckets:
        raise ValueError(f"bucket {bucket} is not one of {buckets}")
    names = tuple(sorted(set(endpoints)))
    return _of_bucket(names, columns(names, size, buckets), bucket)


def subsets(endpoints: Sequence[str], size: int, buckets: int) -> tuple[frozenset[str], ...]:
    """The same for all buckets."""
    names = tuple(sorted(set(endpoints)))
    bits = columns(names, size, buckets)
    return tuple(_of_bucket(names, bits, bucket) for bucket in range(buckets))


@lru_cache(maxsize=1 << 14)
def columns(endpoints: tuple[str, ...], size: int, buckets: int) -> tuple[int, ...]:
    """For each of the endpoints, which are sorted, the buckets that see it, as bits.

    Kept, since a service is asked for bucket by bucket, as clients come; thousands of services between two of one. It
    is small for that: some 2 kB for 50 endpoints.
    """
    if size >= len(endpoints):
        return ((1 << buckets) - 1,) * len(endpoints)
    if size <= 0:
        return (0,) * len(endpoints)
    matching = _opening([_scores(endpoint, buckets) for endpoint in endpoints], size, buckets)
    matching.settle()
    return tuple(matching.chosen)


def _of_bucket(endpoints: tuple[str, ...], bits: tuple[int, ...], bucket: int) -> frozenset[str]:
    return frozenset(e for e, seen_by in zip(endpoints, bits, strict=True) if seen_by >> bucket & 1)


@lru_cache(maxsize=1 << 16)
def _scores(endpoint: str, buckets: int) -> tuple[int, ...]:
    """The score of each bucket. It stays the same when there are more buckets. Never hash(): replicas must agree."""
    name = endpoint.encode()
    scores: list[int] = []
    for block in range(0, buckets, 16):
        scores += _DIGEST.unpack(blake2b(name, salt=block.to_bytes(4, "little")).digest())
    return tuple(scores[:buckets])


def _opening(scores: Sequence[_Row], size: int, buckets: int) -> "_Matching":
    """Every endpoint takes what it likes best, at prices at which hardly a bucket is wanted too often.

    Prices are the same for all, so whatever they are the optimum is too: good ones only leave less to settle.
    """
    demand, _, _ = _choices(scores, size, buckets)
    # Scores are evenly spread, so 1/n of their range turns about one endpoint away. A second round gains nothing.
    prices = [(wanted << _SCORE_BITS) // len(scores) for wanted in demand]
    rows = [[score - price for score, price in zip(row, prices, strict=True)] for row in scores]
    excess, chosen, bench = _choices(rows, size, buckets)
    return _Matching([(*row, bench) for row in rows], chosen, [*excess, 0])


def _choices(rows: Sequence[_Row], size: int, buckets: int) -> tuple[list[int], list[int], int]:
    """What is chosen when every bucket is open to all.

    By how many too many choose each bucket, the columns of each endpoint as bits, and the worth of the bench: such that
    exactly as many as must sit there.
    """
    quota, extras = divmod(buckets * size, len(rows))
    excess = [-size] * buckets
    chosen: list[int] = []
    last: list[tuple[int, int, int]] = []
    for e, row in enumerate(rows):
        best = sorted(range(buckets), key=row.__getitem__, reverse=True)
        last.append((row[best[quota]], e, best[quota]))
        chosen.append(_bits(best[:quota]))
        for bucket in best[:quota]:
            excess[bucket] += 1
    last.sort(reverse=True)
    for _, e, bucket in last[:extras]:
        chosen[e] |= 1 << bucket
        excess[bucket] += 1
    for _, e, _ in last[extras:]:
        chosen[e] |= 1 << buckets
    return excess, chosen, last[max(extras, 1) - 1][0]


def _bits(columns: Iterable[int]) -> int:
    return sum(1 << column for column in columns)


class _Matching:
    """An assignment that is the best of all with its number of endpoints in each column.

    Successive shortest paths: as long as a column has too many, one unit goes along the cheapest path of exchanges to a
    column that has too few. That keeps the assignment the best of its numbers, until they are as they should be.
    """

    def __init__(self, rows: Sequence[_Row], chosen: list[int], excess: list[int]) -> None:
        self.chosen = chosen
        self._rows = rows
        self._excess = excess
        self._columns = range(len(excess))
        self._prices = [0] * len(excess)
        # For column i and column j a heap of what it costs if an endpoint leaves i for j. Entries stay when the
        # endpoint has gone elsewhere, and are dropped when they come up.
        self._costs: list[list[list[tuple[int, int]]]] = [[[] for _ in excess] for _ in excess]

    def settle(self) -> None:
        """Exchange until every column has as many endpoints as it should."""
        if not any(self._excess):
            return
        self._fill()
        while any(self._excess):
            self._exchange(self._cheapest_path())

    def _fill(self) -> None:
        for e, (row, chosen) in enumerate(zip(self._rows, self.chosen, strict=True)):
            free = [(j, row[j]) for j in self._columns if not chosen >> j & 1]
            for i in self._columns:
                if chosen >> i & 1:
                    value, costs = row[i], self._costs[i]
                    for j, other in free:
                        costs[j].append((value - other, e))
        for costs in self._costs:
            for heap in costs:
                heapify(heap)

    def _cheapest_path(self) -> list[tuple[int, int, int]]:
        """Dijkstra from all columns with too many to the nearest with too few, as (endpoint, from, to)."""
        distance = [0 if excess > 0 else _FAR for excess in self._excess]
        step: dict[int, tuple[int, int, int]] = {}
        todo = set(self._columns)
        while True:
            i = min(todo, key=distance.__getitem__)
            if self._excess[i] < 0:
                break
            todo.remove(i)
            self._look_on(i, todo, distance, step)
        # With these prices no exchange is a gain again (Johnson's potentials): Dijkstra needs that the next time.
        self._prices = [price - min(d, distance[i]) for price, d in zip(self._prices, distance, strict=True)]
        path: list[tuple[int, int, int]] = []
        while i in step:
            path.append(step[i])
            i = step[i][1]
        return path

    def _look_on(
        self, i: int, todo: set[int], distance: list[int], step: dict[int, tuple[int, int, int]]
    ) -> None:
        """What is nearer by way of column i than it was."""
        chosen, prices = self.chosen, self._prices
        base, out = distance[i] - prices[i], 1 << i
        for j in todo:
            heap = self._costs[i][j]
            both = out | 1 << j
            while heap and chosen[heap[0][1]] & both != out:
                heappop(heap)
            if heap:
                reached = base + heap[0][0] + prices[j]
                if reached < distance[j]:
                    distance[j] = reached
                    step[j] = (heap[0][1], i, j)

    def _exchange(self, path: list[tuple[int, int, int]]) -> None:
        """Go along a path, which is given from its end."""
        self._excess[path[0][2]] += 1
        self._excess[path[-1][1]] -= 1
        for e, i, j in path:
            self.chosen[e] ^= 1 << i | 1 << j
        for e, i, j in path:
            row, chosen = self._rows[e], self.chosen[e]
            for other in self._columns:
                if chosen >> other & 1:
                    heappush(self._costs[other][i], (row[other] - row[i], e))
                else:
                    heappush(self._costs[j][other], (row[j] - row[other], e))
