"""The client fleet (`load/`, a Rust program) as the driver sees it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import mesh
from bench.build import Programs
from bench.child import Child
from bench.plan import Change, Layout, Plan

_CONNECT_SECONDS = 120.0
_CHANGE_SECONDS = 30.0
_READY = re.compile(r"^ready (.+)$")
_ARMED = re.compile(r"^armed (.+)$")
_DONE = re.compile(r"^done (.+)$")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round of the fleet. Times are what passed since the change, in ms."""

    updates: int
    responses: int
    resources: int
    bytes: int
    p50_ms: float
    p99_ms: float
    last_ms: float

    @classmethod
    def parse(cls, words: str, since_ns: int) -> "Outcome":
        """From `key=value` words with times of CLOCK_MONOTONIC in ns."""
        values = {key: int(value) for key, _, value in (word.partition("=") for word in words.split())}
        p50, p99, last = ((values[key] - since_ns) / 1e6 for key in ("p50", "p99", "last"))
        return cls(
            values["updates"], values["responses"], values["resources"], values["bytes"], p50, p99, last
        )


class Fleet:
    """Connected and answered clients. `connected` is their first round, since the start of the fleet."""

    def __init__(self, child: Child) -> None:
        self._child = child
        started = time.monotonic_ns()
        self.connected = Outcome.parse(child.hear(_READY, _CONNECT_SECONDS)[1], started)

    def follow(self, change: Change, apply: Callable[[Change], None]) -> Outcome:
        """Have the change made and wait until every subscriber has it; ChildError after 30 s."""
        self._child.say(change.expect_line)
        self._child.hear(_ARMED, _CHANGE_SECONDS)
        started = time.monotonic_ns()
        apply(change)
        return Outcome.parse(self._child.hear(_DONE, _CHANGE_SECONDS)[1], started)


@contextmanager
def connect(address: str, raw: bool, layout: Layout, plan: Plan, programs: Programs) -> Iterator[Fleet]:
    """A fleet of `plan.clients`, each with an answer to its first request. Raises ChildError."""
    options = {"--server": address, "--clients": plan.clients}
    if raw:
        options |= {"--protocol": "raw", "--bytes": mesh.update_bytes(plan.endpoints)}
    else:
        options |= {"--protocol": "xds", "--layout": layout}
        options |= {"--services": plan.services, "--endpoints": plan.endpoints}
    with Child([programs.fleet, *(str(part) for option in options.items() for part in option)]) as child:
        yield Fleet(child)
