"""The connected stages: the order of a start, metrics, the drain, and errors that end the process."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from envoy.config.core.v3 import base_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from steerway import app, cli, config
from steerway.catalog.locality.client_zone import MAX_CLAIMED, MAX_CLAIMED_BY_NETWORK
from steerway.commit import Commit, Put
from steerway.config import KubernetesSettings, Settings
from steerway.control import classifier, local_cluster
from steerway.errors import EngineError, ListenError, SettingsError, SourceError
from steerway.sources.objects.core import Service, ServiceMeta, ServicePort, ServiceSpec
from steerway.sources.store import Batch, ObjectStore
from steerway.translate.translator import Translator
from steerway.translate.xds import type_url
from testbed.manifest import NAMESPACE, Endpoint, Files, service
from testbed.process.deadline import PATIENCE_SECONDS

ASSIGNMENT = f"backend.{NAMESPACE}.svc.cluster.local:50051"
SIGNALS = (signal.SIGTERM, signal.SIGINT)
OTHER_SIGNALS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

Serve = Callable[[Settings], "Running"]


class Running:
    """A control plane in the event loop of the test."""

    def __init__(self, settings: Settings) -> None:
        self.announced: asyncio.Queue[str] = asyncio.Queue()
        self.task = asyncio.create_task(app.ControlPlane(settings).serve(self.announced.put_nowait))

    async def started(self) -> tuple[str, httpx.AsyncClient]:
        """The address of the xDS server, and a client of the admin server."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            address = (await self._line()).removeprefix("listening on ")
            admin = (await self._line()).removeprefix("admin on ")
        return address, httpx.AsyncClient(base_url=admin, trust_env=False)

    async def ended(self) -> int:
        """The exit code; raises the error of the control plane."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.task

    async def _line(self) -> str:
        line = asyncio.create_task(self.announced.get())
        await asyncio.wait([line, self.task], return_when=asyncio.FIRST_COMPLETED)
        if not line.done():
            line.cancel()
            await self.task
        return await line


class Scripted:
    """A source that runs a function of the test. It writes under its own name."""

    def __init__(self, script: Callable[["Scripted"], Awaitable[None]]) -> None:
        self.name = "scripted"
        self.store = ObjectStore()
        self._script = script

    async def run(self) -> None:
        await self._script(self)

    def apply(self, *objects: Any) -> None:
        self.store.apply(self.name, Batch(put=objects))


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts control planes; the end of the test stops the running ones."""
    started: list[Running] = []

    def start(settings: Settings) -> Running:
        started.append(Running(settings))
        return started[-1]

    yield start
    for running in started:
        running.task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await running.task


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Scripted], Awaitable[None]]], None]:
    """Makes a script the only source."""

    def use(script: Callable[[Scripted], Awaitable[None]]) -> None:
        def sources(_settings: Settings, store: ObjectStore) -> list[Scripted]:
            scripted = Scripted(script)
            scripted.store = store
            store.register(scripted.name)
            return [scripted]

        monkeypatch.setattr(local_cluster, "local_sources", sources)

    return use


@pytest.fixture
def manifests(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore the signal handlers after the test."""
    before = [signal.getsignal(number) for number in (*SIGNALS, *OTHER_SIGNALS)]
    yield
    assert [signal.getsignal(number) for number in (*SIGNALS, *OTHER_SIGNALS)] == before


def settings(**values: Any) -> Settings:
    """Settings on loopback whose drain ends at once."""
    return Settings(**{"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "drain_seconds": 0.0, **values})


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Poll until the result is true, and return it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (answer := await condition()):  # noqa: ASYNC110 - a page can only be asked
            await asyncio.sleep(0.01)
    return answer


async def ready(admin: httpx.AsyncClient) -> bool:
    return (await admin.get("/readyz")).status_code == 200


async def phase(admin: httpx.AsyncClient) -> str:
    return str((await admin.get("/readyz")).json()["phase"])


async def equal(result: Awaitable[Any], expected: Any) -> bool:
    return bool(await result == expected)


async def subscribed(admin: httpx.AsyncClient) -> bool:
    return bool((await admin.get("/api/v1/streams")).json()["streams"])


async def metric(admin: httpx.AsyncClient, name: str) -> float:
    text = (await admin.get("/metrics")).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


async def assignments(
    address: str, zone: str = "", refusal: str = ""
) -> AsyncIterator[endpoint_pb2.ClusterLoadAssignment]:
    """The assignments of ASSIGNMENT that a client receives. `refusal`: its message for those with endpoints."""
    node = base_pb2.Node(id="client", user_agent_name="gRPC Go", locality=base_pb2.Locality(zone=zone))
    first = discovery_pb2.DiscoveryRequest(node=node, type_url=type_url.ENDPOINT, resource_names=[ASSIGNMENT])
    async with grpc.aio.insecure_channel(address) as channel:
        stream = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources()
        await stream.write(first)
        while (response := await stream.read()) is not grpc.aio.EOF:
            received = []
            for packed in response.resources:
                assignment = endpoint_pb2.ClusterLoadAssignment()
                packed.Unpack(assignment)
                received.append(assignment)
            answer = discovery_pb2.DiscoveryRequest(
                type_url=type_url.ENDPOINT,
                resource_names=[ASSIGNMENT],
                version_info=response.version_info,
                response_nonce=response.nonce,
            )
            if refusal and any(assignment.endpoints for assignment in received):
                answer.error_detail.message = refusal
            await stream.write(answer)
            for assignment in received:
                yield assignment


async def test_ports_are_announced_and_an_empty_directory_is_ready(serve: Serve, manifests: Files) -> None:
    """Ports chosen by the system are printed; a control plane without resources is ready."""
    address, admin = await serve(settings(files=(manifests.directory,))).started()
    assert int(address.rpartition(":")[2]) > 0
    async with admin:
        await until(lambda: ready(admin))


async def test_no_client_is_answered_before_the_sources_are_synced(serve: Serve, source: Any) -> None:
    """An early client waits for the resource instead of receiving "not found"."""
    release = asyncio.Event()

    async def slow(scripted: Scripted) -> None:
        await release.wait()
        spec = ServiceSpec(ports=[ServicePort(port=50051)])
        scripted.apply(Service(metadata=ServiceMeta(name="backend", namespace=NAMESPACE), spec=spec))
        scripted.store.mark_synced(scripted.name)
        await asyncio.Event().wait()

    source(slow)
    address, admin = await serve(settings()).started()
    async with admin, aclosing(assignments(address)) as received:
        first = asyncio.create_task(anext(received))
        await until(lambda: subscribed(admin))
        answer = (await admin.get("/readyz")).json()
        assert answer["missing"] == ["source scripted has not synced"]
        assert not first.done()
        release.set()
        assert (await first).cluster_name == ASSIGNMENT
        assert await ready(admin)


async def test_changes_reach_clients(serve: Serve, manifests: Files) -> None:
    """From a file to a stream, with each replacement of the file."""
    manifests.publish([])
    address, admin = await serve(settings(files=(manifests.directory,))).started()
    async with admin, aclosing(assignments(address)) as received, asyncio.timeout(PATIENCE_SECONDS):
        for endpoints in (["127.0.0.2:1"], ["127.0.0.2:1", "127.0.0.3:2"], []):
            manifests.publish(endpoints)
            while _endpoints(await anext(received)) != endpoints:
                pass


async def test_the_journal_has_the_clients_of_each_change(serve: Serve, manifests: Files) -> None:
    """The start, then a change of a file: one client acknowledged it, and one refused it."""
    manifests.publish([])
    address, admin = await serve(settings(files=(manifests.directory,))).started()
    async with (
        admin,
        aclosing(assignments(address)) as received,
        aclosing(assignments(address, refusal="no")) as refusing,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        await anext(received)
        await anext(refusing)
        manifests.publish(["127.0.0.2:1"])
        while not _endpoints(await anext(received)):
            pass
        while not _endpoints(await anext(refusing)):
            pass

        async def answered() -> list[dict[str, Any]] | None:
            rows = (await admin.get("/api/v1/changes")).json()["items"]
            counts = [row["clients"] for row in rows if row["kind"] == "change"]
            done = any((row["acked"], row["nacked"]) == (1, 1) for row in counts)
            return rows if done and any(row["kind"] == "nack" for row in rows) else None

        rows = {row["kind"]: row for row in await until(answered)}
    assert rows["start"]["text"].endswith("serves 1 service, with 0 problems")
    change = rows["change"]
    assert (change["services"], list(change["resources"])) == ([f"{NAMESPACE}/backend"], ["eds"])
    assert change["objects"] == [f"EndpointSlice {NAMESPACE}/backend-grpc-0"]
    assert change["nacks"] == [{"node": "client", "type": "eds", "message": "no"}] == rows["nack"]["nacks"]
    assert change["first_sent_seconds"] <= change["last_acked_seconds"]


async def test_invented_zones_do_not_affect_other_clients(serve: Serve, manifests: Files) -> None:
    """A client in a zone with endpoints prefers its zone, whatever others claim; invented zones are bounded."""
    zones = {"eu-1a": "127.0.0.2:1", "eu-1b": "127.0.0.3:1"}
    manifests.publish(
        [Endpoint(backend, zone) for zone, backend in zones.items()], trafficDistribution="PreferSameZone"
    )
    address, admin = await serve(
        settings(files=(manifests.directory,), max_concurrent_streams=1000)
    ).started()
    async with admin, AsyncExitStack() as clients, asyncio.timeout(PATIENCE_SECONDS):
        for number in range(MAX_CLAIMED + 1):
            claimant = await clients.enter_async_context(aclosing(assignments(address, f"z{number}")))
            await anext(claimant)
        for zone, backend in zones.items():
            async with aclosing(assignments(address, zone)) as received:
                groups = (await anext(received)).endpoints
            assert [group.locality.zone for group in groups if group.priority == 0] == [zone], backend
        streams = (await admin.get("/api/v1/streams")).json()["streams"]
        claimed = {stream["audience"] for stream in streams if "/z" in stream["audience"]}
        assert len(claimed) == MAX_CLAIMED_BY_NETWORK


def _endpoints(assignment: endpoint_pb2.ClusterLoadAssignment) -> list[str]:
    addresses = (
        lb_endpoint.endpoint.address.socket_address
        for group in assignment.endpoints
        for lb_endpoint in group.lb_endpoints
    )
    return [f"{address.address}:{address.port_value}" for address in addresses]


async def test_problems_of_all_stages_are_counted_together(serve: Serve, manifests: Files) -> None:
    """Objects that sources, catalog and translator skip; others are served."""
    manifests.write_text("broken.yaml", "a: [")
    manifests.write(
        "external.yaml", service("external", {"": 80}, type="ExternalName", externalName="10.0.0.1")
    )
    nested = {"typed_extension_protocol_options": {"x": {"@type": 3}}}
    manifests.write("raw.yaml", {"@type": type_url.CLUSTER, "name": "raw", **nested})
    plane = serve(settings(files=(manifests.directory,), files_sync_timeout_seconds=0.1))
    _, admin = await plane.started()
    async with admin:
        await until(lambda: ready(admin))
        problems = (await admin.get("/api/v1/problems")).json()["problems"]
        names = sorted(problem["where"].rpartition("/")[2] for problem in problems)
        assert names == ["broken.yaml:1", "external", "raw.yaml:1"]
        assert await metric(admin, "steerway_problems") == 3
        (manifests.directory / "broken.yaml").unlink()
        (manifests.directory / "raw.yaml").unlink()
        await until(lambda: equal(metric(admin, "steerway_problems"), 1.0))


async def test_tasks_are_counted(serve: Serve, manifests: Files) -> None:
    """Of the serving event loop."""
    _, admin = await serve(settings(files=(manifests.directory,))).started()
    async with admin:
        first = await metric(admin, "steerway_asyncio_tasks")
        waiting = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(20)]
        assert await metric(admin, "steerway_asyncio_tasks") >= first + 15
        for task in waiting:
            task.cancel()


async def test_a_refused_route_is_a_problem(serve: Serve, manifests: Files) -> None:
    """Also without an object that could have a status; until its backend exists."""
    parent = {"group": "", "kind": "Service", "name": "backend"}
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute",
        "metadata": {"name": "a", "namespace": NAMESPACE},
        "spec": {"parentRefs": [parent], "rules": [{"backendRefs": [{"name": "backend", "port": 80}]}]},
    }
    manifests.write("route.json", route)
    _, admin = await serve(settings(files=(manifests.directory,))).started()
    async with admin:

        async def problems() -> list[dict[str, str]]:
            results: list[dict[str, str]] = (await admin.get("/api/v1/problems")).json()["problems"]
            return results

        result = await until(problems)
        assert {problem["where"] for problem in result} == {f"GRPCRoute {NAMESPACE}/a"}
        reason = f"Service {NAMESPACE}/backend does not exist"
        assert [problem["reason"] for problem in result] == [reason, f"rule 0: {reason}"]
        manifests.write("backend.json", service("backend", {"": 80}))
        await until(lambda: equal(problems(), []))


async def test_a_signal_drains_and_a_second_one_ends(serve: Serve, manifests: Files) -> None:
    """The first starts a drain of an hour; the second ends it."""
    manifests.publish([])
    plane = serve(settings(files=(manifests.directory,), drain_seconds=3600.0))
    address, admin = await plane.started()
    async with admin, aclosing(assignments(address)) as received:
        await anext(received)
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: equal(phase(admin), "draining"))
        os.kill(os.getpid(), signal.SIGINT)
        assert await plane.ended() == 0


@pytest.mark.parametrize("number", SIGNALS)
async def test_without_clients_a_signal_ends_the_process(
    serve: Serve, manifests: Files, number: signal.Signals
) -> None:
    """No client is left to drain, also before the sources are synced."""
    plane = serve(settings(files=(manifests.directory,), drain_seconds=3600.0))
    _, admin = await plane.started()
    await admin.aclose()
    os.kill(os.getpid(), number)
    assert await plane.ended() == 0


async def test_a_path_that_does_not_exist_is_an_error(serve: Serve, tmp_path: Path) -> None:
    """The error lists all of them; `files_optional` waits for them."""
    missing = (tmp_path / "a", tmp_path / "b")
    with pytest.raises(
        SettingsError, match=r"(?s)--files .*/a does not exist: .*--files-optional.*/b does not"
    ):
        app.ControlPlane(settings(files=missing))
    plane = serve(settings(files=missing, files_optional=True, files_sync_timeout_seconds=3600.0))
    _, admin = await plane.started()
    async with admin:
        assert (await admin.get("/readyz")).status_code == 503
        missing[0].mkdir()
        missing[1].mkdir()
        await until(lambda: equal(phase(admin), "serving"))


async def test_sighup_reads_the_files_again(
    serve: Serve, manifests: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP, SIGUSR1 and SIGUSR2 do not end the process."""
    asked = asyncio.Event()
    monkeypatch.setattr("steerway.sources.files.FileSource.reread", lambda _: asked.set())
    plane = serve(settings(files=(manifests.directory,)))
    _, admin = await plane.started()
    async with admin:
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            os.kill(os.getpid(), number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asked.wait()
        await until(lambda: equal(phase(admin), "serving"))


async def test_an_address_that_is_taken_is_an_error(serve: Serve, manifests: Files) -> None:
    """Of either server; no part keeps running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EngineError, match=address):
            await serve(settings(files=(manifests.directory,), listen=address)).ended()
        with pytest.raises(ListenError, match=address):
            await serve(settings(files=(manifests.directory,), admin=address)).ended()


async def test_a_missing_kubeconfig_ends_the_process(serve: Serve, tmp_path: Path) -> None:
    """Only an operator can fix it."""
    kubernetes = KubernetesSettings(enabled=True, kubeconfig=tmp_path / "none")
    with pytest.raises(SourceError, match="none: no kubeconfig there"):
        await serve(settings(kubernetes=kubernetes)).ended()


async def test_an_error_of_a_source_ends_the_process_with_its_cause(serve: Serve, source: Any) -> None:
    """A process without one of its sources must not continue; the exception groups of tasks are unwrapped."""

    async def faulty(_: Scripted) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(3600))
            raise SourceError("the disk is on fire")

    source(faulty)
    with pytest.raises(SourceError, match="the disk is on fire"):
        await serve(settings()).ended()


async def test_a_source_that_returns_ends_the_process(serve: Serve, source: Any) -> None:
    """Changes would no longer be followed."""

    async def short(scripted: Scripted) -> None:
        scripted.store.mark_synced(scripted.name)

    source(short)
    with pytest.raises(RuntimeError, match="scripted ended by itself"):
        await serve(settings()).ended()


def test_the_command_prints_an_error_in_one_line(
    manifests: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, no traceback."""
    for setting in config.SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setattr("steerway.log.setup.configure", lambda *_: None)
    monkeypatch.setattr(
        "steerway.runtime.signals.ignore", lambda: None
    )  # they would stay ignored in other tests
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code = cli.main(["serve", "--files", str(manifests.directory), "--listen", address])
    assert code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert address in line


async def test_an_unexpected_error_affects_its_part_only(
    serve: Serve, manifests: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid entry, a batch, a client: later ones are handled."""
    manifests.write("a.yaml", service("backend", {"grpc": 50051}))
    bad = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    refresh = Translator.refresh

    def with_a_bad_entry(self: Translator, *args: Any, **kwargs: Any) -> Commit:
        commit = refresh(self, *args, **kwargs)
        commit.put.insert(0, Put(bad, "bad", "", b"", ttl_seconds=-1.0))
        return commit

    monkeypatch.setattr(Translator, "refresh", with_a_bad_entry)
    address, admin = await serve(settings(files=(manifests.directory,))).started()
    async with admin:
        await until(lambda: ready(admin))
        monkeypatch.setattr(Translator, "refresh", lambda *_args, **_kwargs: 1 // 0)
        manifests.write("b.yaml", service("other", {"grpc": 50051}))
        await until(lambda: failed(admin, "batch"))
        monkeypatch.setattr(Translator, "refresh", refresh)
        monkeypatch.setattr(classifier, "classify", lambda *_: 1 // 0)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(assignments(address))
        assert refused.value.code() is grpc.StatusCode.INTERNAL
        monkeypatch.undo()
        async with aclosing(assignments(address)) as result:
            assert (await anext(result)).cluster_name == ASSIGNMENT


async def failed(admin: httpx.AsyncClient, part: str) -> bool:
    return await metric(admin, f'steerway_internal_errors_total{{part="{part}"}}') > 0
