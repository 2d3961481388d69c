"""Make before break over real streams: whatever proxies have taken so far, their routes lead somewhere.

Proxies of one node come, overlap and go: each new one takes over what another one holds, as a client does that loses
its stream or opens the next before it closes the last. Each takes all clusters, their endpoints and two routes, in the
order of its stream. What a route names must be there at every moment; whenever all is quiet, the proxies hold the mesh.
No timeout helps. (`rust/engine/tests/protocol/order_model.rs` adds refusals and times.)
"""

import itertools
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from steerway.testing.ads_client import AdsClient, DeltaStream, SotwStream
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, EXTENSION, ROUTE
from testbed.xds_server import XdsServer, contents, put

CLUSTERS = ("a", "b", "c", "d")
ROUTES = ("r", "s")
MAX_PROXIES = 3

Targets = frozenset[str]
TARGETS = st.frozensets(st.sampled_from(CLUSTERS), max_size=3)
"""Clusters that a route names."""


class Proxy:
    """What one stream received, and what the client has from another one."""

    def __init__(self, stream: SotwStream | DeltaStream, known: dict[str, dict[str, str]]) -> None:
        self.stream = stream
        self.known = {type_url: dict(known.get(type_url, {})) for type_url in (CLUSTER, ENDPOINT, ROUTE)}
        self._asked: set[str] = set(self.known[CLUSTER])
        self.warming: set[str] = set()
        """Clusters that came over delta, without their endpoints since: until then Envoy accepts no clusters."""
        self._withheld: list[DeltaDiscoveryResponse] = []

    def start(self, versions: dict[str, dict[str, str]]) -> None:
        """Subscribe, and send the versions that are there already."""
        self.versions = {type_url: dict(versions.get(type_url, {})) for type_url in self.known}
        for type_url, names in ((CLUSTER, []), (ENDPOINT, sorted(self._asked)), (ROUTE, list(ROUTES))):
            if type_url == ENDPOINT and not names:
                continue
            if isinstance(self.stream, SotwStream):
                self.stream.request(type_url, *names)
            else:
                known = {name: self.versions[type_url][name] for name in self.known[type_url]}
                self.stream.request(type_url, *names, initial_versions=known)

    def take(self, response: DiscoveryResponse | DeltaDiscoveryResponse) -> None:
        """Apply a response, ask for what follows from it, and accept it."""
        known = self.known[response.type_url]
        if isinstance(response, DeltaDiscoveryResponse):
            for name in response.removed_resources:
                known.pop(name, None)
            self.versions[response.type_url] |= {
                resource.name: resource.version for resource in response.resources
            }
        elif response.type_url == CLUSTER:
            known.clear()
        known |= contents(response)
        if response.type_url == CLUSTER:
            self._follow_clusters()
        if isinstance(response, DeltaDiscoveryResponse):
            self._warm(response)
        else:
            self.stream.ack(response)  # type: ignore[arg-type]
        self._check()

    def _warm(self, response: DeltaDiscoveryResponse) -> None:
        assert isinstance(self.stream, DeltaStream)
        if response.type_url == CLUSTER:
            self.warming |= set(contents(response))
            self._withheld.append(response)
        else:
            self.stream.ack(response)
        if response.type_url == ENDPOINT:
            self.warming -= {*contents(response), *response.removed_resources}
        self.warming &= set(self.known[CLUSTER])
        if not self.warming:
            for clusters in self._withheld:
                self.stream.ack(clusters)
            self._withheld.clear()

    def _follow_clusters(self) -> None:
        wanted = set(self.known[CLUSTER])
        asked, self._asked = self._asked, wanted
        if wanted == asked:
            return
        self.known[ENDPOINT] = {name: it for name, it in self.known[ENDPOINT].items() if name in wanted}
        if isinstance(self.stream, SotwStream):
            self.stream.request(ENDPOINT, *sorted(wanted))
        else:
            self.stream.request(ENDPOINT, *sorted(wanted - asked), unsubscribe=sorted(asked - wanted))

    def _check(self) -> None:
        for route, named in self.known[ROUTE].items():
            for cluster in named.split("+")[1:]:
                assert cluster in self.known[CLUSTER], f"{route} leads to {cluster}, which is not there"
                assert cluster in self.known[ENDPOINT], f"{route} leads to {cluster}, which has no endpoints"


class OrderMachine(RuleBasedStateMachine):
    """Hypothesis chooses what happens."""

    @initialize(sotw=st.booleans(), routes=st.tuples(TARGETS, TARGETS))
    def start(self, sotw: bool, routes: tuple[Targets, Targets]) -> None:
        """A mesh, and one proxy."""
        self.server = XdsServer(unsubscribe_grace_seconds=3600, make_before_break_timeout_seconds=3600)
        self.server.engine.set_serving(True)
        self.client = AdsClient(self.server.address)
        self.proxies: list[Proxy] = []
        self.markers = itertools.count()
        self.commit(routes, frozenset(), "1")
        self.server.publish(complete=[(CLUSTER, "")])
        self._open(sotw, {}, {})

    @rule(routes=st.tuples(TARGETS, TARGETS), idle=TARGETS, content=st.sampled_from("12"))
    def commit(self, routes: tuple[Targets, Targets], idle: Targets, content: str) -> None:
        """Another mesh, as a whole; `idle` clusters are there and no route leads to them."""
        there = routes[0] | routes[1] | idle
        self.mesh: dict[str, dict[str, str]] = {
            CLUSTER: dict.fromkeys(there, content),
            ENDPOINT: dict.fromkeys(there, content),
            ROUTE: {name: "+".join(["", *sorted(named)]) for name, named in zip(ROUTES, routes, strict=True)},
        }
        named = {
            name: tuple((CLUSTER, to) for to in sorted(to)) for name, to in zip(ROUTES, routes, strict=True)
        }
        gone = sorted(set(CLUSTERS) - there)
        self.server.publish(
            [put(ROUTE, name, to, references=named[name]) for name, to in self.mesh[ROUTE].items()]
            + [put(CLUSTER, name, content, references=((ENDPOINT, name),)) for name in sorted(there)]
            + [put(ENDPOINT, name, content) for name in sorted(there)],
            [(ENDPOINT, name, "", "no such service") for name in gone],
            [(CLUSTER, name, "") for name in gone],
        )

    @rule(data=st.data(), sotw=st.booleans())
    @precondition(lambda self: len(self.proxies) < MAX_PROXIES)
    def overlap(self, data: st.DataObject, sotw: bool) -> None:
        """A new stream beside the one that it follows."""
        before: Proxy = data.draw(st.sampled_from(self.proxies))
        retained = not sotw and isinstance(before.stream, DeltaStream)
        self._open(sotw, before.known if retained else {}, before.versions)
        if retained:
            # "what is current is not sent again"
            assert self._settle(self.proxies[-1]) == 0

    @rule()
    @precondition(lambda self: len(self.proxies) > 1)
    def close(self) -> None:
        """The oldest stream ends."""
        self.proxies.pop(0).stream.close()

    @invariant()
    def all_hold_the_mesh(self) -> None:
        """When all is quiet. The proxies look after each response that nothing leads nowhere."""
        for proxy in self.proxies:
            self._settle(proxy)
            assert proxy.known == self.mesh
            assert not proxy.warming

    def teardown(self) -> None:
        """Leave nothing running."""
        if hasattr(self, "server"):
            self.client.close()
            self.server.stop()

    def _open(self, sotw: bool, known: dict[str, Any], versions: dict[str, Any]) -> None:
        proxy = Proxy(self.client.sotw() if sotw else self.client.delta(), known)
        proxy.start(versions)
        self.proxies.append(proxy)

    def _settle(self, proxy: Proxy) -> int:
        """Take all that is due; returns how many resources came.

        The marker's type is the last that is sent. What an answer to anything before one marker brings comes before the
        next one: two of them with nothing in between are the end.
        """
        name, resources, quiet = f"marker-{next(self.markers)}", 0, 0
        for number in itertools.count():
            self.server.publish([put(EXTENSION, name, str(number))])
            if number == 0:
                proxy.stream.request(EXTENSION, name)
            quiet += 1
            while (response := proxy.stream.read()).type_url != EXTENSION:
                proxy.take(response)
                resources += len(response.resources)
                quiet = 0
            assert contents(response) == {name: str(number)}
            proxy.stream.ack(response)
            if quiet == 2:
                return resources
        raise AssertionError


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = settings(
    max_examples=25,
    stateful_step_count=12,
    suppress_health_check=[HealthCheck.too_slow],
)
