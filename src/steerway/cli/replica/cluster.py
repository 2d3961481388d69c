"""The replicas in a Kubernetes cluster: the running pods of a release, their admin port and its token."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from steerway.config import HttpSettings
from steerway.errors import SourceError
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.hint import server_hint

SELECTOR = "app.kubernetes.io/name=steerway"
"""Labels of the pods in the chart and the kustomize bases."""
_INSTANCE = "app.kubernetes.io/instance"
_PORT_NAME = "admin"
_TOKEN_VOLUME = "admin-token"
_TOKEN_KEY = "token"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of steerway. `obstacle`: why it cannot be queried, "" when it can; `secret`: that of its token, or ""."""

    namespace: str
    name: str
    instance: str
    port: int
    obstacle: str
    secret: str

    @classmethod
    def of(cls, manifest: Mapping[str, Any], port: int | None) -> "Pod":
        """`port`: its admin port; None: that named `admin`, else the default of the setting."""
        metadata, spec = manifest["metadata"], manifest["spec"]
        named = [
            entry["containerPort"]
            for container in spec["containers"]
            for entry in container.get("ports") or ()
            if entry.get("name") == _PORT_NAME
        ]
        secrets = [
            volume["secret"]["secretName"]
            for volume in spec.get("volumes") or ()
            if volume["name"] == _TOKEN_VOLUME and "secret" in volume
        ]
        default = int(HttpSettings.admin.rpartition(":")[2])
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            instance=(metadata.get("labels") or {}).get(_INSTANCE, ""),
            port=port or next(iter(named), default),
            obstacle=_obstacle(manifest),
            secret=next(iter(secrets), ""),
        )


def _obstacle(manifest: Mapping[str, Any]) -> str:
    status = manifest.get("status") or {}
    phase = status.get("phase", "Pending")
    if phase == "Running":
        return ""
    waiting = [
        container["state"]["waiting"].get("reason", "")
        for container in status.get("containerStatuses") or ()
        if "waiting" in (container.get("state") or {})
    ]
    return f"its pod is {phase}" + (f" ({waiting[0]})" if waiting and waiting[0] else "")


async def find(
    client: KubernetesClient, namespaces: Iterable[str], selector: str, port: int | None
) -> list[Pod]:
    """The pods of the one release in the first of these namespaces that may be listed; "" is all of them.

    Raises SourceError: there are none, several releases, or no permission.
    """
    refusal: RequestError | None = None
    looked = []
    for namespace in namespaces:
        try:
            pods = [Pod.of(manifest, port) for manifest in await _list(client, namespace, selector)]
        except RequestError as error:
            if error.failure.status != 403:
                raise SourceError(
                    f"the API server does not list pods: {error}", server_hint(error.failure, client.server)
                ) from None
            refusal = error
            continue
        if pods:
            return _one_release(pods)
        looked.append(f"namespace {namespace}" if namespace else "any namespace")
    if not looked and refusal is not None:
        raise SourceError(
            f"{refusal.failure.message}; add {{apiGroups: [''], resources: [pods], verbs: [list]}} to the rules of a"
            " Role that is bound to this user, and name its namespace with --steerway-namespace"
        ) from None
    raise SourceError(
        f"no pod with the labels {selector} is in {' or '.join(looked)}: choose with --steerway-namespace,"
        " --selector or --context, or give the address of a control plane with --address"
    )


async def _list(client: KubernetesClient, namespace: str, selector: str) -> list[dict[str, Any]]:
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    document = json.loads(await client.get(f"/api/v1{scope}/pods", {"labelSelector": selector}))
    pods: list[dict[str, Any]] = document["items"]
    return [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]


def _one_release(pods: list[Pod]) -> list[Pod]:
    releases = sorted({(pod.namespace, pod.instance) for pod in pods})
    if len(releases) > 1:
        names = ", ".join(f"{instance or 'no instance'} in {namespace}" for namespace, instance in releases)
        raise SourceError(
            f"there are {len(releases)} releases of steerway ({names}): choose one with --steerway-namespace, or with"
            f" --selector {_INSTANCE}=NAME"
        )
    return sorted(pods, key=lambda pod: pod.name)


async def token(client: KubernetesClient, pod: Pod) -> tuple[str, str]:
    """The token of a pod's admin server from its Secret, and what to do where it is not readable."""
    if not pod.secret:
        return "", "give its file with --token-file"
    path = f"/api/v1/namespaces/{pod.namespace}/secrets/{quote(pod.secret, safe='')}"
    rule = f"{{apiGroups: [''], resources: [secrets], resourceNames: [{pod.secret}], verbs: [get]}}"
    try:
        data = json.loads(await client.get(path, {})).get("data") or {}
    except RequestError as error:
        return "", (
            f"Secret {pod.namespace}/{pod.secret} has it and is not readable ({error.failure.reason}): add {rule} to"
            " the rules of a Role that is bound to this user, or give a file with --token-file"
        )
    encoded = data[_TOKEN_KEY] if _TOKEN_KEY in data else next(iter(data.values())) if len(data) == 1 else ""
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii").strip(), ""
    except ValueError:
        return (
            "",
            f"Secret {pod.namespace}/{pod.secret} contains none that is ASCII text: give it with --token-file",
        )
