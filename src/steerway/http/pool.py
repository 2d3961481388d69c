"""The open connections of one listener, and which of them is closed to make room for a new one."""

from typing import Protocol

from steerway import telemetry
from steerway.http.limit import LimitLog


class Member(Protocol):
    """A connection, as the pool sees it."""

    @property
    def peer(self) -> str: ...
    def abort(self) -> None:
        """Close at once; what is not sent is lost."""


class Pool:
    """At most `limit` connections. Those that wait for their client can be closed, the longest waiting one first;
    those that wait for an answer of this program cannot, and are kept below the limit (`may_answer`).
    """

    def __init__(self, limit: int, name: str, limits: LimitLog) -> None:
        self._limit = limit
        self._limits = limits
        self._gauge = telemetry.HTTP_CONNECTIONS.labels(name)
        self._open: set[Member] = set()
        self._waiting: dict[Member, None] = {}  # in the order in which they began to wait
        self._answers = limit - max(1, limit // 8)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def may_answer(self) -> bool:
        """Whether one more connection may wait for an answer, so that some stay free for probes."""
        return len(self._open) - len(self._waiting) <= self._answers

    @property
    def stuck(self) -> bool:
        """Whether every place is taken, and none by a connection that can be closed."""
        return len(self._open) >= self._limit and not self._waiting

    @property
    def batch(self) -> int:
        """How many connections may be accepted at once: few, so that new ones do not displace each other."""
        return max(1, self._limit // 8)

    def make_room(self, count: int = 1) -> None:
        """Close connections so that there are not too many with `count` more."""
        while len(self._open) + count > self._limit and self.close_longest_waiting("connections"):
            pass

    def close_longest_waiting(self, limit: str) -> bool:
        """Close the connection that waits longest for its client, because of `limit`; False when none waits."""
        if not self._waiting:
            return False
        member = next(iter(self._waiting))
        self._limits.exceeded(limit, member.peer)
        self.remove(member)
        member.abort()
        return True

    def add(self, member: Member) -> None:
        """A connection opened; it waits for the client's first request."""
        self._open.add(member)
        self._gauge.set(len(self._open))
        self.wait(member)

    def wait(self, member: Member) -> None:
        """A connection begins to wait for its client."""
        if member in self._open:
            self._waiting.pop(member, None)
            self._waiting[member] = None

    def answer(self, member: Member) -> None:
        """A connection has a request, and waits for this program's answer."""
        self._waiting.pop(member, None)

    def remove(self, member: Member) -> None:
        """A connection is closed. Idempotent."""
        self._open.discard(member)
        self._waiting.pop(member, None)
        self._gauge.set(len(self._open))

    def abort(self) -> None:
        """Close every connection."""
        for member in list(self._open):
            self.remove(member)
            member.abort()
