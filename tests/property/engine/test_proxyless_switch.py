"""Removals over real streams: what a proxyless client uses is there until it has switched to what replaced it.

The client learns of the route from the listener, of clusters from the route and of assignments from the clusters, and
switches when it has all of them (gRFC A74). No timeout helps. (`rust/engine/tests/protocol/proxyless_model.rs` adds
incremental clients, refusals, and commits between any two responses.)
"""

import itertools
from dataclasses import dataclass

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from steerway.commit import Put
from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE
from testbed.xds_server import XdsServer, contents, put

CLUSTERS = ("a", "b", "c")
ROUTES = ("r", "s")
_RDS = "rds:"


@dataclass(frozen=True)
class Mesh:
    """What one commit makes of all: a listener, the route that it names ("": its routes are inside), clusters that the
    route leads to, and which of two assignments each cluster has."""

    route: str
    leads_to: frozenset[str]
    assignments: tuple[str, ...]

    @property
    def used(self) -> dict[str, str]:
        """Assignments by cluster."""
        return {
            name: name + it
            for name, it in zip(CLUSTERS, self.assignments, strict=True)
            if name in self.leads_to
        }

    def publish(self, server: XdsServer) -> None:
        clusters = "+".join(sorted(self.leads_to))
        named = tuple((CLUSTER, name) for name in sorted(self.leads_to))
        if self.route:
            entries: list[Put] = [
                put(LISTENER, "l", _RDS + self.route, references=((ROUTE, self.route),)),
                put(ROUTE, self.route, clusters, references=named),
            ]
        else:
            entries = [put(LISTENER, "l", clusters, references=named)]
        for name, assignment in self.used.items():
            entries.append(put(CLUSTER, name, assignment, references=((ENDPOINT, assignment),)))
            entries.append(put(ENDPOINT, assignment, "1"))
        known = {(entry.type_url, entry.name) for entry in entries}
        every = [(ROUTE, name) for name in ROUTES] + [(CLUSTER, name) for name in CLUSTERS]
        every += [(ENDPOINT, name + number) for name in CLUSTERS for number in "12"]
        server.publish(entries, [(*item, "", "no such thing") for item in every if item not in known])


MESHES = st.builds(
    Mesh,
    route=st.sampled_from(("", *ROUTES)),
    leads_to=st.frozensets(st.sampled_from(CLUSTERS), min_size=1),
    assignments=st.tuples(*[st.sampled_from("12")] * len(CLUSTERS)),
)


class Client:
    """A client of the listener `l`."""

    def __init__(self, client: AdsClient) -> None:
        self.stream = client.sotw()
        self.in_use: dict[str, str] = {}
        self._known: dict[str, dict[str, str]] = {item: {} for item in (LISTENER, ROUTE, CLUSTER, ENDPOINT)}
        self._asked: dict[str, set[str]] = {item: set() for item in self._known}
        self._markers = itertools.count()

    def settle(self, server: XdsServer) -> None:
        """Take all that is due: two markers, of the last type that is sent, with nothing in between are the end."""
        self._follow()
        name, quiet = f"marker-{next(self._markers)}", 0
        for number in itertools.count():
            server.publish([put(EXTENSION, name, str(number))])
            if number == 0:
                self.stream.request(EXTENSION, name)
            quiet += 1
            while (response := self.stream.read()).type_url != EXTENSION:
                self._take(response)
                quiet = 0
            self.stream.ack(response)
            if quiet == 2:
                return

    def _take(self, response: DiscoveryResponse) -> None:
        known = self._known[response.type_url]
        if response.type_url in (LISTENER, CLUSTER):
            known.clear()
        known |= {
            name: it for name, it in contents(response).items() if name in self._asked[response.type_url]
        }
        for cluster, assignment in self.in_use.items():
            assert cluster in self._known[CLUSTER], f"{cluster} is in use"
            assert assignment in self._known[ENDPOINT], f"{assignment} is in use"
        clusters = self._clusters()
        known = {name: self._known[CLUSTER].get(name, "") for name in clusters}
        if clusters and all(assignment in self._known[ENDPOINT] for assignment in known.values()):
            self.in_use = known
        self.stream.ack(response)
        self._follow()

    def _follow(self) -> None:
        """Ask for what is wanted now."""
        listener, clusters = self._known[LISTENER].get("l", ""), self._clusters()
        assignments = {self._known[CLUSTER][name] for name in clusters if name in self._known[CLUSTER]}
        wanted = {
            LISTENER: {"l"},
            ROUTE: {listener.removeprefix(_RDS)} if listener.startswith(_RDS) else set(),
            CLUSTER: clusters | self.in_use.keys(),
            ENDPOINT: assignments | set(self.in_use.values()),
        }
        for type_url, names in wanted.items():
            if names != self._asked[type_url]:
                self._asked[type_url] = names
                self._known[type_url] = {
                    name: it for name, it in self._known[type_url].items() if name in names
                }
                self.stream.request(type_url, *sorted(names))

    def _clusters(self) -> set[str]:
        """Those of the last listener and its route."""
        content = self._known[LISTENER].get("l", "")
        if content.startswith(_RDS):
            content = self._known[ROUTE].get(content.removeprefix(_RDS), "")
        return set(content.split("+")) - {""}


@settings(max_examples=40)
@given(st.lists(st.lists(MESHES, min_size=1, max_size=3), min_size=2, max_size=5))
def test_what_a_client_uses_is_there_until_it_has_switched(rounds: list[list[Mesh]]) -> None:
    """Commits of a round come in a row, before the client has taken the first one."""
    with XdsServer(unsubscribe_grace_seconds=3600, make_before_break_timeout_seconds=3600) as server:
        server.engine.set_serving(True)
        connection = AdsClient(server.address)
        client = Client(connection)
        for meshes in rounds:
            for mesh in meshes:
                mesh.publish(server)
            client.settle(server)
            assert client.in_use == meshes[-1].used
        connection.close()
