"""The objects as of the last commit: the store, less the changes that still wait.

The store is always up to date, so the objects of one change that spans several watches enter it one by one. A stage
that reads the store while some of them wait sees a mixture that the cluster never had, such as a route that names a
Service of which the deletion has arrived and the replacement has not. It reads this view instead.
"""

from collections.abc import Callable, Iterable, Mapping

from steerway.sources.objects.core import Object, ObjectKey


class Committed:
    """`get` of the store, with the earlier object for each key that waits. Memory: one reference per waiting key."""

    def __init__(self, get: Callable[[ObjectKey], Object | None]) -> None:
        self._get = get
        self._before: dict[ObjectKey, Object | None] = {}

    def get(self, key: ObjectKey) -> Object | None:
        """The object as of the last commit; None when there was none."""
        return self._before[key] if key in self._before else self._get(key)

    def keep(self, before: Mapping[ObjectKey, Object | None]) -> None:
        """Keys changed and wait: show their earlier objects until `release`."""
        for key, earlier in before.items():
            self._before.setdefault(key, earlier)

    def release(self, keys: Iterable[ObjectKey]) -> None:
        """Keys are committed: show what the store has."""
        for key in keys:
            self._before.pop(key, None)
