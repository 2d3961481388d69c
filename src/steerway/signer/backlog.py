"""The requests without an answer, in the order in which they are due: a pure value, `now` in seconds of any monotonic
clock.

A new request is due at once. One that stays pending, or whose answer could not be written, is due again after a wait
that doubles each time.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from steerway.signer.decision import Pending
from steerway.sources.objects.certificate_request import PodCertificateRequest
from steerway.sources.objects.slim import ObjectKey

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0


@dataclass(slots=True)
class Entry:
    """`arrived` and `due` are times; `attempts` counts those without an answer; `pending` is the result of the last,
    None if it failed."""

    request: PodCertificateRequest
    arrived: float
    due: float
    attempts: int = 0
    pending: Pending | None = None


class Backlog:
    """Requests by name."""

    def __init__(self) -> None:
        self._entries: dict[ObjectKey, Entry] = {}
        self._order: list[tuple[float, int, Entry]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def put(self, request: PodCertificateRequest, now: float) -> None:
        """A request was added or changed. One that is final needs no answer."""
        if request.is_final:
            self.remove(request.key)
            return
        known = self._entries.get(request.key)
        if known is not None and known.request.metadata.uid == request.metadata.uid:
            return  # nothing of it can change but its status
        entry = self._entries[request.key] = Entry(request, now, now)
        self._push(entry)

    def remove(self, key: ObjectKey) -> None:
        """The request is gone, or has its answer."""
        self._entries.pop(key, None)

    def take(self, now: float) -> Entry | None:
        """The request that is due first; it is not taken again before `postpone`."""
        self._drop()
        if not self._order or self._order[0][0] > now:
            return None
        return heapq.heappop(self._order)[2]

    def postpone(self, entry: Entry, now: float, pending: Pending | None = None) -> None:
        """It has no answer yet."""
        entry.due = now + min(FIRST_SECONDS * 2**entry.attempts, LONGEST_SECONDS)
        entry.attempts = min(entry.attempts + 1, 30)
        entry.pending = pending
        if self._is_present(entry):
            self._push(entry)

    def answer(self, entry: Entry) -> None:
        """It has its answer."""
        if self._is_present(entry):
            self.remove(entry.request.key)

    def next_due(self) -> float | None:
        """When the next request is due; None: there is none."""
        self._drop()
        return self._order[0][0] if self._order else None

    def _is_present(self, entry: Entry) -> bool:
        return self._entries.get(entry.request.key) is entry

    def _push(self, entry: Entry) -> None:
        self._number += 1
        heapq.heappush(self._order, (entry.due, self._number, entry))

    def _drop(self) -> None:
        """Remove requests from the front that are gone."""
        while self._order and not self._is_present(self._order[0][2]):
            heapq.heappop(self._order)
