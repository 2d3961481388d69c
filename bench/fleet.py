"""The client fleet (`load/`, a Rust program) as the driver sees it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import mesh
from bench.build import Programs
from bench.child import Child
from bench.plan import Change, Load
from bench.server.contestant import Server

_CONNECT_SECONDS = 120.0
_CHANGE_SECONDS = 30.0
_AGES_SECONDS = 30.0
_READY = re.compile(r"^ready (.+)$")
_ARMED = re.compile(r"^armed")
_AGED = re.compile(r"^aged (.+)$")
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


@dataclass(frozen=True, slots=True)
class Ages:
    """What stamped changes came to: how many updates, and how old each was when the client had it, in ms."""

    updates: int
    responses: int
    bytes: int
    p50_ms: float
    p99_ms: float
    last_ms: float

    @classmethod
    def parse(cls, words: str) -> "Ages":
        """From `key=value` words with ages in ns."""
        values = {key: int(value) for key, _, value in (word.partition("=") for word in words.split())}
        ages = (values[key] / 1e6 for key in ("p50", "p99", "last"))
        return cls(values["updates"], values["responses"], values["bytes"], *ages)


class Fleet:
    """Connected and answered clients. `connected` is their first round, since the start of the fleet."""

    def __init__(self, child: Child) -> None:
        self._child = child
        started = time.monotonic_ns()
        self.connected = Outcome.parse(child.hear(_READY, _CONNECT_SECONDS)[1], started)

    def follow(self, change: Change, apply: Callable[[Change], None]) -> Outcome:
        """Have the change made and wait until every subscriber has it; ChildError after 30 s."""
        self.expect(change)
        started = time.monotonic_ns()
        apply(change)
        return self._outcome(started)

    def expect(self, change: Change) -> None:
        """Have all clients wait for a change that comes later."""
        self._child.write_line(change.expect_line)
        self._child.hear(_ARMED, _CHANGE_SECONDS)

    def reconnect(self, address: str) -> Outcome:
        """All clients leave and come to another server at once; returns when each has the expected change."""
        started = time.monotonic_ns()
        self._child.write_line(f"reconnect {address}")
        return self._outcome(started)

    def _outcome(self, started: int) -> Outcome:
        return Outcome.parse(self._child.hear(_DONE, _CHANGE_SECONDS)[1], started)

    def watch(self) -> None:
        """Stamped changes follow."""
        self._child.write_line("watch")
        self._child.hear(_ARMED, _CHANGE_SECONDS)

    def ages(self) -> Ages:
        """What came of them so far."""
        self._child.write_line("ages")
        return Ages.parse(self._child.hear(_AGED, _AGES_SECONDS)[1])


@contextmanager
def connect(server: Server, load: Load, programs: Programs) -> Iterator[Fleet]:
    """A fleet of `load.clients`, each with an answer to its first request. Raises ChildError."""
    options: dict[str, object] = {
        "--server": server.address,
        "--clients": load.clients,
        "--opening": load.opening,
        "--protocol": load.protocol,
    }
    if load.protocol == "raw":
        options |= {"--bytes": mesh.update_bytes(load.endpoints)}
    else:
        options |= {"--layout": load.layout, "--streams": load.streams}
        options |= {"--services": load.services, "--endpoints": load.endpoints, "--names": load.names}
        if server.authority is not None:
            options["--tls"] = server.authority
    with Child([programs.fleet, *(str(part) for option in options.items() for part in option)]) as child:
        yield Fleet(child)
