"""The Secret and the `caBundle`, kept and followed over real HTTP against a fake API server."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from steerway.certificate.bundle import certificates
from steerway.injection.certificate import keeper as keepers
from steerway.injection.certificate import webhook as webhooks
from steerway.injection.certificate.follower import Follower
from steerway.injection.certificate.keeper import Keeper
from steerway.injection.certificate.material import Material
from steerway.injection.certificate.rotation import AUTHORITY_LIFETIME, rotated
from steerway.injection.certificate.source import SecretCertificate
from steerway.injection.certificate.webhook import SETTLED_SECONDS, Webhook
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.testing.fake_api_server import FakeApiServer
from testbed.manifest import Manifest
from testbed.process.deadline import PATIENCE_SECONDS

NAMESPACE = "mesh-system"
WHERE = f"Secret {NAMESPACE}/certificate"
NAMES = (f"steerway.{NAMESPACE}.svc", f"steerway.{NAMESPACE}.svc.cluster.local")


class Time:
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, tzinfo=UTC)
        self.monotonic = 0.0

    def advance(self, step: timedelta) -> None:
        self.now += step
        self.monotonic += step.total_seconds()


class Replica:
    """One replica, whose keeper looks when a test wants it."""

    def __init__(self, client: KubernetesClient, clocks: Time) -> None:
        self.client = client
        webhook = Webhook("steerway-injection", "steerway", lambda: clocks.monotonic)
        self.keeper = Keeper(webhook, "steerway", "certificate", "cluster.local", lambda: clocks.now)
        self.follower = Follower("certificate")
        self.certificate = SecretCertificate(self.keeper, self.follower)

    async def look(self) -> None:
        await self.keeper.look(self.client, NAMESPACE)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.follower.run(self.client, NAMESPACE))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def replica(server: FakeApiServer, folder: Path, clocks: Time) -> AsyncIterator[Replica]:
    client = KubernetesClient(Access((server.write_kubeconfig(folder / "kubeconfig"),)))
    try:
        yield Replica(client, clocks)
    finally:
        await client.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)  # no event to wait for


def configuration(service: str = "steerway") -> Manifest:
    """Two webhooks of ours, and one of somebody else in between."""

    def webhook(name: str, service_name: str) -> Manifest:
        service = {"namespace": NAMESPACE, "name": service_name, "path": "/inject"}
        return {"name": name, "clientConfig": {"service": service}}

    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "steerway-injection"},
        "webhooks": [webhook("a.io", service), webhook("b.io", "other"), webhook("c.io", service)],
    }


def bundles(server: FakeApiServer) -> list[tuple[bytes, ...]]:
    (stored,) = server.objects("MutatingWebhookConfiguration")
    return [
        certificates(base64.b64decode(webhook["clientConfig"].get("caBundle", "")))
        for webhook in stored["webhooks"]
    ]


def material(server: FakeApiServer) -> Material:
    (secret,) = server.objects("Secret")
    assert secret["metadata"]["namespace"] == NAMESPACE
    return Material.decode(secret["data"])


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "SPREAD_SECONDS", 0.0)


@pytest.fixture
def clocks() -> Time:
    return Time()


async def test_the_first_look_creates_the_secret_and_sets_the_bundle(tmp_path: Path, clocks: Time) -> None:
    """Of the webhooks that call the own Service, and no other. The second look writes nothing."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        await member.look()
        made = material(server)
        assert made.serving.names == NAMES
        assert bundles(server) == [made.trusted, (), made.trusted]
        assert [request.verb for request in server.requests if request.verb != "get"] == ["patch", "create"]
        patch = next(request for request in server.requests if request.verb == "patch")
        assert patch.query == {"fieldManager": "steerway-injection"}
        await member.look()
        assert server.count("patch") + server.count("create") + server.count("update") == 2
        assert member.certificate.problems() == ()


async def test_followers_serve_what_is_in_the_secret(tmp_path: Path, clocks: Time) -> None:
    """At each change; a damaged or deleted Secret is a problem, and the last good one stays."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member, member.following():
        await until(lambda: member.certificate.problems())
        (problem,) = member.certificate.problems()
        assert (problem.where, problem.reason) == (WHERE, "does not exist")
        assert member.certificate.context() is None
        server.put(configuration())
        await member.look()
        await until(lambda: member.certificate.context() and not member.certificate.problems())
        first = member.certificate.context()
        (secret,) = server.objects("Secret")
        server.put({**secret, "data": {**secret["data"], "tls.key": "QQ=="}})
        await until(lambda: member.certificate.problems())
        (problem,) = member.certificate.problems()
        assert problem.reason.startswith("tls.crt: the key is not readable")
        assert problem.hint == "delete the Secret: steerway issues a new certificate"
        assert member.certificate.context() is first
        server.delete("Secret", NAMESPACE, "certificate")
        await until(lambda: member.certificate.problems()[0].reason == "does not exist")
        assert member.certificate.context() is first
        await member.look()
        await until(lambda: member.certificate.context() is not first)


async def test_a_damaged_secret_is_not_overwritten(tmp_path: Path, clocks: Time) -> None:
    """It may be the mistake of a user, that deletes it then."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        metadata = {"name": "certificate", "namespace": NAMESPACE}
        server.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"ca.crt": "QQ=="}})
        await member.look()
        assert server.count("update") == server.count("create") == server.count("patch") == 0
        (problem,) = member.certificate.problems()
        assert (problem.where, problem.reason) == (WHERE, "ca.crt: no certificate")


async def test_an_empty_secret_is_filled(tmp_path: Path, clocks: Time) -> None:
    """One that an installation creates, so that steerway needs no permission to create Secrets."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        metadata = {"name": "certificate", "namespace": NAMESPACE, "labels": {"app": "steerway"}}
        server.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"})
        await member.look()
        assert material(server).serving.names == NAMES
        assert server.objects("Secret")[0]["metadata"]["labels"] == {"app": "steerway"}


async def test_a_lost_secret_is_made_again_without_a_gap(tmp_path: Path, clocks: Time) -> None:
    """Replicas use the former certificate until they have seen the new one, so both are trusted for a while."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        await member.look()
        former = material(server)
        server.delete("Secret", NAMESPACE, "certificate")
        await member.look()
        made = material(server)
        assert bundles(server)[0] == (*made.trusted, *former.trusted)
        await member.look()
        clocks.advance(timedelta(seconds=SETTLED_SECONDS))
        await member.look()
        assert bundles(server)[0] == made.trusted


async def test_an_authority_is_replaced_in_steps(tmp_path: Path, clocks: Time) -> None:
    """Trusted first, in use when that has been so for a while."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        await member.look()
        former = material(server)
        clocks.advance(AUTHORITY_LIFETIME * 0.7)
        await member.look()
        announced = material(server)
        assert announced.upcoming is not None
        assert announced.authority == former.authority
        assert bundles(server)[0] == announced.trusted
        await member.look()
        assert material(server) == announced
        clocks.advance(timedelta(seconds=SETTLED_SECONDS))
        await member.look()
        used = material(server)
        assert used.authority == announced.upcoming
        assert set(bundles(server)[0]) == {announced.upcoming.certificate, former.authority.certificate}


async def test_a_bundle_that_another_changes_is_set_again(tmp_path: Path, clocks: Time) -> None:
    """An installation that is repeated without server-side apply removes it."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        await member.look()
        server.put(configuration())
        await member.look()
        assert bundles(server)[0] == material(server).trusted


async def test_without_a_webhook_the_certificate_is_kept_and_the_problem_named(
    tmp_path: Path, clocks: Time
) -> None:
    """It may be installed later."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        await member.look()
        (problem,) = member.certificate.problems()
        assert problem.where == "MutatingWebhookConfiguration steerway-injection"
        assert problem.reason == "does not exist: no API server calls steerway"
        made = material(server)
        server.put(configuration("another"))
        await member.look()
        (problem,) = member.certificate.problems()
        assert problem.reason == "no webhook calls Service mesh-system/steerway"
        server.put(configuration())
        await member.look()
        assert member.certificate.problems() == ()
        assert material(server) == made
        assert bundles(server)[0] == made.trusted


@pytest.mark.parametrize(
    ("plural", "hint"),
    [
        ("/certificate", "resources: [secrets], resourceNames: [certificate]"),
        ("secrets", "and create without resourceNames"),
        (
            "/steerway-injection",
            "resources: [mutatingwebhookconfigurations], resourceNames: [steerway-injection]",
        ),
    ],
)
async def test_a_missing_permission_is_named(tmp_path: Path, clocks: Time, plural: str, hint: str) -> None:
    """As the rule to add."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        server.fail(403, plural=plural, reason="Forbidden")
        await member.look()
        (problem,) = member.certificate.problems()
        assert problem.hint.startswith("grant it: add ")
        assert hint in problem.hint
        await member.look()
        assert member.certificate.problems() == ()


async def test_two_replicas_that_create_it_together_agree(tmp_path: Path, clocks: Time) -> None:
    """One of them gets 409, and uses that of the other."""
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        server.fail(409, verb="create", reason="AlreadyExists")
        await member.look()
        assert server.objects("Secret") == []
        await member.look()
        assert set(material(server).trusted) <= set(bundles(server)[0])
        assert member.certificate.problems() == ()


async def test_only_the_replica_with_the_lease_writes(
    tmp_path: Path, clocks: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others follow."""
    monkeypatch.setattr(keepers, "LOOK_SECONDS", 0.01)
    active = False
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member:
        server.put(configuration())
        task = asyncio.create_task(member.certificate.write(member.client, lambda: active, NAMESPACE))
        await until(lambda: server.count("watch"))
        assert server.objects("Secret") == []
        active = True
        await until(lambda: member.certificate.context())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def handshake(server: ssl.SSLContext, authority: bytes) -> str:
    """The common name of the certificate after a handshake in memory."""
    client = ssl.create_default_context(cadata=authority.decode())
    wires = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(wires[0], wires[1], server_side=True),
        client.wrap_bio(wires[1], wires[0], server_hostname=NAMES[0]),
    )
    pending = set(ends)
    while pending:
        for end in tuple(pending):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
                pending.discard(end)
    subject = (ends[1].getpeercert() or {})["subject"]
    return str(subject[0][0][1])  # type: ignore[index]


async def test_the_served_certificate_verifies(tmp_path: Path, clocks: Time) -> None:
    """By the name that an API server uses, and the bundle that it has."""
    clocks.now = datetime.now(UTC).replace(microsecond=0)
    async with FakeApiServer() as server, replica(server, tmp_path, clocks) as member, member.following():
        server.put(configuration())
        await member.look()
        await until(lambda: member.certificate.context())
        context = member.certificate.context()
        assert context is not None
        assert handshake(context, b"".join(bundles(server)[0])) == "steerway injection"
        assert rotated(material(server), NAMES, clocks.now, upcoming_trusted=True) == material(server)
