"""SIGTERM and SIGINT, as events of the event loop: the first asks for an orderly end, the second for any end."""

import asyncio
import signal
from typing import Self


class Signals:
    """Two events, set while this context is open. After the second one, signals do again what they do by default."""

    _NUMBERS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()

    def __enter__(self) -> Self:
        for number in self._NUMBERS:
            asyncio.get_running_loop().add_signal_handler(number, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._NUMBERS:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _received(self) -> None:
        if self.first.is_set():
            self.second.set()
            self.__exit__()
        self.first.set()
