"""Authentication by the address of a pod: each state that an address can be in, and each race."""

import asyncio
import datetime
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from steerway.access.identity import of_pod
from steerway.access.local import ClientCertificate
from steerway.access.pod_address import MAX_OUTAGE_SECONDS, SETTLE_SECONDS, PodAddress
from steerway.access.result import (
    UNAUTHENTICATED,
    UNAVAILABLE,
    AuthenticationResult,
    Authenticator,
    Credential,
    Refusal,
)
from steerway.catalog.locality.pod_index import PodIndex
from steerway.peer import Transport
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
)

TIMEOUT_SECONDS = 10.0
NOW = 1_800_000_000.0
WEB = of_pod("shop", "web")
NODE = Node(NodeMeta("n1"), NodeStatus([NodeAddress("192.168.0.1")]))
ADDRESS = "10.0.0.7"


class Clock:
    """The clock of the running loop, which a test moves forward: waits of seconds end at once."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._ahead_seconds = 0.0

    def time(self) -> float:
        return self._time() + self._ahead_seconds

    async def forward(self, seconds: float) -> None:
        """Timers up to then are due."""
        self._ahead_seconds += seconds
        await turn()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    loop = asyncio.get_running_loop()
    made = Clock(loop.time)
    monkeypatch.setattr(loop, "time", made.time)
    return made


def pod(
    name: str = "web-1",
    *addresses: str,
    account: str = "web",
    phase: str = "Running",
    host: bool = False,
    deleted: float | None = None,
) -> Pod:
    """`deleted`: when its grace period ends, in seconds from now."""
    stamp = None
    if deleted is not None:
        stamp = (
            datetime.datetime.fromtimestamp(NOW + deleted, datetime.UTC).isoformat().replace("+00:00", "Z")
        )
    return Pod(
        PodMeta(name, "shop", deletion_timestamp=stamp),
        PodSpec("n1", account, host),
        PodStatus(phase, [PodIP(address) for address in addresses or (ADDRESS,)]),
    )


class World:
    """The Pods that steerway knows, and clients that connect."""

    def __init__(
        self,
        *objects: Object,
        transports: tuple[Transport, ...] = ("plaintext",),
        others: tuple[Authenticator, ...] = (),
        scope: str = "",
    ) -> None:
        self.objects: dict[ObjectKey, Object] = {}
        self.index = PodIndex()
        self.outage_seconds: float | None = None
        self.outages: dict[str, float | None] = {}
        self.authenticator = PodAddress(
            self.index, self._outage, transports, others, TIMEOUT_SECONDS, scope, lambda: NOW
        )
        self.put(*objects)

    def _outage(self, namespace: str) -> float | None:
        return self.outages.get(namespace, self.outage_seconds)

    def put(self, *objects: Object) -> None:
        self.objects |= {obj.key: obj for obj in objects}
        self.index.update(self.objects.get, [obj.key for obj in objects])

    def delete(self, *objects: Object) -> None:
        for obj in objects:
            del self.objects[obj.key]
        self.index.update(self.objects.get, [obj.key for obj in objects])

    def ask(self, peer: str = f"{ADDRESS}:4711") -> AuthenticationResult | Awaitable[AuthenticationResult]:
        return self.authenticator.authenticate(Credential(transport="plaintext", peer=peer))

    def refusal(self, peer: str = f"{ADDRESS}:4711") -> Refusal:
        """The refusal at once."""
        result = self.ask(peer)
        assert isinstance(result, Refusal)
        return result

    async def connect(self, peer: str = f"{ADDRESS}:4711") -> "asyncio.Task[AuthenticationResult]":
        """A client that waits."""
        pending = self.ask(peer)
        assert isinstance(pending, Awaitable)
        waiting = asyncio.ensure_future(_settled(pending))
        await turn()
        assert not waiting.done()
        return waiting

    async def refused(self, clock: Clock, peer: str = f"{ADDRESS}:4711") -> Refusal:
        """The refusal of a client that waited until the timeout."""
        waiting = await self.connect(peer)
        await clock.forward(TIMEOUT_SECONDS)
        result = await waiting
        assert isinstance(result, Refusal)
        assert not self.waiting
        return result

    @property
    def waiting(self) -> Any:
        return self.authenticator._waiting


async def _settled(pending: Awaitable[AuthenticationResult]) -> AuthenticationResult:
    return await pending


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "peer", ["10.0.0.7:4711", "[::ffff:10.0.0.7]:4711", "[fd00::7]:4711", "[FD00:0::7]:4711"]
)
def test_the_pod_at_the_address_is_the_identity(peer: str) -> None:
    """In both families of a pod, in each spelling. Rules apply to it as to a token's."""
    assert World(NODE, pod("web-1", "10.0.0.7", "fd00::7")).ask(peer) == WEB
    assert (str(WEB), WEB.kind) == ("service account shop/web", "pod_address")


def test_a_pod_whose_init_containers_run_is_known() -> None:
    """Sidecars and init containers are clients, too."""
    assert World(pod(phase="Pending")).ask() == WEB


@pytest.mark.parametrize("known", [(NODE,), (pod("agent", "192.168.0.1", host=True),)])
def test_the_address_of_a_node_is_no_pod(known: tuple[Object, ...]) -> None:
    """All pods on the host's network share it, and connections that the node masquerades have it."""
    refusal = World(*known).refusal("192.168.0.1:4711")
    assert refusal.code == UNAUTHENTICATED
    assert "192.168.0.1" in refusal.client_message
    assert "without hostNetwork, proxy or NAT" in refusal.client_message
    assert "node n1" in refusal.reason
    assert "n1" not in refusal.client_message, "a client learns no names"


async def test_an_address_of_a_node_and_of_a_pod_is_refused(clock: Clock) -> None:
    """One of them is out of date; either may be right."""
    world = World(NODE, pod("web-1", "192.168.0.1"))
    assert "node n1 and pod shop/web-1 have it" in (await world.refused(clock, "192.168.0.1:1")).reason


def test_a_pod_without_a_service_account_is_refused() -> None:
    """A mirror pod, which a kubelet reports."""
    assert "pod shop/web-1 has no service account" in World(pod(account="")).refusal().reason


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Unknown", ""])
async def test_a_pod_that_does_not_run_is_refused(clock: Clock, phase: str) -> None:
    """Its address may be another pod's by now."""
    refusal = await World(pod(phase=phase)).refused(clock)
    assert (refusal.code, "no running pod has it" in refusal.reason) == (UNAUTHENTICATED, True)


async def test_an_address_of_no_pod_is_refused(clock: Clock) -> None:
    """After the time in which its Pod would have come. The message names the address and the fix."""
    refusal = await World(NODE, pod()).refused(clock, "10.0.0.8:4711")
    assert refusal.code == UNAUTHENTICATED
    assert refusal.client_message == (
        "the address 10.0.0.8 does not identify one pod: connect from a pod without hostNetwork, proxy or NAT in"
        " between, or present another credential"
    )


async def test_pods_of_other_namespaces_are_not_known(clock: Clock) -> None:
    """The reason names the setting."""
    refusal = await World(scope=" of the namespaces in kubernetes.namespaces").refused(clock)
    assert refusal.reason.endswith("no running pod of the namespaces in kubernetes.namespaces has it")


async def test_two_pods_with_one_address_are_refused(clock: Clock) -> None:
    """Until one of them is gone."""
    other = pod("pay-1", account="pay")
    world = World(pod(), other)
    refusal = await world.refused(clock)
    assert (refusal.code, "pod shop/pay-1 and pod shop/web-1 have it" in refusal.reason) == (
        UNAUTHENTICATED,
        True,
    )
    waiting = await world.connect()
    world.delete(other)
    assert await waiting == WEB


async def test_a_client_waits_for_its_pod() -> None:
    """The watch event of a new pod comes after its first connection."""
    world = World()
    waiting = [await world.connect() for _ in range(3)]
    world.put(pod("other", "10.0.0.8"))
    await turn()
    assert not any(client.done() for client in waiting), "another address"
    world.put(pod())
    await turn()
    assert [client.result() for client in waiting] == [WEB] * 3
    assert not world.waiting


async def test_a_client_that_leaves_waits_no_more() -> None:
    """Nor does it end the wait of others."""
    world = World()
    leaving, staying = await world.connect(), await world.connect()
    leaving.cancel()
    await turn()
    world.put(pod())
    assert await staying == WEB
    assert not world.waiting


async def test_a_reused_address_belongs_to_the_pod_that_stays() -> None:
    """The old Pod is in the store until the kubelet has cleaned up."""
    old, new = pod("old", deleted=20), pod("new", account="pay")
    assert World(old, new).ask() == of_pod("shop", "pay")


async def test_a_pod_that_is_being_deleted_keeps_its_address_after_a_moment(clock: Clock) -> None:
    """It may open streams until its grace period ends; the pause is for the event of a pod that has the address."""
    world = World(pod(deleted=20))
    waiting = await world.connect()
    await clock.forward(SETTLE_SECONDS - 0.5)
    assert not waiting.done()
    await clock.forward(0.5)
    assert await waiting == WEB
    waiting = await world.connect()
    world.put(pod("new", account="pay"))
    assert await waiting == world.ask() == of_pod("shop", "pay"), "never the old pod"


async def test_a_pod_that_ends_while_a_client_waits_is_refused(clock: Clock) -> None:
    """The client of the next pod at the address, whose event has not come yet."""
    world = World(pod(deleted=20))
    waiting = await world.connect()
    world.put(pod(phase="Succeeded", deleted=20))
    await clock.forward(TIMEOUT_SECONDS)
    result = await waiting
    assert isinstance(result, Refusal)
    assert result.code == UNAUTHENTICATED


async def test_a_pod_whose_grace_period_has_ended_is_refused(clock: Clock) -> None:
    """Its processes have been killed."""
    refusal = await World(pod(deleted=-1)).refused(clock)
    assert "no running pod has it (pod shop/web-1 should have ended by now)" in refusal.reason


async def test_two_pods_that_are_being_deleted_are_refused(clock: Clock) -> None:
    """Nothing shows which of them has the address."""
    world = World(pod("a", deleted=20), pod("b", deleted=30))
    assert "pod shop/a and pod shop/b have it" in (await world.refused(clock)).reason


async def test_an_outage_of_the_api_server(clock: Clock) -> None:
    """Known pods go on; an unknown one may be new."""
    world = World(pod())
    world.outage_seconds = 5.0
    assert world.ask() == WEB
    refusal = await world.refused(clock, "10.0.0.8:1")
    assert refusal.code == UNAVAILABLE
    assert "has not listed Pods for 5 s" in refusal.reason


@pytest.mark.parametrize(
    ("seconds", "text"), [(MAX_OUTAGE_SECONDS + 1, "for 3601 s"), (math.inf, "since the start")]
)
def test_pods_that_are_too_old_or_were_never_listed(seconds: float, text: str) -> None:
    """Clients try again; an address is another pod's after a while."""
    world = World(pod())
    world.outage_seconds = seconds
    refusal = world.refusal()
    assert (refusal.code, text in refusal.reason) == (UNAVAILABLE, True)


async def test_a_namespace_that_was_never_listed_does_not_refuse_the_others() -> None:
    """One Role of several is missing: pods of the other namespaces are known; an unknown pod may be in this one."""
    world = World(pod())
    world.outage_seconds, world.outages = None, {"": math.inf, "pay": math.inf}
    assert world.ask() == WEB
    assert world.refusal("10.0.0.8:1").code == UNAVAILABLE


async def test_the_end_of_an_outage_while_a_client_waits(clock: Clock) -> None:
    """It counts how it is at the end."""
    world = World()
    world.outage_seconds = 1.0
    waiting = await world.connect()
    world.outage_seconds = None
    await clock.forward(TIMEOUT_SECONDS)
    result = await waiting
    assert isinstance(result, Refusal)
    assert result.code == UNAUTHENTICATED


@pytest.mark.parametrize(
    ("transports", "transport", "reads"),
    [
        (("plaintext",), "plaintext", True),
        (("plaintext",), "tls", False),
        (("plaintext", "tls"), "tls", True),
        (("plaintext", "tls"), "unix", False),
        (("plaintext", "tls"), "rest", False),
    ],
)
def test_it_is_for_the_transports_that_are_set(
    transports: tuple[Transport, ...], transport: Transport, reads: bool
) -> None:
    """Never for REST, where the peer is often a proxy."""
    credential = Credential(transport=transport, peer=f"{ADDRESS}:1")
    assert World(transports=transports).authenticator.reads(credential) is reads


def test_another_credential_takes_precedence() -> None:
    """Even one that is refused: the identity of a client does not change when its certificate expires."""
    authenticator = World(transports=("tls",), others=(ClientCertificate(()),)).authenticator
    shown = Credential(certificate=("DNS:x",), peer=f"{ADDRESS}:1")
    assert not authenticator.reads(shown)
    assert authenticator.reads(Credential(token="of no method that is on", peer=f"{ADDRESS}:1"))
