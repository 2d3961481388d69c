"""A bounded list of entries: the oldest leave when there are too many, or when they take too much memory."""

from collections import deque

from steerway.journal.entry import Entry


class Ring:
    """At most `most` entries and `most_bytes` of memory; the newest entry always stays."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._entries: deque[tuple[Entry, int]] = deque()
        self._by_id: dict[int, Entry] = {}

    def append(self, entry: Entry) -> None:
        """Add the newest entry."""
        size = entry.size
        self._entries.append((entry, size))
        self._by_id[entry.id] = entry
        self._bytes += size
        while len(self._entries) > 1 and (len(self._entries) > self._most or self._bytes > self._most_bytes):
            oldest, freed = self._entries.popleft()
            del self._by_id[oldest.id]
            self._bytes -= freed

    def get(self, id_: int) -> Entry | None:
        """The entry, if it is still there."""
        return self._by_id.get(id_)

    def list(self) -> list[Entry]:
        """All, the oldest first."""
        return [entry for entry, _ in self._entries]
