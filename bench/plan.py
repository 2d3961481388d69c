"""What a run does: how much load, which contestants, which scenarios, which changes. Frozen values; no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Layout = Literal["hot", "spread"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

WARM_UP_CHANGES = 3
"""Changes before the measured ones: allocators, branch predictors and Go's heap find their size."""


Protocol = Literal["sotw", "delta", "raw"]

ASSIGNMENT_NAMES = "svc-{}.bench.svc.cluster.local:50051"
"""What an assignment is called, with `{}` for the number of its service."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one client fleet does. `opening`: clients that may wait for their first answer at a time."""

    clients: int
    services: int
    endpoints: int
    layout: Layout = "hot"
    protocol: Protocol = "sotw"
    streams: int = 1
    opening: int = 128
    names: str = ASSIGNMENT_NAMES


@dataclass(frozen=True, slots=True)
class Change:
    """One endpoint gets a new address in each of `services`. `number` counts from 1 within a trial."""

    number: int
    address: str
    endpoint: int
    services: tuple[int, ...]

    @property
    def expect_line(self) -> str:
        """The command for the fleet before."""
        return " ".join(["expect", str(self.number), self.address, *map(str, self.services)])

    @property
    def set_line(self) -> str:
        """The command for a server that reads lines."""
        return " ".join(["set", self.address, str(self.endpoint), *map(str, self.services)])


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of one run. Each client has its own connection and subscribes to three services on each stream."""

    clients: int = 2000
    services: int = 300
    endpoints: int = 50
    changes: int = 20
    rounds: int = 2
    contestants: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()

    def load(self, layout: Layout, protocol: Protocol = "sotw") -> Load:
        """One stream for each client, connected little by little."""
        return Load(self.clients, self.services, self.endpoints, layout, protocol)

    def all_changes(self, layout: Layout) -> Iterator[Change]:
        """Warm-up and measured changes; each brings one update to every client.

        hot: service 0, which all clients hold. spread: in each block of three services one, so that a change
        is as many publications as there are blocks and each reaches only the clients of its block.
        """
        for number in range(1, WARM_UP_CHANGES + self.changes + 1):
            services: tuple[int, ...] = (0,)
            if layout == "spread":
                blocks = min(self.services // 3, self.clients)
                services = tuple(3 * block + number % 3 for block in range(blocks))
            address = f"10.200.{number >> 8}.{number & 255}"
            yield Change(number, address, number % self.endpoints, services)
