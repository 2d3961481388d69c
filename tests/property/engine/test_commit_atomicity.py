"""Commits: a change of several objects is never seen in part, however its objects arrive.

The facts go from one good state to the next: routes move, and the Services, slices and grants that they need come and
go with them. A gRPC client that dials `front` must reach an endpoint through every commit on the way, as it does before
and after. Files show each state at once; the watches of an API server show its objects one by one, in any order within
the quiet time, while the next state may be on its way already.
"""

import itertools
import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import msgspec
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from steerway.config import DebounceSettings
from steerway.sources.committed import Committed
from steerway.sources.objects.core import EXPORT_ANNOTATION, EndpointSlice, Object, ObjectKey
from steerway.sources.store import Batch, Changes, ObjectStore
from steerway.sources.window import COMMIT_OBJECTS, Delay, Window
from steerway.translate.xds import type_url
from testbed.mesh import Mesh, endpoint_slice, service
from tests.support.example.route_example import backend, grant, grpc_route, parent, policy, rule

Facts = Mapping[ObjectKey, Object]
BACKENDS = (("v1", "shop"), ("v2", "shop"), ("v3", "shop"), ("far", "other"))
ENDPOINTS = Delay(DebounceSettings.endpoint_quiet_seconds, DebounceSettings.endpoint_max_seconds)
OTHERS = Delay(DebounceSettings.quiet_seconds, DebounceSettings.max_seconds)
SPREAD = OTHERS.quiet_seconds * 0.98
"""Within this time, in seconds, all objects of a change arrive."""


@dataclass(frozen=True)
class State:
    """`ports`: backend → the port of its Service, for those that exist. `routed`: those that the route names; none: no
    route."""

    ports: Mapping[tuple[str, str], int]
    routed: tuple[tuple[str, str], ...]
    attempts: int = 0

    def facts(self) -> Facts:
        made: list[Object] = [
            service(80, name="front"),
            endpoint_slice("10.0.0.1", name="front-1", service="front"),
        ]
        for (name, namespace), port in self.ports.items():
            svc = service(port, name=name, namespace=namespace)
            annotations = {EXPORT_ANNOTATION: "."} if namespace == "other" else None
            metadata = msgspec.structs.replace(svc.metadata, annotations=annotations)
            made.append(msgspec.structs.replace(svc, metadata=metadata))
            made.append(endpoint_slice("10.0.1.1", name=f"{name}-1", service=name, namespace=namespace))
        if self.routed:
            refs = (
                backend(name, port=self.ports[name, space], namespace=space) for name, space in self.routed
            )
            made.append(grpc_route(rule(*refs), parents=[parent("front")], name="front"))
        if ("far", "other") in self.routed:
            made.append(grant({"group": "", "kind": "Service"}, "shop", namespace="other", name="from-shop"))
        if self.attempts:
            made.append(
                policy(
                    target="front", name="front", retry={"codes": ["Unavailable"], "attempts": self.attempts}
                )
            )
        return {obj.key: obj for obj in made}


@st.composite
def states(draw: st.DrawFn) -> State:
    present = draw(st.sets(st.sampled_from(BACKENDS)))
    ports = {item: draw(st.sampled_from([80, 81])) for item in sorted(present)}
    routed = draw(st.sets(st.sampled_from(sorted(present)))) if present else set()
    return State(ports, tuple(sorted(routed)), draw(st.integers(0, 2)))


class Follower:
    """Store, window, catalog and translator, in virtual time, with one client of `front`."""

    def __init__(
        self, start: Facts, moments: Collection[Facts] = (), most: int = COMMIT_OBJECTS, partial: bool = False
    ) -> None:
        """`moments`: what may be committed; anything when there is none. `most`: objects of a commit. `partial`:
        whether further parts of a batch follow."""
        self.most, self.partial = most, partial
        self._moments = moments
        self.store = ObjectStore()
        self.store.register("source")
        self.now = 0.0
        self.store.apply("source", Batch(put=tuple(start.values())))
        self._mesh = Mesh(*start.values())
        catalog, facts = self._mesh.catalog, self._mesh.facts
        self._committed = Committed(self.store.get)
        self._window = Window(
            lambda key: catalog.owners(self.store.get, key),
            lambda key: catalog.references(self.store.get, key),
            lambda changed: catalog.keeps_endpoints(facts.get, self.store.get, changed),
            endpoints=ENDPOINTS,
            others=OTHERS,
        )
        self.store.listen(self.changed)
        self._check()

    def advance(self, until: float) -> None:
        """Commit what is due until then."""
        while (due := self._window.due) is not None and due <= until:
            self.now = due
            keys = self._window.take(due, self.most).keys
            self._committed.release(keys)
            there = {key: self.store.get(key) for key in keys}
            put = [new for new in there.values() if new is not None]
            self._mesh.update(
                *put, delete=[key for key in keys if there[key] is None and key in self._mesh.facts]
            )
            self._check()
        self.now = until

    def finish(self) -> None:
        """Commit everything: nothing waits without end, and what clients see is what the store has."""
        self.advance(self.now + 10 * OTHERS.max_wait_seconds)
        assert self._window.due is None
        assert self._mesh.facts == {obj.key: obj for obj in self.store.objects()}

    def changed(self, changes: Changes) -> None:
        """The store changed; nothing at the end of a batch in parts."""
        waiting = self._window.add(changes, self.now, self.partial)
        self._committed.keep({key: changes[key].before for key in waiting})

    def _check(self) -> None:
        assert not self._moments or self._mesh.facts in self._moments, "a mixture"
        for key in {*self._mesh.facts, *(obj.key for obj in self.store.objects())}:
            assert self._committed.get(key) == self._mesh.facts.get(key)
        for name, body in self._mesh.walk(
            "front:80"
        ).items():  # AbsentError: a route names what does not exist
            cluster = cluster_pb2.Cluster.FromString(body)
            assert cluster.type == cluster_pb2.Cluster.EDS, name
            assignment = self._mesh.get(type_url.ENDPOINT, cluster.eds_cluster_config.service_name)
            assert endpoint_pb2.ClusterLoadAssignment.FromString(assignment).endpoints, name


def events(before: Facts, after: Facts) -> Iterator[tuple[ObjectKey, Object | None]]:
    """What an API server sends of a change; a Service that goes loses its endpoints, then its slice."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, EndpointSlice) and new is None:
            yield key, msgspec.structs.replace(old, endpoints=[])
        if old != new:
            yield key, new


@given(st.lists(states(), min_size=2, max_size=5))
def test_a_swap_of_files_is_one_commit(history: list[State]) -> None:
    """Also swaps that follow each other faster than they are committed."""
    follower = Follower(history[0].facts(), [state.facts() for state in history])
    for index, state in enumerate(history[1:]):
        follower.advance(follower.now + (0.002 if index % 2 else 0.02))
        after = state.facts()
        gone = tuple(obj.key for obj in follower.store.objects() if obj.key not in after)
        follower.store.apply("source", Batch(put=tuple(after.values()), delete=gone, atomic=True))
    follower.finish()


@given(st.lists(states(), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_a_large_swap_of_files_is_committed_in_groups(history: list[State], order: random.Random) -> None:
    """As if each object were more than a commit takes, and the store got one after the other, also while groups of the
    swap before wait for their turn: the client sees no route without what it names."""
    follower = Follower(history[0].facts(), most=1)
    for state in history[1:]:
        follower.advance(follower.now + 0.02 * order.random())
        after = state.facts()
        changes = [
            key
            for key in {*after, *(obj.key for obj in follower.store.objects())}
            if after.get(key) != follower.store.get(key)
        ]
        order.shuffle(changes)
        follower.partial = True
        for key in changes:
            follower.now += 0.01
            follower.advance(follower.now)
            new = after.get(key)
            follower.store.apply("source", Batch((new,) if new else (), () if new else (key,), atomic=True))
        follower.partial = False
        follower.changed({})
    follower.finish()


MOVE = [
    State({("v1", "shop"): 80}, (("v1", "shop"),)),
    State({("v2", "shop"): 80}, (("v2", "shop"),)),
    State({("v3", "shop"): 80}, (("v3", "shop"),)),
]


@given(
    st.lists(states(), min_size=2, max_size=4),
    st.sampled_from([0.02, 0.06, 0.7]),
    st.randoms(use_true_random=False),
)
@example(MOVE, 0.02, None)
@example(MOVE, 0.7, None)
def test_watch_events_of_a_change_are_committed_together(
    history: list[State], gap: float, lags: random.Random | None
) -> None:
    """In any interleaving within the quiet time. Changes may overlap, as long as the maximum wait holds them all."""
    follower = Follower(history[0].facts())
    arrivals: list[tuple[float, int, ObjectKey, Object | None]] = []
    newest: dict[ObjectKey, float] = {}
    for number, (before, after) in enumerate(itertools.pairwise(history)):
        for key, new in events(before.facts(), after.facts()):
            lag = SPREAD * lags.random() if lags is not None else 0.0
            newest[key] = at = max(1 + number * gap + lag, newest.get(key, 0.0))
            arrivals.append((at, len(arrivals), key, new))
    for at, _, key, new in sorted(arrivals, key=lambda item: item[:2]):
        follower.advance(at)
        follower.store.apply("source", Batch(delete=(key,)) if new is None else Batch(put=(new,)))
    follower.finish()
