"""A ClusterIP: which pod a new connection gets, and what keeps and ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo import cluster_ip
from demo.child import Children
from demo.cluster_ip import ClusterIp, Forwarder, Rules
from demo.manifests import Endpoint
from demo.pod import CLUSTER_IP, addresses, free_port
from testbed.process.deadline import PATIENCE_SECONDS

FIRST, SECOND = addresses(1, 2)


class Pod:
    """A server that answers each line with its address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while await reader.readline():
            writer.write(f"{self.address}\n".encode())
        writer.close()


@dataclass
class Client:
    """One connection through the ClusterIP."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self) -> str:
        """The address of the pod at the other end; "" when the connection has ended."""
        self.writer.write(b"\n")
        return await self.read()

    async def read(self) -> str:
        """The next line, "" at the end of the connection."""
        return (await asyncio.wait_for(self.reader.readline(), PATIENCE_SECONDS)).decode().strip()


@dataclass
class Service:
    """Two pods that listen, and the port of both."""

    port: int
    pods: dict[str, Pod]

    async def connect(self) -> Client:
        return Client(*await asyncio.open_connection(CLUSTER_IP, self.port))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """Pods without a ClusterIP."""
    port = free_port([CLUSTER_IP, FIRST, SECOND])
    service = Service(port, {address: Pod(address) for address in (FIRST, SECOND)})
    async with AsyncExitStack() as stack:
        for pod in service.pods.values():
            await stack.enter_async_context(await asyncio.start_server(pod.serve, pod.address, port))
        yield service
        for pod in service.pods.values():
            for writer in pod.writers:
                writer.close()


@pytest.fixture
async def rules(service: Service) -> AsyncIterator[Rules]:
    """The rules of a ClusterIP of the service, without endpoints."""
    rules = Rules()
    forwarder = Forwarder(rules, service.port)
    async with await asyncio.start_server(forwarder.forward, CLUSTER_IP, service.port):
        yield rules


@pytest.fixture
def immediate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every update is used at once."""
    monkeypatch.setattr(cluster_ip, "MIN_SYNC_SECONDS", 0.0)


@pytest.mark.usefixtures("immediate")
@pytest.mark.parametrize(
    ("ready", "terminating", "expected"),
    [
        (["a", "b"], ["c"], {"a", "b"}),
        ([], ["c"], {"c"}),
        ([], [], {None}),
    ],
)
async def test_a_new_connection_gets_any_ready_pod_else_a_terminating_one(
    ready: list[str], terminating: list[str], expected: set[str | None]
) -> None:
    rules = Rules()
    rules.update(ready, terminating)
    assert {rules.choose() for _ in range(200)} == expected


async def test_updates_within_the_sync_period_are_used_together_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first is used at once, of the next ones only the last."""
    monkeypatch.setattr(cluster_ip, "MIN_SYNC_SECONDS", 0.05)
    rules = Rules()
    chosen = []
    for address in ("first", "second", "third"):
        rules.update([address], [])
        chosen.append(rules.choose())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while chosen[-1] != "third":
            await asyncio.sleep(0)
            chosen.append(rules.choose())
    assert set(chosen) == {"first", "third"}


@pytest.mark.usefixtures("immediate")
async def test_a_connection_stays_at_its_pod_until_the_pod_closes_it(service: Service, rules: Rules) -> None:
    """Also when the pod is terminating, and when it is published no more."""
    rules.update([FIRST], [])
    pinned = await service.connect()
    assert await pinned.ask() == FIRST
    for ready, terminating in (([SECOND], [FIRST]), ([SECOND], [])):
        rules.update(ready, terminating)
        other = await service.connect()
        assert [await pinned.ask(), await other.ask()] == [FIRST, SECOND]
        other.writer.close()
    service.pods[FIRST].writers[0].close()
    assert await pinned.read() == ""
    pinned.writer.close()


@pytest.mark.usefixtures("immediate")
async def test_the_end_of_a_client_reaches_its_pod(service: Service, rules: Rules) -> None:
    """The pod closes its side, too, and the connection has ended."""
    rules.update([FIRST], [])
    client = await service.connect()
    assert await client.ask() == FIRST
    client.writer.write_eof()
    assert await client.read() == ""
    await asyncio.wait_for(service.pods[FIRST].writers[0].wait_closed(), PATIENCE_SECONDS)
    client.writer.close()


@pytest.mark.usefixtures("immediate")
@pytest.mark.parametrize("ready", [[], ["127.20.3.1"]], ids=["no endpoint", "refused by the pod"])
async def test_a_connection_without_a_pod_is_reset(service: Service, rules: Rules, ready: list[str]) -> None:
    """It is not tried at another pod."""
    rules.update(ready, [])
    client = await service.connect()
    with pytest.raises(ConnectionResetError):
        await client.read()
    client.writer.close()


async def test_the_process_forwards_to_the_published_pods(service: Service, tmp_path: Path) -> None:
    """As the demo runs it."""
    async with Children(tmp_path) as children:
        started = await ClusterIp.start(children, CLUSTER_IP, service.port)
        started.publish([Endpoint("first", FIRST, terminating=True), Endpoint("second", SECOND)])
        # The state arrives by another way than the connections, which are reset before it.
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (answer := await _ask_once(service)):
                pass
    assert answer == SECOND


async def _ask_once(service: Service) -> str:
    client = await service.connect()
    try:
        return await client.ask()
    except ConnectionError:
        return ""
    finally:
        client.writer.close()
