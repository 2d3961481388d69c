"""The signals of the process, on the event loop.

SIGTERM and SIGINT are events: the first asks for an orderly end, the second for any end. SIGHUP asks for all files to
be read again. SIGUSR1 and SIGUSR2 have no meaning. None of these three ever ends the process, as they would by default.
"""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

import structlog

log = structlog.get_logger()

_ENDING = (signal.SIGTERM, signal.SIGINT)
_REREAD = signal.SIGHUP
_WITHOUT_MEANING = (signal.SIGUSR1, signal.SIGUSR2)


def ignore() -> None:
    """Let the signals that must not end the process pass unheeded until a `Signals` is open, and after it."""
    for number in (_REREAD, *_WITHOUT_MEANING):
        signal.signal(number, signal.SIG_IGN)


class Signals:
    """Two events, set while this context is open. After the second one, SIGTERM and SIGINT do again what they do by
    default. `reread` is called on SIGHUP."""

    def __init__(self, reread: Callable[[], None] = lambda: None) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self._reread = reread
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, self._received)
        for number in (_REREAD, *_WITHOUT_MEANING):
            self._before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self._passed, number)
        return self

    def __exit__(self, *_: object) -> None:
        self._end_by_default()
        for number, before in self._before.items():
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, before)

    def _end_by_default(self) -> None:
        for number in _ENDING:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _received(self) -> None:
        if self.first.is_set():
            self.second.set()
            self._end_by_default()
        self.first.set()

    def _passed(self, number: signal.Signals) -> None:
        if number == _REREAD:
            log.info("signal", signal=number.name, effect="files are read again; settings need a restart")
            self._reread()
        else:
            log.info("signal", signal=number.name, effect="none")
