"""The logging of the test process, and putting it back."""

import contextlib
import logging
from collections.abc import Iterator

import structlog


@contextlib.contextmanager
def restored_logging() -> Iterator[None]:
    """Put the set-up of logging back afterwards: one that writes to a stream of a test must not outlive it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
