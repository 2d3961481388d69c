"""The cyclic garbage collector of Python, kept from stopping the event loop after a bulk load.

A full collection visits every object that it follows, in one go, while every thread waits: half a second with the
objects of 11,000 Services. It runs whenever their number has grown by a quarter, so several times during a load. What a
load allocates is slim and without cycles: the reference counts free it. So no collection runs during a load, and what
is there at its end is not followed any more. The price is bounded: cyclic garbage that exists at the end of a bulk load
stays.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

BULK_OBJECTS = 1000
"""A load of fewer objects is left to the collector: that many are visited in some milliseconds."""

_lock = threading.Lock()
_loads = 0


@dataclass(slots=True)
class Load:
    """How many objects a load brought, as it knows at its end."""

    objects: int = 0


@contextmanager
def load() -> Iterator[Load]:
    """No collection inside, in any thread. Loads may overlap."""
    global _loads
    with _lock:
        _loads += 1
        gc.disable()
    current = Load()
    try:
        yield current
    finally:
        with _lock:
            _loads -= 1
            if current.objects >= BULK_OBJECTS:
                gc.freeze()
            if not _loads:
                gc.enable()
