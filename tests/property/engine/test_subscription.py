"""The engine over real streams against a model that fits on a page: what clients see is what the store has.

A state-of-the-world stream and a delta stream subscribe to the same. Commits, subscriptions, refusals and
reconnects come in any order and at once; whenever all is quiet, both views are the store, cut to the subscription.
"""

import itertools
from collections.abc import Iterator

from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from steerway.testing.ads_client import AdsClient, DeltaStream, SotwStream
from steerway.translate.xds.type_url import CLUSTER, ENDPOINT, EXTENSION
from testbed.xds_server import XdsServer, contents, put

NAMES = ("a", "b", "c")
AUDIENCES = ("test", "")
"""That of both streams, and the wider one."""
FEATURES = ["xds.config.supports-resource-ttl", "xds.config.resource-in-sotw"]
ABSENT = None
QUIET_ROUNDS = 3

View = dict[str, str]
Commit = dict[tuple[str, str, str], str | None]
COMMITS = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from((CLUSTER, ENDPOINT)), st.sampled_from(NAMES), st.sampled_from(AUDIENCES)),
        st.sampled_from(("1", "2", "2@3600", "2@7200", ABSENT)),
        max_size=4,
    ),
    max_size=4,
)
SUBSCRIPTIONS = st.one_of(
    st.tuples(st.just(CLUSTER), st.frozensets(st.sampled_from((*NAMES, "*")))),
    st.tuples(st.just(ENDPOINT), st.frozensets(st.sampled_from(NAMES))),
)
ACCEPTS = st.lists(st.booleans(), min_size=1, max_size=5)


class Client:
    """What one client received, by type. What it refused counts, too: it does not receive the same again.

    `2@3600` is the content `2` that lives for an hour.
    """

    def __init__(self, stream: SotwStream | DeltaStream) -> None:
        self.stream = stream
        self.views: dict[str, View] = {CLUSTER: {}, ENDPOINT: {}}
        self.versions: dict[str, dict[str, str]] = {CLUSTER: {}, ENDPOINT: {}}
        self.subscribed: dict[str, frozenset[str]] = {CLUSTER: frozenset(), ENDPOINT: frozenset()}
        self.named: set[str] = set()
        """Types for which this stream named something: the others would begin with a wildcard."""

    def subscribe(self, type_url: str, names: frozenset[str]) -> None:
        """Want exactly these names, and drop what is no longer wanted."""
        before, self.subscribed[type_url] = self.subscribed[type_url], names
        if not names and type_url not in self.named:
            return
        self.named.add(type_url)
        if isinstance(self.stream, SotwStream):
            self.stream.request(type_url, *sorted(names))
        else:
            self.stream.request(type_url, *sorted(names - before), unsubscribe=sorted(before - names))
        self._cut(type_url)

    def reconnect(self, stream: SotwStream | DeltaStream) -> None:
        """Go on with another stream, with the subscriptions and the known versions."""
        self.stream.close()
        self.stream = stream
        self.named.clear()
        for type_url, names in self.subscribed.items():
            if not names:
                continue
            self.named.add(type_url)
            if isinstance(stream, SotwStream):
                stream.request(type_url, *sorted(names))
            else:
                known = {name: self.versions[type_url][name] for name in self.views[type_url]}
                stream.request(type_url, *sorted(names), initial_versions=known)

    def take(self, response: DiscoveryResponse | DeltaDiscoveryResponse) -> None:
        """Apply a response."""
        type_url, view = response.type_url, self.views[response.type_url]
        if isinstance(response, DeltaDiscoveryResponse):
            assert not set(contents(response)) & set(response.removed_resources), "in both lists"
            for name in response.removed_resources:
                view.pop(name, None)
            self.versions[type_url] |= {resource.name: resource.version for resource in response.resources}
            heartbeats = {
                resource.name: resource.ttl.seconds
                for resource in response.resources
                if not resource.HasField("resource")
            }
            for name, ttl in heartbeats.items():
                assert view[name].endswith(f"@{ttl}"), "a heartbeat is about what the client has"
        elif type_url == CLUSTER:
            view.clear()
        view |= contents(response)
        self._cut(type_url)

    def _cut(self, type_url: str) -> None:
        names = self.subscribed[type_url]
        if "*" not in names:
            self.views[type_url] = {
                name: content for name, content in self.views[type_url].items() if name in names
            }


class EngineMachine(RuleBasedStateMachine):
    """Hypothesis chooses what happens."""

    @initialize()
    def start(self) -> None:
        """An engine, and two streams on one connection."""
        # What waits for other types is the subject of rust/engine/tests/protocol/order_model.rs.
        self.server = XdsServer(unsubscribe_grace_seconds=3600, make_before_break_timeout_seconds=0)
        self.server.engine.set_serving(True)
        self.connection = AdsClient(self.server.address, Node(id="test", client_features=FEATURES))
        self.sotw, self.delta = Client(self.connection.sotw()), Client(self.connection.delta())
        self.store: Commit = {}
        self.complete = False
        self.published: set[tuple[str, str, str | None]] = set()
        self.accepts: Iterator[bool] = itertools.repeat(True)
        self.markers = itertools.count()

    @rule(subscription=SUBSCRIPTIONS, commits=COMMITS, commits_first=st.booleans(), accepts=ACCEPTS)
    def change(
        self,
        subscription: tuple[str, frozenset[str]],
        commits: list[Commit],
        commits_first: bool,
        accepts: list[bool],
    ) -> None:
        """A subscription and commits, with nothing read or answered in between."""
        self.accepts = itertools.cycle(accepts)
        if commits_first:
            self._publish(commits)
        for client in (self.sotw, self.delta):
            client.subscribe(*subscription)
        if not commits_first:
            self._publish(commits)

    @rule(commits=COMMITS, accepts=ACCEPTS)
    def publish(self, commits: list[Commit], accepts: list[bool]) -> None:
        """Commits that come faster than the clients answer."""
        self.accepts = itertools.cycle(accepts)
        self._publish(commits)

    @rule(
        type_url=st.sampled_from((CLUSTER, ENDPOINT)),
        name=st.sampled_from(NAMES),
        audience=st.sampled_from(AUDIENCES),
    )
    def forget(self, type_url: str, name: str, audience: str) -> None:
        """There is no longer an answer."""
        self.server.publish(forget=[(type_url, name, audience)])
        self.store.pop((type_url, name, audience), None)

    @rule(type_url=st.sampled_from((CLUSTER, ENDPOINT)), names=st.permutations(NAMES))
    def ask_before_answering(self, type_url: str, names: list[str]) -> None:
        """The delta client adds one name after the other and answers nothing meanwhile: each is answered at once."""
        client, responses = self.delta, []
        for name in names:
            wanted = client.subscribed[type_url]
            if name in wanted:
                continue
            client.subscribe(type_url, wanted | {name})
            answered, content = self._lookup(type_url, name)
            if answered:
                responses.append(response := client.stream.read())
                assert contents(response) == ({name: content} if content else {})
                assert list(response.removed_resources) == ([] if content else [name])
        self.sotw.subscribe(type_url, client.subscribed[type_url])
        for response in responses:
            client.take(response)
            client.stream.ack(response)

    @rule()
    def publish_all(self) -> None:
        """From now on wildcards have an answer."""
        self.server.publish(complete=[(CLUSTER, "test")])
        self.complete = True

    @rule(commits=COMMITS)
    def reconnect(self, commits: list[Commit]) -> None:
        """Both clients open new streams, and find that the world went on meanwhile."""
        self._publish(commits)
        self.sotw.reconnect(self.connection.sotw())
        self.delta.reconnect(self.connection.delta())

    @invariant()
    def both_see_the_store(self) -> None:
        """When all is quiet."""
        before = {type_url: dict(view) for type_url, view in self.delta.views.items()}
        for client in (self.sotw, self.delta):
            self._settle(client)
        for type_url in (CLUSTER, ENDPOINT):
            self._check_delta(type_url, before[type_url])
        self._check_full_state()
        wanted = self.sotw.subscribed[ENDPOINT]
        results = {name: content for name in wanted if (content := self._lookup(ENDPOINT, name)[1])}
        # State of the world cannot express that an endpoint resource is gone.
        assert self.sotw.views[ENDPOINT].items() >= results.items()

    def teardown(self) -> None:
        """Leave nothing running."""
        if hasattr(self, "server"):
            self.connection.close()
            self.server.stop()

    def _check_delta(self, type_url: str, before: View) -> None:
        """Each name for itself; a name without answer keeps what it has."""
        wanted, seen = self.delta.subscribed[type_url], self.delta.views[type_url]
        for name in NAMES:
            answered, content = self._lookup(type_url, name)
            if name not in wanted and "*" in wanted and not self.complete:
                # It was asked for by name before, and the answer to the wildcard is still to come.
                assert name not in seen or (type_url, name, seen[name]) in self.published
                continue
            if name in wanted and not answered:
                content = before.get(name)
            if name not in wanted and "*" not in wanted:
                content = None
            assert seen.get(name) == content, (type_url, name)

    def _check_full_state(self) -> None:
        """The whole set, or what was there when an answer began to lack."""
        wanted, seen = self.sotw.subscribed[CLUSTER], self.sotw.views[CLUSTER]
        answers = {name: self._lookup(CLUSTER, name) for name in NAMES}
        if all(answers[name][0] for name in wanted - {"*"}) and (self.complete or "*" not in wanted):
            covered = NAMES if "*" in wanted else wanted
            assert seen == {name: answers[name][1] for name in covered if answers[name][1]}
        else:
            assert {(CLUSTER, *item) for item in seen.items()} <= self.published

    def _lookup(self, type_url: str, name: str) -> tuple[bool, str | None]:
        """Whether there is an answer, and the content if there is any."""
        for audience in AUDIENCES:
            if (type_url, name, audience) in self.store:
                return True, self.store[type_url, name, audience]
        return False, None

    def _publish(self, commits: list[Commit]) -> None:
        for commit in commits:
            self.server.publish(
                [
                    put(type_url, name, value, of, ttl_seconds=float(ttl or 0))
                    for (type_url, name, of), content in commit.items()
                    if content
                    for value, _, ttl in [content.partition("@")]
                ],
                [(*key, "gone") for key, content in commit.items() if content is ABSENT],
            )
            self.store |= commit
            self.published |= {(type_url, name, content) for (type_url, name, _), content in commit.items()}

    def _settle(self, client: Client) -> None:
        """Read and answer all that is due.

        The server takes commits and requests in order, and the marker's type is the last that it sends. At the second
        marker all commits were looked at, at the third everything up to there was answered.
        """
        name = f"marker-{next(self.markers)}"
        for number in range(QUIET_ROUNDS):
            self.server.publish([put(EXTENSION, name, str(number))])
            if number == 0:
                client.stream.request(EXTENSION, name)
            while (response := client.stream.read()).type_url != EXTENSION:
                client.take(response)
                if next(self.accepts):
                    client.stream.ack(response)
                else:
                    client.stream.nack(response, "refused")
            assert contents(response) == {name: str(number)}
            client.stream.ack(response)


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow],
)
