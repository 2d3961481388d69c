"""Groups: which changed objects of a large atomic batch are committed together.

A batch is committed whole, as the writer of the files wrote it. A large one would keep all else waiting, so it is
committed in groups: objects of one owner, with the owners that they refer to, before and after the change, as far as
these changed, too. A client that follows a route sees the route and the Services that it names change at once; Services
that nothing connects may change one after the other. Raw resources name others by any text, so a batch with one of them
is one group.
"""

from collections.abc import Collection, Hashable

from steerway.sources.objects.core import ObjectKey

_RAW = "XdsResource"


class Groups:
    """The keys of a batch by what links them. An added key costs a few microseconds, and some hundred bytes until all
    of the batch is taken."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, dict[ObjectKey, set[Hashable]]] = {}
        """Root → the keys of its group, each with its owners."""
        self._parents: dict[Hashable, Hashable] = {}
        """Owner → another one of its group; a root has itself."""
        self._referring: dict[Hashable, set[Hashable]] = {}
        """Owner of which nothing changed yet → the owners that refer to it."""
        self._owner: dict[ObjectKey, Hashable] = {}
        """Waiting key → one of its owners."""
        self._raw = False

    def add(self, key: ObjectKey, owners: Collection[Hashable], references: Collection[Hashable]) -> None:
        """An object changed. What is known of earlier changes of it still links it."""
        self._raw |= key.kind == _RAW
        first = self._owner.setdefault(key, next(iter(owners)))
        for owner in owners:
            if owner not in self._parents:
                self._parents[owner] = owner
                for other in self._referring.pop(owner, ()):
                    self._link(owner, other)
            self._link(first, owner)
        for reference in references:
            if reference in self._parents:
                self._link(first, reference)
            else:
                self._referring.setdefault(reference, set()).add(first)
        self._groups.setdefault(self._root(first), {}).setdefault(key, set()).update(owners)

    def take(self, most: int) -> dict[ObjectKey, set[Hashable]]:
        """Remove whole groups until they have at least `most` keys; key → its owners."""
        taken: dict[ObjectKey, set[Hashable]] = {}
        while self._groups and (self._raw or len(taken) < most):
            taken |= self._groups.popitem()[1]
        for key in taken:
            del self._owner[key]
        return taken

    def _link(self, left: Hashable, other: Hashable) -> None:
        larger, smaller = self._root(left), self._root(other)
        if larger == smaller:
            return
        if len(self._groups.get(larger, ())) < len(self._groups.get(smaller, ())):
            larger, smaller = smaller, larger
        self._parents[smaller] = larger
        if (moved := self._groups.pop(smaller, None)) is not None:
            self._groups.setdefault(larger, {}).update(moved)

    def _root(self, member: Hashable) -> Hashable:
        parents = self._parents
        while (above := parents[member]) != member:
            parents[member] = member = parents[above]  # halves the way for the next time
        return member
