"""Holding back what may be a mistake: an update that takes most or all endpoints of a port away.

Clients do not need the control plane to find out that an endpoint is dead; they do need it to have endpoints at all.
Where the service's policy sets it, the endpoints before the update are kept: while there is no ready one
(`KEEP_LAST`), and for a time while there are fewer than a share of them (`minimum_healthy_share`).

The previous endpoints are in the memory of a replica: one that starts meanwhile has none to keep.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic

from steerway.catalog.model.mesh import Endpoint, EndpointState, Port, Service, ServiceId
from steerway.catalog.model.policy import WhenEmpty

_ROUNDING = 1e-9
"""0.07 * 100 is a little more than 7, and 7 of 100 are not too few."""


class HoldDown:
    """What is held back, by service and port. `clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until: dict[ServiceId, dict[int, float]] = {}

    def apply(self, before: Service | None, now: Service) -> Service:
        """The service with its endpoints after hold-down; `before` is the previous result."""
        if not any(port.policy.safety for port in now.ports):
            self._until.pop(now.id, None)
            return now
        last = {port.number: port for port in before.ports} if before is not None else {}
        times: dict[int, float] = {}
        ports = tuple(self._evaluate_port(last.get(port.number), port, now.id, times) for port in now.ports)
        if times:
            self._until[now.id] = times
        else:
            self._until.pop(now.id, None)
        return replace(now, ports=ports)

    def due(self) -> list[ServiceId]:
        """Services whose hold-down has ended: they must be evaluated again."""
        now = self._clock()
        return [id for id, times in self._until.items() if any(until <= now for until in times.values())]

    def is_held_down(self, id: ServiceId) -> bool:
        """Whether endpoints of a service are kept."""
        return id in self._until

    def forget(self, id: ServiceId) -> None:
        """The service is gone."""
        self._until.pop(id, None)

    def _evaluate_port(self, before: Port | None, now: Port, id: ServiceId, times: dict[int, float]) -> Port:
        safety = now.policy.safety
        if safety is None or before is None:
            return now
        had, has = _ready(before.endpoints), _ready(now.endpoints)
        if not has and had and safety.when_empty is WhenEmpty.KEEP_LAST:
            times[now.number] = float("inf")
            return replace(now, endpoints=before.endpoints)
        if has >= safety.minimum_healthy_share * had - _ROUNDING:
            return now
        until = self._until.get(id, {}).get(now.number, float("inf"))
        if until == float("inf"):
            until = self._clock() + safety.hold_down_seconds
        if until <= self._clock():
            return now
        times[now.number] = until
        return replace(now, endpoints=before.endpoints)


def _ready(endpoints: Sequence[Endpoint]) -> int:
    return sum(endpoint.state is EndpointState.HEALTHY for endpoint in endpoints)
