"""The cyclic garbage collector of Python, kept from stopping all threads for a bulk load.

A full collection visits every object that it follows, in one go, while every thread waits: half a second with the
objects of 11,000 Services. It runs whenever their number has grown by a quarter, so several times during a load. What
a load allocates is slim and without cycles: the reference counts free it. So no collection runs during a load, and
what is there at the end of a bulk is not followed any more. The price is bounded: cyclic garbage that exists at the
end of a bulk load stays.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BULK_OBJECTS = 1000
"""A load that brings fewer objects is followed afterwards: that many are visited in some milliseconds."""

_lock = threading.Lock()
_loads = 0


class Load:
    """A load, from here to its `end`; `objects` is how many it brought."""

    def __init__(self, objects: int = 0) -> None:
        global _loads
        self.objects = objects
        self._ended = False
        with _lock:
            _loads += 1
            gc.disable()

    def end(self) -> None:
        """Let the collector run, unless other loads do; only the first call counts. From any thread."""
        global _loads
        with _lock:
            if self._ended:
                return
            self._ended = True
            _loads -= 1
            if self.objects >= BULK_OBJECTS:
                gc.freeze()
            if not _loads:
                gc.enable()


@contextmanager
def load(objects: int = 0) -> Iterator[Load]:
    """No collection inside, in any thread. Loads may overlap. `objects`: how many it brings, where that is known."""
    current = Load(objects)
    try:
        yield current
    finally:
        current.end()
