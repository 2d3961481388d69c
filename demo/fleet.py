"""A client fleet as the parent sees it: the process that sends the load and the results that it reports."""

import json
import sys
from bisect import bisect_left
from dataclasses import dataclass, field

from demo.child import Child, Children, DemoError
from demo.measure import OK, Record
from demo.plan import Plan

_CONNECT_SECONDS = 40.0
_SILENCE_SECONDS = 15.0
"""A fleet reports every 0.1 s, errors too; one that is silent for so long hangs."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How the clients of a fleet find and choose backends."""

    label: str
    """In a few words, for titles."""
    policy: str
    """The gRPC load balancing policy of its clients."""


FLEETS = {
    # gRPC's default policy: a name with one address offers no choice.
    "clusterip": Kind("ClusterIP, kube-proxy", "pick_first"),
    "dns": Kind("headless Service, DNS", "round_robin"),
    "xds": Kind("xDS, steerway", "round_robin"),
}
"""Every fleet by name, in the order in which they are shown."""


@dataclass(slots=True)
class Fleet:
    """One fleet: `name` is a name of `FLEETS`, `records` grows while it runs."""

    name: str
    target: str
    _child: Child
    records: list[Record] = field(default_factory=list)
    max_late_seconds: float = 0.0
    """How late its latest request was sent: what the machine's load adds to the figures."""
    details: dict[str, str] = field(default_factory=dict)
    """The first error text of each status code."""

    @property
    def kind(self) -> Kind:
        """How its clients find and choose backends."""
        return FLEETS[self.name]

    def ended_since(self, begin: float) -> list[Record]:
        """The results of requests that ended at `begin` seconds of the run or later."""
        # Clients report in the order in which requests end.
        return self.records[bisect_left(self.records, begin, key=lambda record: record.done) :]

    def successes(self, begin: float, end: float) -> list[Record]:
        """The successful requests that ended in [begin, end), in seconds of the run."""
        return [record for record in self.ended_since(begin) if record.done < end and record.code == OK]

    async def wait_until_connected(self) -> None:
        """Return when every client of the fleet has had its first answer."""
        await self._child.read_line(_CONNECT_SECONDS)

    async def run(self, start: float) -> None:
        """Let the load begin at the monotonic time `start` and collect results until the last one."""
        self._child.write_line(repr(start))
        while True:
            message = json.loads(await self._child.read_line(_SILENCE_SECONDS))
            if isinstance(message, dict):
                self._child.ending = True
                self.max_late_seconds = message["max_late_seconds"]
                self.details = message["details"]
                return
            self.records += [Record(*result) for result in message]


async def start_fleet(name: str, target: str, children: Children, plan: Plan, **environment: str) -> Fleet:
    """Start the process of one fleet; it connects at once but sends no load yet."""
    arguments = (target, FLEETS[name].policy, plan.rate, plan.seconds, plan.deadline_seconds, plan.clients)
    command = [sys.executable, "-m", "demo.client", *(str(argument) for argument in arguments)]
    return Fleet(name, target, await children.start(f"{name} fleet", command, **environment))


async def connect(fleets: list[Fleet]) -> None:
    """Wait until all fleets are connected; DemoError names the one that is not."""
    for fleet in fleets:
        try:
            await fleet.wait_until_connected()
        except DemoError as error:
            raise DemoError(f"the {fleet.name} fleet could not connect to {fleet.target}: {error}") from error
