"""A trace of the modules of translate that one call goes through."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from steerway import translate

_ROOT = Path(translate.__file__).parent
LEAVES = ("client/audience", "protobuf/message", "protobuf/packing", "resource_name")
"""Modules that call no other one of translate: values, names and messages."""


class ModuleTrace:
    """The entries of modules, in order, by the resource that is made, and before the first one by the wildcards that
    may see another name.

    An entry is a call out of another module of translate; the resumption of a generator is none.
    """

    def __init__(self) -> None:
        self._entries: list[str] = []
        self.resources = {"wildcards": self._entries}
        self._callers: list[str] = []
        self._frames: set[FrameType] = set()

    def run(self, call: Callable[[], Any]) -> None:
        """Trace one call."""
        sys.setprofile(self._event)
        try:
            call()
        finally:
            sys.setprofile(None)
            self._frames.clear()

    def counts(self) -> dict[str, Counter[str]]:
        """Of each resource how often its modules are entered."""
        return {name: Counter(entries) for name, entries in self.resources.items()}

    def _event(self, frame: FrameType, event: str, _arg: object) -> None:
        if event == "return" and self._callers:
            self._callers.pop()
        if event != "call":
            return
        caller = self._callers[-1] if self._callers else ""
        module = _module(frame) or caller
        self._callers.append(module)
        if frame in self._frames:
            return
        self._frames.add(frame)
        if frame.f_code.co_name == "_publish":
            key = frame.f_locals["key"]
            self._entries = self.resources.setdefault(
                f"{key.type_url.rpartition('.')[2]} for {key.audience.dialect}", []
            )
        elif module != caller:
            self._entries.append(module)


def _module(frame: FrameType) -> str:
    """The module of a frame without suffix, from the folder of translate on; "" for one elsewhere."""
    path = Path(frame.f_code.co_filename)
    return str(path.relative_to(_ROOT).with_suffix("")) if path.is_relative_to(_ROOT) else ""
