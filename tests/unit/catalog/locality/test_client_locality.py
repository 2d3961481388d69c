"""Where clients are: pods and nodes by address, through all that may happen to an address."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerway.catalog.locality.client_locality import PodLocalities, PodLocality
from steerway.catalog.locality.pod_index import PodIndex
from steerway.sources.objects.core import (
    Node,
    NodeAddress,
    NodeMeta,
    NodeStatus,
    Object,
    ObjectKey,
    Pod,
    PodIP,
    PodMeta,
    PodSpec,
    PodStatus,
    Topology,
)

NODE = Node(
    NodeMeta("n1", Topology("zone-a", "region-1")),
    NodeStatus([NodeAddress("192.168.0.1"), NodeAddress("n1.example")]),
)


def pod(name: str, *addresses: str, phase: str = "Running", host: bool = False, **meta: Any) -> Pod:
    spec = PodSpec("n1", "web", host)
    return Pod(
        PodMeta(name, "shop", **meta), spec, PodStatus(phase, [PodIP(address) for address in addresses])
    )


class World:
    def __init__(self, *objects: Object) -> None:
        self.objects: dict[ObjectKey, Object] = {}
        self.index = PodIndex()
        self.localities = PodLocalities(self.index)
        self.put(*objects)

    def put(self, *objects: Object) -> None:
        self.objects |= {obj.key: obj for obj in objects}
        self.index.update(self.objects.get, [obj.key for obj in objects])

    def delete(self, *objects: Object) -> None:
        for obj in objects:
            del self.objects[obj.key]
        self.index.update(self.objects.get, [obj.key for obj in objects])


WEB = PodLocality("shop", "web-1", "web", "n1", "region-1", "zone-a", "Pod", "web-1")
HOST = PodLocality(node="n1", region="region-1", zone="zone-a")


@pytest.mark.parametrize(
    ("peer", "locality"),
    [
        ("10.0.0.7:4711", WEB),
        ("[::ffff:10.0.0.7]:4711", WEB),
        ("[fd00::7]:4711", WEB),
        ("[FD00:0::7]:4711", WEB),
        ("192.168.0.1:4711", HOST),
        ("10.0.0.8:4711", None),
        ("unix:/run/steerway.sock", None),
        ("", None),
    ],
)
def test_an_address_has_a_locality(peer: str, locality: PodLocality | None) -> None:
    world = World(NODE, pod("web-1", "10.0.0.7", "fd00::7"))
    assert world.localities.find(peer) == locality


def test_a_pod_on_the_network_of_its_host_is_not_distinguished() -> None:
    world = World(NODE, pod("agent", "192.168.0.1", host=True))
    assert world.localities.find("192.168.0.1:1") == HOST


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_has_no_address(phase: str) -> None:
    world = World(pod("job", "10.0.0.7"), NODE)
    world.put(pod("job", "10.0.0.7", phase=phase))
    assert world.localities.find("10.0.0.7:1") is None


def test_of_two_pods_with_one_address_the_one_that_stays_and_is_newer_has_it() -> None:
    going = pod(
        "a", "10.0.0.7", deletion_timestamp="2026-01-03T00:00:00Z", creation_timestamp="2026-01-02T00:00:00Z"
    )
    old, new = (
        pod(name, "10.0.0.7", creation_timestamp=f"2026-01-0{day}T00:00:00Z")
        for name, day in (("b", 1), ("c", 2))
    )
    world = World(going, new, old)
    for present in (new, old, going):
        result = world.localities.find("10.0.0.7:1")
        assert result is not None and result.pod == present.metadata.name
        world.delete(present)
    assert world.localities.find("10.0.0.7:1") is None


def test_a_node_that_is_not_known_yet_is_named() -> None:
    world = World(pod("web-1", "10.0.0.7"))
    assert world.localities.find("10.0.0.7:1") == WEB._replace(region="", zone="")
    world.put(NODE)
    assert world.localities.find("10.0.0.7:1") == WEB
    world.delete(NODE)
    assert world.localities.find("10.0.0.7:1") == WEB._replace(region="", zone="")


ADDRESSES = ("10.0.0.1", "10.0.0.2", "fd00::1")
PODS = st.builds(
    lambda name, addresses, phase, host: pod(name, *addresses, phase=phase, host=host),
    st.sampled_from("abc"),
    st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True),
    st.sampled_from(("Running", "Pending", "Failed")),
    st.booleans(),
)


@given(st.lists(st.one_of(PODS, st.sampled_from("abc"))))
def test_the_past_does_not_matter(history: list[Pod | str]) -> None:
    """A name stands for the end of that pod."""
    world = World(NODE)
    for step in history:
        if isinstance(step, Pod):
            world.put(step)
        elif (gone := world.objects.get(ObjectKey("Pod", "shop", step))) is not None:
            world.delete(gone)
    fresh = World(*world.objects.values())
    for address in ADDRESSES:
        assert set(map(id, world.index.pods(address))) == set(map(id, fresh.index.pods(address)))
        result = world.localities.find(f"{address}:1")
        # Equals in all that decides: either may have it.
        assert (result is None) == (fresh.localities.find(f"{address}:1") is None)
        if result is not None:
            holder = world.objects[ObjectKey("Pod", "shop", result.pod)]
            assert isinstance(holder, Pod)
            assert address in [pod_ip.ip for pod_ip in holder.status.pod_ips or ()]
            assert holder.status.phase != "Failed" and not holder.spec.host_network
