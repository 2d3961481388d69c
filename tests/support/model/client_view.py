"""The assignment of some endpoints to one kind of client, in few words."""

from collections.abc import Sequence
from dataclasses import replace

from steerway.catalog.locality.assignment import ClientView, Group, assign
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality, Port, Service, ServiceId
from steerway.catalog.model.policy import NOTHING, Policy, ZoneMode, Zones

HEALTHY, DRAINING, UNREADY = EndpointState.HEALTHY, EndpointState.DRAINING, EndpointState.UNREADY
BUCKETS = 16
HERE = ClientView(ClientLocality("eu-1a", "n1"))


def some(
    zone: str, count: int, state: EndpointState = HEALTHY, cluster: int = 0, region: str = ""
) -> list[Endpoint]:
    """Endpoints that are called after their zone, state and cluster."""
    network = f"10.{cluster}.{sum(zone.encode()) % 256}"
    first = {HEALTHY: 1, DRAINING: 101, UNREADY: 201}[state]
    return [
        Endpoint(f"{network}.{first + number}", 80, state, Locality(region, zone), priority=cluster)
        for number in range(count)
    ]


def metadata(
    endpoints: Sequence[Endpoint], policy: Policy = NOTHING, client_view: ClientView = HERE, **service: object
) -> list[Group]:
    port = Port(80, endpoints=tuple(endpoints), policy=policy)
    whole = replace(Service(ServiceId("shop", "backend"), (port,)), **service)
    return assign(whole, port, endpoints, client_view)


def shown(groups: Sequence[Group]) -> list[tuple[int, str, int, int]]:
    """(priority, zone, weight, number of endpoints) of each group."""
    return [(group.priority, group.locality.zone, group.weight, len(group.endpoints)) for group in groups]


def states(groups: Sequence[Group]) -> list[EndpointState]:
    return [endpoint.state for group in groups for endpoint in group.endpoints]


def bucket(number: int, zone: str = "eu-1a") -> ClientView:
    return ClientView(ClientLocality(zone), number, BUCKETS)


def zoned(mode: ZoneMode, **fields: object) -> Policy:
    return Policy(zones=replace(Zones(mode), **fields))


THREE_ZONES = [*some("eu-1a", 2), *some("eu-1b", 3), *some("us-1a", 4)]
