"""An API server of a few objects for the reader of checks, and the Deployment of an installation."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import yaml

from steerway.kubecheck.context import Context
from steerway.kubecheck.installation import load
from steerway.kubecheck.reader import Reader
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.event import Failure

Manifest = dict[str, Any]


class Api:
    """`objects`: by path; a path that ends with `s` and has objects below it is a collection. `refused`: paths that
    are answered 403."""

    def __init__(self, objects: Mapping[str, Manifest]) -> None:
        self.server = "https://api"
        self.objects = dict(objects)
        self.refused: set[str] = set()
        self.posts: list[tuple[str, Manifest]] = []
        self.allowed = True

    async def get(self, path: str, _query: Mapping[str, str]) -> bytes:
        if path in self.refused:
            raise RequestError(Failure(403, "Forbidden", "no permission"))
        if path in self.objects:
            return json.dumps(self.objects[path]).encode()
        if path.rpartition("/")[2] in (
            "deployments",
            "networkpolicies",
            "podcertificaterequests",
            "pods",
            "services",
        ):
            inside = [item for where, item in self.objects.items() if where.startswith(f"{path}/")]
            return json.dumps({"items": inside}).encode()
        raise RequestError(Failure(404, "NotFound"))

    async def post(self, path: str, body: Manifest) -> bytes:
        self.posts.append((path, body))
        return json.dumps({"status": {"allowed": self.allowed}}).encode()


DEPLOYMENT: Manifest = {
    "metadata": {"namespace": "mesh", "name": "steerway", "labels": {"app.kubernetes.io/version": "0.0.1"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "steerway"}},
        "template": {
            "metadata": {"labels": {"app": "steerway"}},
            "spec": {
                "serviceAccountName": "steerway",
                "containers": [
                    {
                        "name": "steerway",
                        "args": ["serve", "--config=/etc/steerway/config/steerway.yaml"],
                        "ports": [
                            {"name": "xds", "containerPort": 18000},
                            {"name": "admin", "containerPort": 18001},
                        ],
                        "volumeMounts": [
                            {"name": "config", "mountPath": "/etc/steerway/config"},
                            {"name": "tls", "mountPath": "/etc/steerway/tls"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "config", "configMap": {"name": "steerway"}},
                    {"name": "tls", "secret": {"secretName": "certificate"}},
                ],
            },
        },
    },
    "status": {"updatedReplicas": 2},
}
ROOT = "/api/v1/namespaces/mesh"


def pod(name: str, **status: Any) -> Manifest:
    """A pod of the Deployment, by default one that is ready."""
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": name, "namespace": "mesh"}, "status": status or ready}


async def context(
    *objects: tuple[str, Manifest], settings: Manifest | None = None, pods: tuple[Manifest, ...] = ()
) -> tuple[Context, Api]:
    """That of an installation with two pods."""
    text = yaml.safe_dump({"kubernetes": {"enabled": True, "namespaces": ["all"]}, **(settings or {})})
    present = pods or (pod("steerway-a"), pod("steerway-b"))
    api = Api(
        {
            f"{ROOT}/configmaps/steerway": {"data": {"steerway.yaml": text}},
            **{f"{ROOT}/pods/{item['metadata']['name']}": item for item in present},
            **dict(objects),
        }
    )
    reader = Reader(api)  # type: ignore[arg-type]
    made = Context(reader, "mesh", "steerway")
    made.installation = await load(reader, copy.deepcopy(DEPLOYMENT))
    assert made.installation.settings_error == ""
    return made, api


class Answers:
    """Replicas that answer with these documents or errors, by path."""

    def __init__(self, **by_name: Mapping[str, Any]) -> None:
        self._by_name = by_name

    async def get(self, path: str, **_params: str) -> Mapping[str, Any]:
        return self._by_name[path.rpartition("/")[2]]
