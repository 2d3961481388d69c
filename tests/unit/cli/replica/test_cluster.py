"""The replicas of a cluster: which pods are queried, their port and token, and what is reported of the others."""

import base64
import json
from typing import Any

import pytest

from steerway.cli.replica import cluster
from steerway.errors import SourceError
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.event import Failure


class ApiServer:
    """Answers GET by path; a path that is not there is forbidden."""

    server = "https://api"

    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents

    async def get(self, path: str, query: dict[str, str]) -> bytes:
        if path not in self.documents:
            raise RequestError(
                Failure(403, "Forbidden", f"cannot get {path} {query.get('labelSelector', '')}".strip())
            )
        return json.dumps(self.documents[path]).encode()


def pod(name: str, namespace: str = "mesh", instance: str = "main", **status: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "steerway", "app.kubernetes.io/instance": instance}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "steerway", "ports": [{"name": "xds", "containerPort": 18000}]}]},
        "status": {"phase": "Running", **status},
    }


async def listed(server: ApiServer, *namespaces: str, port: int | None = None) -> list[cluster.Pod]:
    client: Any = server
    return await cluster.find(client, namespaces, cluster.SELECTOR, port)


async def test_pods_that_run_or_will_are_replicas() -> None:
    """In the order of their names; finished ones are none; one that waits has its reason."""
    waiting = [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    pods = [
        pod("b"),
        pod("a", phase="Pending", containerStatuses=waiting),
        pod("c", phase="Failed"),
        pod("d", phase="Pending"),
    ]
    replicas = await listed(ApiServer({"/api/v1/pods": {"items": pods}}), "")
    assert [(replica.name, replica.obstacle) for replica in replicas] == [
        ("a", "its pod is Pending (ImagePullBackOff)"),
        ("b", ""),
        ("d", "its pod is Pending"),
    ]


async def test_the_admin_port_is_named_or_the_default() -> None:
    exposed = pod("a")
    exposed["spec"]["containers"][0]["ports"].append({"name": "admin", "containerPort": 9001})
    server = ApiServer({"/api/v1/pods": {"items": [exposed, pod("b")]}})
    assert [replica.port for replica in await listed(server, "")] == [9001, 18001]
    assert [replica.port for replica in await listed(server, "", port=7)] == [7, 7]


async def test_the_next_namespace_is_tried_without_permission() -> None:
    """As a user that may list pods of one namespace alone."""
    server = ApiServer({"/api/v1/namespaces/mesh/pods": {"items": [pod("a")]}})
    assert [replica.name for replica in await listed(server, "", "mesh")] == ["a"]
    with pytest.raises(SourceError, match=r"add \{apiGroups: \[''\], resources: \[pods\], verbs: \[list\]\}"):
        await listed(server, "", "other")


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ([], r"no pod with the labels app.kubernetes.io/name=steerway is in any namespace: choose with"),
        (
            [pod("a"), pod("b", instance="canary")],
            r"there are 2 releases of steerway \(canary in mesh, main in mesh\): choose one with",
        ),
        ([pod("a"), pod("a", namespace="x")], r"2 releases of steerway \(main in mesh, main in x\)"),
    ],
)
async def test_anything_but_one_release_is_an_error(pods: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        await listed(ApiServer({"/api/v1/pods": {"items": pods}}), "")


@pytest.mark.parametrize(
    ("data", "token", "hint"),
    [
        ({"token": "secret\n", "other": "x"}, "secret", ""),
        ({"admin": "secret"}, "secret", ""),
        ({"a": "x", "b": "y"}, "", ""),
        (
            None,
            "",
            "add {apiGroups: [''], resources: [secrets], resourceNames: [steerway-admin], verbs: [get]}",
        ),
    ],
    ids=["by its key", "the only one", "several", "forbidden"],
)
async def test_the_token_is_that_of_the_secret(data: dict[str, str] | None, token: str, hint: str) -> None:
    manifest = pod("a")
    manifest["spec"]["volumes"] = [{"name": "admin-token", "secret": {"secretName": "steerway-admin"}}]
    replica = cluster.Pod.of(manifest, None)
    server = ApiServer({})
    if data is not None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        server.documents["/api/v1/namespaces/mesh/secrets/steerway-admin"] = {"data": encoded}
    client: Any = server
    given, shown = await cluster.token(client, replica)
    assert given == token
    assert hint in shown


async def test_a_pod_without_the_volume_has_no_token() -> None:
    client: Any = ApiServer({})
    assert await cluster.token(client, cluster.Pod.of(pod("a"), None)) == (
        "",
        "give its file with --token-file",
    )
