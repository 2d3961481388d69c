"""Real backends: answers, lifecycle, and the order of a rollout."""

import asyncio
import time
from pathlib import Path

import grpc
import grpc.aio
import pytest

from demo.child import Children, DemoError
from demo.cluster import Cluster, State
from demo.dns_server import HeadlessZone
from demo.echo import ECHO, connection_of
from demo.manifests import Manifests
from demo.plan import Plan
from demo.pod import Pod, addresses, free_port
from demo.rollout import roll_out
from testbed.process.deadline import PATIENCE_SECONDS

PLAN = Plan(15, 2, 10, 1.0, 0.0, pre_stop_seconds=0.0)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """A cluster whose publications have no reader."""
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    return Cluster(HeadlessZone("backend", 30), Manifests(manifests, 1))


async def test_a_pod_is_ready_once_it_answers_and_gone_once_its_process_is(
    cluster: Cluster, tmp_path: Path
) -> None:
    """From STARTING to GONE, with an Echo call in between."""
    address = addresses(1, 1)[0]
    port = free_port([address])
    pod = Pod("backend-v1-1", address, port)
    async with Children(tmp_path) as children:
        await children.run_beside(pod.start(children, cluster, PLAN, 0.0))
        async with grpc.aio.insecure_channel(f"{address}:{port}") as channel:
            response = await channel.unary_unary(ECHO)(b"hello", timeout=PATIENCE_SECONDS)
        await pod.terminate(cluster, PLAN)
    backend, peer = connection_of(response)
    assert backend == address
    assert peer.startswith("ipv4:127.0.0.1:")
    assert response.endswith(b"\thello")
    states = [event.state for event in cluster.events]
    assert states == [State.STARTING, State.READY, State.TERMINATING, State.DRAINING, State.GONE]


async def test_a_pod_whose_port_is_taken_fails_with_its_standard_error(
    cluster: Cluster, tmp_path: Path
) -> None:
    """It does not share the port with another process."""
    address = addresses(1, 1)[0]
    port = free_port([address])
    async with Children(tmp_path) as children:
        await children.run_beside(Pod("first", address, port).start(children, cluster, PLAN, 0.0))

        async def second() -> None:
            await Pod("second", address, port).start(children, cluster, PLAN, 0.0)
            await asyncio.Event().wait()  # the probe may have been answered by the first

        with pytest.raises(DemoError, match="second ended by itself"):
            await children.run_beside(second())


async def test_a_rollout_never_has_fewer_ready_pods_than_before_nor_more_than_one_extra(
    cluster: Cluster, tmp_path: Path
) -> None:
    """maxUnavailable 0 and maxSurge 1; every old pod goes, every new one stays."""
    old_hosts, new_hosts = addresses(1, 2), addresses(2, 2)
    port = free_port([*old_hosts, *new_hosts])
    old, new = ([Pod(host, host, port) for host in hosts] for hosts in (old_hosts, new_hosts))
    async with Children(tmp_path) as children:
        await children.run_beside(_start_all(old, children, cluster))
        await children.run_beside(roll_out(old, new, children, cluster, PLAN))
    ready: set[str] = set()
    counts = []
    for event in cluster.events:
        (ready.add if event.state is State.READY else ready.discard)(event.address)
        counts.append(len(ready))
    assert set(counts[counts.index(2) :]) == {2, 3}
    assert ready == set(new_hosts)
    assert [cluster.states[host] for host in old_hosts] == [State.GONE, State.GONE]


async def _start_all(pods: list[Pod], children: Children, cluster: Cluster) -> None:
    await asyncio.gather(*(pod.start(children, cluster, PLAN, 0.0) for pod in pods))


async def test_the_start_up_time_of_a_pod_passes_before_it_is_ready(cluster: Cluster, tmp_path: Path) -> None:
    """As for a container with a slow start."""
    address = addresses(1, 1)[0]
    begin = time.monotonic()
    async with Children(tmp_path) as children:
        await children.run_beside(
            Pod("pod", address, free_port([address])).start(children, cluster, PLAN, 1.5)
        )
    ready = next(event for event in cluster.events if event.state is State.READY)
    assert ready.at - begin >= 1.5


def test_generations_share_no_address() -> None:
    """New pods of a Deployment have new addresses."""
    assert len({*addresses(1, 20), *addresses(2, 20)}) == 40
