"""The published state of the pods: what a Kubernetes control plane would publish about them at each moment.

Every change goes to DNS, to the manifests and to the ClusterIP in the same step, so that all fleets get the
same at the same time; what they make of it is what the demo measures.
"""

import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from demo.dns_server import HeadlessZone
from demo.manifests import Endpoint, Manifests


class State(enum.Enum):
    """Where a pod is in its life."""

    STARTING = "starting"
    READY = "ready"
    TERMINATING = "terminating"
    """Published as terminating; its preStop sleep runs, it still serves."""
    DRAINING = "draining"
    """It has had SIGTERM."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Event:
    """A pod changed its state; `at` is monotonic."""

    at: float
    name: str
    address: str
    state: State


class Cluster:
    """The pods of one Service, in the order of their creation, and everything that happened to them."""

    def __init__(self, zone: HeadlessZone, manifests: Manifests) -> None:
        self._zone = zone
        self._manifests = manifests
        self._followers: list[Callable[[Sequence[Endpoint]], None]] = []
        self._addresses: dict[str, str] = {}
        self.states: dict[str, State] = {}
        """Pod address → state."""
        self.events: list[Event] = []

    def set(self, name: str, address: str, state: State) -> None:
        """Record the new state of a pod and publish all of them."""
        self._addresses[address] = name
        self.states[address] = state
        self.events.append(Event(time.monotonic(), name, address, state))
        self._publish()

    def follow(self, publish: Callable[[Sequence[Endpoint]], None]) -> None:
        """Call `publish` with the published pods, now and after each change."""
        self._followers.append(publish)
        publish(self._published())

    def _published(self) -> list[Endpoint]:
        return [
            Endpoint(self._addresses[address], address, terminating=state is not State.READY)
            for address, state in self.states.items()
            if state in (State.READY, State.TERMINATING, State.DRAINING)
        ]

    def _publish(self) -> None:
        published = self._published()
        self._manifests.publish(published)
        self._zone.publish([endpoint.address for endpoint in published if not endpoint.terminating])
        for publish in self._followers:
            publish(published)
