"""Turns at something scarce, shared fairly between the networks of clients (see `peer.network`).

Networks take turns round robin, and one holds a limited number of them: what a client waits for is at most one turn of
each other network, however many turns those wait for. Turns that come `first` (of clients with some proof already) are
given before all others, which never hold the reserved ones. The waiting are bounded; when there is no room, the newest
of the network with the most goes.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

_Waiter: TypeAlias = "asyncio.Future[None]"


class QueueFullError(Exception):
    """Too many wait, and those of this network are the most."""


class FairQueue:
    """See the module's docstring. To be used from one event loop."""

    def __init__(self, turns: int, *, by_network: int, max_waiting: int, reserved: int = 0) -> None:
        """`turns` are given at a time, `by_network` of them to one network, and `reserved` of them only to those that
        come `first`. `max_waiting`: of those that come first, and of the others."""
        self._free = turns
        self._free_for_others = turns - reserved
        self._by_network = by_network
        self._taken: Counter[str] = Counter()
        self._first = _Waiting(max_waiting)
        self._others = _Waiting(max_waiting)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._first) + len(self._others)

    @asynccontextmanager
    async def turn(self, network: str, *, first: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, and hold it. Raises QueueFullError."""
        waiting = self._first if first else self._others
        turn = waiting.add(network)
        self._give()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._take_back(network, first)
            else:
                waiting.discard(network, turn)

    def _give(self) -> None:
        while self._free:
            first = True
            turn = self._first.next(self._may_take)
            if turn is None and self._free_for_others > 0:
                first = False
                turn = self._others.next(self._may_take)
            if turn is None:
                return
            network, future = turn
            if not future.done():  # cancelled, and not taken out yet
                future.set_result(None)
                self._count(network, first, 1)

    def _take_back(self, network: str, first: bool) -> None:
        self._count(network, first, -1)
        if not self._taken[network]:
            del self._taken[network]
        self._give()

    def _count(self, network: str, first: bool, change: int) -> None:
        self._taken[network] += change
        self._free -= change
        if not first:
            self._free_for_others -= change

    def _may_take(self, network: str) -> bool:
        return self._taken[network] < self._by_network


class _Waiting:
    """Waiting futures by network; the network whose turn it is comes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._by_network: OrderedDict[str, OrderedDict[_Waiter, None]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def add(self, network: str) -> _Waiter:
        """Wait behind those of the same network. Raises QueueFullError."""
        if self._count >= self._most:
            self._make_room(network)
        turn: _Waiter = asyncio.get_running_loop().create_future()
        self._by_network.setdefault(network, OrderedDict())[turn] = None
        self._count += 1
        return turn

    def discard(self, network: str, turn: _Waiter) -> None:
        """Wait no longer. One that does not wait is ignored."""
        if turn in self._by_network.get(network, ()):
            self._remove(network, turn)

    def next(self, may_take: Callable[[str], bool]) -> tuple[str, _Waiter] | None:
        """Take out the oldest of the next network that may hold one more; None when there is none."""
        # No more networks are skipped than hold turns.
        for network, turns in self._by_network.items():
            if may_take(network):
                turn = next(iter(turns))
                self._by_network.move_to_end(network)
                self._remove(network, turn)
                return network, turn
        return None

    def _make_room(self, network: str) -> None:
        own = len(self._by_network.get(network, ()))
        networks = len(self._by_network) + (own == 0)
        if own >= self._most // networks:
            raise QueueFullError
        longest = max(self._by_network, key=lambda name: len(self._by_network[name]))
        newest = next(reversed(self._by_network[longest]))
        self._remove(longest, newest)
        if not newest.done():
            newest.set_exception(QueueFullError())

    def _remove(self, network: str, turn: _Waiter) -> None:
        turns = self._by_network[network]
        del turns[turn]
        self._count -= 1
        if not turns:
            del self._by_network[network]
