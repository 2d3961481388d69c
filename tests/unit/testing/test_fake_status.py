"""The status subresource of the fake API server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from steerway.sources.kubernetes.access import Access, RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.testing.fake_api_server import FakeApiServer
from tests.support.example.policy_example import policy

PATH = "/apis/steerway.io/v1alpha1/namespaces/shop/trafficpolicies/example"
STATUS = {"ancestors": [{"controllerName": "steerway.io/controller"}]}


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        running.put(policy({"subset": {"min": 3}}))
        yield running


@pytest.fixture
async def client(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[KubernetesClient]:
    made = KubernetesClient(Access.find(server.write_kubeconfig(tmp_path / "kubeconfig"), None))
    yield made
    await made.close()


async def get(client: KubernetesClient) -> dict[str, Any]:
    return dict(json.loads(await client.get(PATH, {})))


async def test_a_status_is_written_by_its_own_path_alone(client: KubernetesClient) -> None:
    """Other fields of the body are ignored, as is a status on the object's path; a generation counts specs."""
    before = await get(client)
    await client.patch(f"{PATH}/status", {"status": STATUS, "spec": {"subset": {"min": 9}}})
    written = await get(client)
    assert (written["spec"], written["status"]) == (before["spec"], STATUS)
    assert written["metadata"]["generation"] == before["metadata"]["generation"] == 1
    await client.patch(PATH, {"status": {"ancestors": []}, "spec": {"subset": {"min": 9}}})
    changed = await get(client)
    assert changed["spec"]["subset"] == {"min": 9}
    assert (changed["status"], changed["metadata"]["generation"]) == (STATUS, 2)
    await client.put(f"{PATH}/status", changed | {"status": {}})
    assert (await get(client))["status"] == {}


async def test_a_status_for_an_older_version_is_a_conflict(client: KubernetesClient) -> None:
    """By PUT and PATCH, when the body names the version."""
    old = await get(client)
    await client.patch(f"{PATH}/status", {"status": STATUS})
    version = {"resourceVersion": old["metadata"]["resourceVersion"]}
    with pytest.raises(RequestError) as caught:
        await client.patch(f"{PATH}/status", {"metadata": version, "status": {}})
    assert caught.value.failure.status == 409
    with pytest.raises(RequestError) as caught:
        await client.put(f"{PATH}/status", old)
    assert caught.value.failure.status == 409


async def test_a_status_that_changes_nothing_is_no_event(
    client: KubernetesClient, server: FakeApiServer
) -> None:
    """Otherwise writer and watcher would trigger each other in a loop."""
    await client.patch(f"{PATH}/status", {"status": STATUS})
    version = server.resource_version
    await client.patch(f"{PATH}/status", {"status": STATUS})
    assert server.resource_version == version


async def test_missing_kinds_and_objects_are_404(client: KubernetesClient, server: FakeApiServer) -> None:
    """For collections, objects and statuses."""
    with pytest.raises(RequestError) as caught:
        await client.patch(f"{PATH}-2/status", {"status": STATUS})
    assert caught.value.failure.status == 404
    server.missing.add("trafficpolicies")
    for path in (PATH, PATH.rpartition("/")[0]):
        with pytest.raises(RequestError) as caught:
            await client.get(path, {})
        assert caught.value.failure.status == 404
