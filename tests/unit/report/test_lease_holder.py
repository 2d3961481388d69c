"""The holder over real HTTP against a fake API server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from steerway.report import holder as holders
from steerway.report.holder import LeaseHolder
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.testing.fake_api_server import FakeApiServer
from testbed.manifest import Manifest
from testbed.process.deadline import PATIENCE_SECONDS

GRANT = "let it write leases of coordination.k8s.io"


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(holders, "_REFUSED_SECONDS", 0.02)
    # On a busy machine a request may take longer than a replica can wait for it.
    monkeypatch.setattr(holders, "_REQUEST_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(holders, "_RELEASE_SECONDS", PATIENCE_SECONDS)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def holding(
    server: FakeApiServer, folder: Path, identity: str, clock: Callable[[], float]
) -> AsyncIterator[LeaseHolder]:
    client = KubernetesClient(Access((server.write_kubeconfig(folder / identity),)))
    holder = LeaseHolder(client, "ops", "steerway", identity, GRANT, clock)
    running = asyncio.create_task(holder.run())
    try:
        yield holder
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)  # no event to wait for


async def test_one_of_two_holds_it_and_the_other_follows_when_it_ends(tmp_path: Path) -> None:
    """At once, since a holder that ends releases it."""
    clock = Clock()
    async with FakeApiServer() as server, holding(server, tmp_path, "second-replica", clock) as second:
        await until(lambda: second.active)
        async with holding(server, tmp_path, "first-replica", clock) as first:
            await until(lambda: server.count("get") >= 5)
            assert (first.active, second.active) == (False, True)
        (lease,) = server.objects("Lease")
        assert lease["metadata"]["namespace"] == "ops"
        assert lease["spec"]["holderIdentity"] == "second-replica"
        assert lease["spec"]["leaseDurationSeconds"] == 15
        assert lease["spec"]["renewTime"].endswith("Z")
    (lease,) = server.objects("Lease")
    assert lease["spec"]["holderIdentity"] == "", "released"
    async with server, holding(server, tmp_path, "third", clock) as third:
        await until(lambda: third.active)
        assert server.objects("Lease")[0]["spec"]["leaseTransitions"] == 1


async def test_metadata_of_others_are_kept(tmp_path: Path) -> None:
    """A Lease without a holder, which an installation tool created, is renewed and released with its labels."""
    metadata = {
        "name": "steerway",
        "namespace": "ops",
        "labels": {"managed-by": "Helm"},
        "annotations": {"a": "b"},
    }
    clock = Clock()
    async with FakeApiServer() as server:
        server.put({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": dict(metadata)})
        async with holding(server, tmp_path, "only", clock) as holder:
            await until(lambda: holder.active)
            await until(lambda: server.count("update") >= 3)
        (lease,) = server.objects("Lease")
    assert lease["spec"]["holderIdentity"] == ""
    assert metadata.items() <= lease["metadata"].items()


async def test_a_renewal_that_the_end_cancels_is_released(tmp_path: Path) -> None:
    """The API server accepted it, and the holder ends before the answer."""
    async with FakeApiServer() as server:
        client = KubernetesClient(Access((server.write_kubeconfig(tmp_path / "only"),)))
        renewed, put = asyncio.Event(), client.put

        async def put_without_answer(path: str, manifest: Manifest) -> bytes:
            answer = await put(path, manifest)
            if not renewed.is_set():
                renewed.set()
                await asyncio.Event().wait()
            return answer

        client.put = put_without_answer  # type: ignore[method-assign]
        running = asyncio.create_task(LeaseHolder(client, "ops", "steerway", "only", GRANT, Clock()).run())
        await asyncio.wait_for(renewed.wait(), PATIENCE_SECONDS)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.close()
        assert server.objects("Lease")[0]["spec"]["holderIdentity"] == ""


async def test_a_holder_that_is_cut_off_stops_by_its_own_clock_and_comes_back(tmp_path: Path) -> None:
    """Whatever the API server does: it is logged once, and retried."""
    clock = Clock()
    with structlog.testing.capture_logs() as logs:
        async with FakeApiServer() as server, holding(server, tmp_path, "first", clock) as holder:
            await until(lambda: holder.active)
            await server.stop()
            clock.now = 9.9
            assert holder.active
            clock.now = 10.0
            assert not holder.active
            await until(lambda: any(line["event"] == "lease_lost" for line in logs))
            await server.start()
            await until(lambda: holder.active)
    events = [line["event"] for line in logs if line["event"].startswith("lease")]
    assert events == ["lease_acquired", "lease_not_renewed", "lease_lost", "lease_acquired", "lease_lost"]


async def test_a_missing_permission_is_logged_once(tmp_path: Path) -> None:
    """And retried without end, until it is granted."""
    with structlog.testing.capture_logs() as logs:
        async with FakeApiServer() as server:
            server.fail(403, plural="leases/steerway", times=5)
            async with holding(server, tmp_path, "first", Clock()) as holder:
                await until(lambda: holder.active)
    (line,) = (line for line in logs if line["event"] == "lease_not_renewed")
    assert "403 Forbidden" in line["reason"]
    assert "leases of coordination.k8s.io" in line["hint"]
