"""Zones as a real cluster has them: the EndpointSlice controller writes the hints, two nodes are in a zone each."""

from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import PORT, deployment
from testbed.manifest import service
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Steer

pytestmark = NEEDS_CLUSTER


def test_each_client_calls_the_pods_of_its_zone(namespace: Namespace, steer: Steer, connect: Connect) -> None:
    """PreferSameZone: a client without a zone calls them all."""
    ports, selector = {"grpc": PORT}, {"app": "backend"}
    spec = {"selector": selector, "trafficDistribution": "PreferSameZone"}
    namespace.api.apply(
        service("backend", ports, namespace=namespace.name, **spec), deployment("backend", namespace.name, 4)
    )
    pods = namespace.wait_for_pods("backend", 4)

    def hinted() -> dict[str, set[str]] | None:
        """Zone to the pods that its clients are to call, once all pods have a hint."""
        zones: dict[str, set[str]] = {}
        for item in namespace.api.list("EndpointSlice", namespace.name):
            for endpoint in item["endpoints"] or ():
                for zone in endpoint.get("hints", {}).get("forZones", ()):
                    zones.setdefault(zone["name"], set()).add(f"{endpoint['addresses'][0]}:{PORT}")
        return zones if set().union(*zones.values()) == set(pods.values()) else None

    zones = until(hinted, "hints for all pods") or {}
    assert len(zones) == 2, "the scheduler spreads them over both nodes"
    plane = steer()
    for zone, expected in (*zones.items(), ("", set(pods.values()))):
        channel = connect(plane, zone=zone).dial(namespace.target())
        channel.wait_for_answer()
        with channel.load() as load:
            load.settle(*expected)
            load.go_on(50)
        assert {answer.backend for answer in load.answers} == expected
