"""Secret and ClusterTrustBundle on a store that fails between any two requests."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from steerway.certificate.pair import new_authority
from steerway.certificate.secret import encoded
from steerway.signer.authority.bundle import TrustBundle, bundle_name
from steerway.signer.authority.keeper import ROTATE, CaKeeper
from steerway.signer.authority.rotation import Periods
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.event import Failure

DAY = timedelta(days=1)
SIGNER = "steerway.io/spiffe"
SECRETS = "/api/v1/namespaces/ops/secrets"
SECRET = f"{SECRETS}/ca"
BUNDLE = f"/apis/certificates.k8s.io/v1/clustertrustbundles/{bundle_name(SIGNER)}"


class Store:
    """Objects by path, with versions. `failing`: the writes, as `METHOD PATH`, that are refused with 403."""

    server = "https://api"

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.failing: set[str] = set()
        self.writes: list[str] = []

    async def get(self, path: str, _query: Mapping[str, str]) -> bytes:
        if path not in self.objects:
            raise RequestError(Failure(404, "NotFound"))
        return json.dumps(self.objects[path]).encode()

    async def post(self, path: str, body: Mapping[str, Any]) -> bytes:
        return self._write("POST", f"{path}/{body['metadata']['name']}", body)

    async def put(self, path: str, body: Mapping[str, Any]) -> bytes:
        assert body["metadata"]["resourceVersion"] == self.objects[path]["metadata"]["resourceVersion"]
        return self._write("PUT", path, body)

    def _write(self, method: str, path: str, body: Mapping[str, Any]) -> bytes:
        if f"{method} {path}" in self.failing:
            raise RequestError(Failure(403, "Forbidden"))
        self.writes.append(f"{method} {path}")
        metadata = {**body["metadata"], "resourceVersion": str(len(self.writes))}
        self.objects[path] = json.loads(json.dumps({**body, "metadata": metadata}))
        return json.dumps(self.objects[path]).encode()

    def bundle(self) -> str:
        return str(self.objects[BUNDLE]["spec"]["trustBundle"])


class World:
    """A keeper with a clock of its own; `restart` forgets what was in memory."""

    def __init__(self, ca_secret: str | None = None) -> None:
        self.store = Store()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self._ca_secret = ca_secret
        self.restart()

    def restart(self) -> None:
        periods = Periods(DAY, 30 * DAY, 365 * DAY, timedelta(hours=1))
        self.keeper = CaKeeper(TrustBundle(SIGNER), "ca", self._ca_secret, periods, lambda: self.now)

    async def look(self, seconds: float = 1) -> None:
        self.now += timedelta(seconds=seconds)
        await self.keeper.look(cast(KubernetesClient, self.store), "ops")

    @property
    def reasons(self) -> list[str]:
        return [f"{problem.where}: {problem.reason}" for problem in self.keeper.problems.values()]


async def test_nothing_is_issued_before_secret_and_bundle_are_written() -> None:
    """The CA in the Secret is the one that is published, however often a write fails before."""
    world = World()
    world.store.failing = {f"POST {SECRET}", f"POST {BUNDLE}"}
    await world.look()
    assert (world.keeper.authority, world.store.objects) == (None, {})
    assert world.reasons == ["Secret ops/ca: 403 Forbidden"]
    world.store.failing = {f"POST {BUNDLE}"}
    await world.look()
    assert (world.keeper.authority, set(world.store.objects)) == (None, {SECRET})
    world.restart()
    world.store.failing = set()
    await world.look()
    assert world.keeper.authority is not None
    root = base64.b64decode(world.store.objects[SECRET]["data"]["root.crt"])
    assert root.decode() == world.store.bundle()
    assert world.keeper.authority.root == root
    assert world.reasons == []
    await world.look()
    assert world.store.writes == [f"POST {SECRET}", f"POST {BUNDLE}"]


async def test_a_root_is_used_only_while_it_is_published() -> None:
    world = World()
    await world.look()
    first = world.keeper.authority
    assert first is not None
    world.store.objects[SECRET]["metadata"]["annotations"] = {ROTATE: "now"}
    world.store.failing = {f"PUT {BUNDLE}"}
    await world.look()
    await world.look(100_000)
    assert world.keeper.authority == first
    world.store.failing = set()
    await world.look()
    await world.look()
    await world.look(3598)
    assert world.keeper.authority == first
    world.restart()
    await world.look(2)
    assert world.keeper.authority is not None
    assert world.keeper.authority.root != first.root
    assert world.store.bundle().count("BEGIN") == 2


async def test_a_secret_that_is_broken_is_kept_and_the_last_ca_is_in_use() -> None:
    world = World()
    await world.look()
    before = world.keeper.authority
    world.store.objects[SECRET]["data"]["issuer.key"] = "eA=="
    await world.look()
    assert world.keeper.authority == before
    assert [reason.partition(": ")[2][:10] for reason in world.reasons] == ["issuer.crt"]
    assert len(world.store.writes) == 2


async def test_a_bundle_that_others_change_is_written_again() -> None:
    world = World()
    await world.look()
    published = world.store.bundle()
    foreign = new_authority("foreign", world.now, DAY).certificate.decode()
    world.store.objects[BUNDLE]["spec"]["trustBundle"] = foreign
    await world.look()
    assert world.store.bundle() == published


async def test_a_brought_ca_that_ends_soon_is_announced() -> None:
    """As one that is missing; the former one stays in use."""
    world = World("company")
    await world.look()
    assert [reason[:26] for reason in world.reasons] == ["Secret ops/company: does n"]
    assert world.keeper.authority is None

    def bring(lifetime: timedelta) -> None:
        ca = new_authority("company", world.now, lifetime)
        data = encoded({"tls.crt": ca.certificate, "tls.key": ca.key})
        world.store.objects[f"{SECRETS}/company"] = {"metadata": {"name": "company"}, "data": data}

    bring(timedelta(hours=23))
    await world.look()
    assert world.keeper.authority is not None
    assert [reason[:35] for reason in world.reasons] == ["CA of workload certificates: expire"]
    bring(3 * DAY)
    for _ in range(3):
        await world.look(3600)
    assert world.reasons == []
    before = world.keeper.authority
    del world.store.objects[f"{SECRETS}/company"]
    await world.look()
    assert world.keeper.authority == before
    assert len(world.reasons) == 1
