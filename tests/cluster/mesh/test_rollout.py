"""Servers with mTLS and authorization roll out under traffic: real API server, kubelet, chart, signer and webhook.

The servers of the tests are one Deployment; each test leaves it in a state that the next one can start from.
"""

import contextlib
from collections.abc import Iterable, Mapping

import grpc
import pytest

from testbed.client.grpc_client import Library, Load
from testbed.cluster.workload import xds_deployment
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.mesh.conftest import Dial, Shop

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go"), pytest.mark.usefixtures("grpc_go")]

REPLICAS = 3
MIN_READY_SECONDS = 3
"""As in tests/cluster/traffic."""
RATE = 50.0
LIBRARIES: tuple[Library, ...] = ("grpcio", "grpc-go")
BEGIN_SECONDS = 10.0


@pytest.fixture(scope="module")
def serving(shop: Shop) -> Shop:
    """Servers that only `web` may call, with a certificate."""
    with shop.namespace.cluster.network.entered():
        shop.policy("ServerPolicy", "strict", tls={"mode": "Strict"})
        rule = {"from": [{"serviceAccounts": ["web"]}]}
        shop.policy("AuthorizationPolicy", "callers", action="Allow", rules=[rule])
        deploy(shop, "backend")
        shop.namespace.wait_for_pods("backend", REPLICAS)
    return shop


def deploy(shop: Shop, account: str) -> None:
    """Create the Deployment, or give it another account."""
    if not shop.namespace.api.exists("ServiceAccount", shop.namespace.name, account):
        shop.namespace.account(account)
    shop.namespace.api.apply(
        xds_deployment("backend", shop.namespace.name, REPLICAS, account, MIN_READY_SECONDS)
    )


def replaced(shop: Shop, before: Mapping[str, str]) -> dict[str, str]:
    """Wait until all pods of the Deployment are others, and return these."""
    pods = shop.namespace.pods
    until(
        lambda: not before.keys() & pods("backend").keys(),
        lambda: f"other pods than {before}: {pods('backend')}",
    )
    return shop.namespace.wait_for_pods("backend", REPLICAS)


def settle(loads: Iterable[Load], pods: Mapping[str, str]) -> None:
    """Wait until the newest calls of each client were answered by exactly these pods."""
    for load in loads:
        load.settle(*pods.values())


def identities(load: Load) -> set[str]:
    """What servers have seen as the identity of the client."""
    return {answer.metadata["peer"] for answer in load.answers if answer.ok}


def test_servers_know_their_clients_and_clients_their_servers(serving: Shop, dial: Dial) -> None:
    """By the accounts of the pods; other accounts, and pods without a certificate, are refused."""
    channel = dial("web")
    channel.wait_for_answer(deadline_seconds=BEGIN_SECONDS)
    assert channel.answers[-1].metadata["peer"] == serving.identity("web")
    assert serving.accepted() == {serving.identity("backend")}
    assert serving.allowed("web")
    assert not serving.allowed("other")
    dial("other").wait_for_code(grpc.StatusCode.PERMISSION_DENIED, deadline_seconds=BEGIN_SECONDS)
    old = dial("old", certificates="disabled")
    old.wait_for_code(grpc.StatusCode.UNAVAILABLE, deadline_seconds=BEGIN_SECONDS)
    assert "connections to all backends failing" in old.answers[-1].error
    assert "READY" not in old.states


@pytest.mark.parametrize("account", ["backend", "backend-2"])
def test_no_call_fails_while_pods_are_replaced(serving: Shop, dial: Dial, account: str) -> None:
    """By `kubectl rollout restart`, and by pods of another account."""
    before = serving.namespace.wait_for_pods("backend", REPLICAS)
    channels = [dial("web", library) for library in LIBRARIES]
    for channel in channels:
        channel.wait_for_answer(deadline_seconds=BEGIN_SECONDS)
    with contextlib.ExitStack() as running:
        loads = [running.enter_context(channel.load(RATE)) for channel in channels]
        settle(loads, before)
        if account == "backend":
            serving.namespace.api.restart("Deployment", serving.namespace.name, "backend")
        else:
            deploy(serving, account)
        settle(loads, replaced(serving, before))
        only = {serving.identity(account)}
        until(lambda: serving.accepted() == only, lambda: f"{only} alone: {serving.accepted()}")
        for load in loads:
            load.go_on()
    for library, load in zip(LIBRARIES, loads, strict=True):
        assert load.failures == [], library
        assert identities(load) == {serving.identity("web")}, library
