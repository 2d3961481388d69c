"""Slow truth: objects that come one by one, in any order, never leave a client with a stale or doubled endpoint.

Each step is one event of the API server, through store, catalog and translator to what is published. After each, what a
client of any service gets is held against a model that looks at the objects of that moment alone.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from envoy.config.core.v3 import health_check_pb2
from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.objects.core import EndpointSlice, Object, ObjectKey, Service, ServicePort
from steerway.sources.store import Batch, Changes, ObjectStore
from testbed.mesh import AbsentError, Mesh, addresses, endpoint_slice, service
from tests.support.model.endpoint_model import SPELLINGS, expected, slices_of, usable
from tests.support.model.random_mesh import endpoint_slices, services

TARGETS = [(name, namespace) for name in ("a", "svc") for namespace in ("shop", "svc")]
CLIENTS = ("grpc/unknown/shop", "grpc/core/shop")

START = [service(ServicePort(80, "grpc"), name=name, namespace="shop") for name in ("a", "svc")]
"""Two services of one namespace: most of what is drawn is about them, so that few steps are in vain."""
INDEX = st.integers(0, 20)
OBJECTS = st.sampled_from(START).flatmap(lambda of: endpoint_slices(of))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), OBJECTS),
        st.tuples(st.just("put"), OBJECTS),
        st.tuples(st.just("put"), services(placed=False) | endpoint_slices()),
        st.tuples(st.just("delete"), INDEX),
        st.tuples(st.just("recreate"), INDEX),
        st.tuples(st.just("rename port"), INDEX),
        st.tuples(st.just("change target port"), INDEX),
        st.tuples(st.just("move endpoints"), INDEX, INDEX, st.booleans()),
        st.tuples(st.just("scale"), INDEX, st.sampled_from([0, 3])),
    ),
    min_size=1,
    max_size=15,
)


class Cluster:
    """An API server's objects, one event at a time, and the mesh that follows them."""

    def __init__(self) -> None:
        self.store = ObjectStore()
        self.store.register("kubernetes")
        self.mesh = Mesh()
        self.store.listen(self._changed)

    def put(self, *objects: Object) -> None:
        self.store.apply("kubernetes", Batch(put=objects))

    def delete(self, key: ObjectKey) -> None:
        self.store.apply("kubernetes", Batch(delete=(key,)))

    def pick(self, kind: type[Any], index: int) -> Any:
        """Any one of the objects of a kind, or None."""
        objects = sorted((obj for obj in self.store.objects() if isinstance(obj, kind)), key=lambda o: o.key)
        return objects[index % len(objects)] if objects else None

    def _changed(self, keys: Changes) -> None:
        there = {key: self.store.get(key) for key in keys}
        put = [item for item in there.values() if item is not None]
        gone = [key for key, value in there.items() if value is None]
        self.mesh.update(*put, delete=gone)

    def check(self) -> None:
        """Every client of every port of every service gets what the objects define, and nothing without objects."""
        for name, namespace in TARGETS:
            fact = self.store.get(ObjectKey("Service", namespace, name))
            for number in (80, 50051):
                right = self._right(fact, number)
                for client in CLIENTS:
                    assert self._given(f"{name}.{namespace}:{number}", client) == right

    def _right(self, fact: Object | None, number: int) -> set[tuple[str, int]] | None:
        if not isinstance(fact, Service) or fact.spec.external_name == "10.0.0.1":
            return None
        if fact.spec.external_name is not None:
            return {(fact.spec.external_name, number)}
        ports = [p for p in fact.spec.ports or () if p.port == number and p.protocol in (None, "TCP")]
        if not ports:
            return None
        own = slices_of(fact, self.store.objects())
        return usable(expected(fact, own, ports[0].name or ""))

    def _given(self, target: str, client: str) -> set[tuple[str, int]] | None:
        try:
            assignment = self.mesh.assignment(target, client)
        except AbsentError:
            return None
        states = (health_check_pb2.HEALTHY, health_check_pb2.UNKNOWN)  # a host name has no state
        results = [address.rpartition(":") for state in states for address in addresses(assignment, state)]
        assert len(results) == len(set(results)), "no address twice"
        return {(SPELLINGS.get(host, host), int(port)) for host, _, port in results}


def _ports(slice_: EndpointSlice, **change: Any) -> EndpointSlice:
    ports = [msgspec.structs.replace(port, **change) for port in slice_.ports or ()]
    return msgspec.structs.replace(slice_, ports=ports)


def _apply(cluster: Cluster, step: Sequence[Any]) -> None:
    match step:
        case ("put", obj):
            cluster.put(obj)
        case ("delete", index):
            if (obj := cluster.pick(object, index)) is not None:
                cluster.delete(obj.key)
        case ("recreate", index):
            if (result := cluster.pick(Service, index)) is not None:
                cluster.delete(result.key)
                cluster.check()
                cluster.put(result)
        case ("rename port", index):
            # The controller writes the slices after the Service: in between nothing matches.
            if (result := cluster.pick(Service, index)) is not None and len(result.spec.ports or ()) == 1:
                port = msgspec.structs.replace(result.spec.ports[0], name="renamed")
                spec = msgspec.structs.replace(result.spec, ports=[port])
                cluster.put(msgspec.structs.replace(result, spec=spec))
                cluster.check()
                for item in slices_of(result, list(cluster.store.objects())):
                    cluster.put(_ports(item, name="renamed"))
                    cluster.check()
        case ("change target port", index):
            if (picked := cluster.pick(EndpointSlice, index)) is not None:
                cluster.put(_ports(picked, port=60061))
        case ("move endpoints", source, target, add_first):
            # Also between slices of two Services: an address that is used again.
            origin, other = cluster.pick(EndpointSlice, source), cluster.pick(EndpointSlice, target)
            if origin is None or origin.key == other.key or origin.address_type != other.address_type:
                return
            moved = [*(other.endpoints or ()), *(origin.endpoints or ())]
            changes = [
                msgspec.structs.replace(other, endpoints=moved),
                msgspec.structs.replace(origin, endpoints=[]),
            ]
            for change in changes if add_first else reversed(changes):
                cluster.put(change)
                cluster.check()
        case ("scale", index, size):
            if (picked := cluster.pick(EndpointSlice, index)) is not None:
                cluster.put(msgspec.structs.replace(picked, endpoints=(picked.endpoints or [])[:size]))


@given(STEPS)
def test_no_history_leaves_a_stale_or_doubled_endpoint(steps: list[tuple[Any, ...]]) -> None:
    """After every single event, for each kind of client."""
    cluster = Cluster()
    cluster.check()
    cluster.put(*START)
    for step in steps:
        _apply(cluster, step)
        cluster.check()


def test_a_thousand_endpoints_go_and_come_back() -> None:
    """In ten slices, which are written one by one: the clients have what is there at each moment, with equal bytes in
    the end."""
    pods = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    full = [
        endpoint_slice(*pods[first : first + 100], name=f"s{first}", service="a", port_name="grpc")
        for first in range(0, 1000, 100)
    ]
    cluster = Cluster()
    cluster.put(service(ServicePort(80, "grpc"), name="a"), *full)
    cluster.check()
    before = dict(cluster.mesh.published.entries)
    for item in full:
        cluster.put(msgspec.structs.replace(item, endpoints=[]))
        cluster.check()
    assert cluster.mesh.dial("a.shop:80") == []
    for item in reversed(full):
        cluster.put(item)
    cluster.check()
    assert cluster.mesh.published.entries == before
