"""A small client of the API server for tests: apply, read and delete manifests, and tokens of service accounts."""

import asyncio
import functools
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from testbed.manifest import Manifest

_PLURALS = {
    "Namespace": "namespaces",
    "Node": "nodes",
    "Pod": "pods",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "EndpointSlice": "endpointslices",
    "Event": "events",
    "Lease": "leases",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "CustomResourceDefinition": "customresourcedefinitions",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
    "ClusterTrustBundle": "clustertrustbundles",
    "PodCertificateRequest": "podcertificaterequests",
    "TrafficPolicy": "trafficpolicies",
    "ServerPolicy": "serverpolicies",
    "AuthorizationPolicy": "authorizationpolicies",
    "BackendTLSPolicy": "backendtlspolicies",
    "GRPCRoute": "grpcroutes",
    "HTTPRoute": "httproutes",
    "ReferenceGrant": "referencegrants",
}
_VERSIONS = {
    "EndpointSlice": "discovery.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    **dict.fromkeys(
        (
            "MutatingWebhookConfiguration",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        ),
        "admissionregistration.k8s.io/v1",
    ),
    **dict.fromkeys(("ClusterTrustBundle", "PodCertificateRequest"), "certificates.k8s.io/v1"),
    **dict.fromkeys(("TrafficPolicy", "ServerPolicy", "AuthorizationPolicy"), "steerway.io/v1alpha1"),
    **dict.fromkeys(
        ("BackendTLSPolicy", "GRPCRoute", "HTTPRoute", "ReferenceGrant"), "gateway.networking.k8s.io/v1"
    ),
    **dict.fromkeys(("Deployment", "StatefulSet"), "apps/v1"),
    **dict.fromkeys(
        ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"), "rbac.authorization.k8s.io/v1"
    ),
}
_CLUSTER_WIDE = (
    "Namespace",
    "Node",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
)
_TIMEOUT_SECONDS = 20.0
_EXEC_PROTOCOL = "v5.channel.k8s.io"
_STDOUT, _STDERR, _STATUS = 1, 2, 3
"""Channels of `_EXEC_PROTOCOL`: the first byte of each message."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a command in a container wrote, and its exit code."""

    output: str
    error: str
    code: int


def api_version(kind: str) -> str:
    """The group and version of a kind, as manifests have it."""
    return _VERSIONS.get(kind, "v1")


def path(kind: str, namespace: str = "", name: str = "") -> str:
    """Where the API server has an object, or (without name) the collection."""
    version = api_version(kind)
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{namespace}" if namespace and kind not in _CLUSTER_WIDE else ""
    return f"{root}{inside}/{_PLURALS[kind]}" + (f"/{name}" if name else "")


class Api:
    """Requests as the user of `token`. They are made by the calling thread, so it has to be inside."""

    def __init__(self, server: str, certificate: Path, token: str) -> None:
        self._server = server
        self._certificate = certificate
        self._headers = {"Authorization": f"Bearer {token}"}

    @functools.cached_property
    def _http(self) -> httpx.Client:
        # Made late: the server writes its certificate when it starts.
        return httpx.Client(
            base_url=self._server,
            headers=self._headers,
            verify=ssl.create_default_context(cafile=str(self._certificate)),
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def ready(self) -> bool:
        """Whether the API server answers that it is ready."""
        if not self._certificate.is_file():
            return False
        try:
            return self._http.get("/readyz").status_code == httpx.codes.OK
        except (httpx.TransportError, ssl.SSLError):
            return False

    def apply(self, *manifests: Manifest, manager: str = "tests", force: bool = True) -> None:
        """Create or change each object, as `kubectl apply --server-side`, by default with `--force-conflicts`."""
        for manifest in manifests:
            metadata = manifest["metadata"]
            self._send(
                "PATCH",
                path(manifest["kind"], metadata.get("namespace", ""), metadata["name"]),
                content=json.dumps(manifest),
                params={"fieldManager": manager, "force": str(force).lower()},
                headers={"Content-Type": "application/apply-patch+yaml"},
            )

    def refusal(self, manifest: Manifest) -> str:
        """Why the API server would not create an object, unknown fields among the reasons; "" when it would. Nothing
        is created."""
        answer = self._http.post(
            path(manifest["kind"], manifest["metadata"].get("namespace", "")),
            json=manifest,
            params={"dryRun": "All", "fieldValidation": "Strict"},
        )
        assert answer.is_success or answer.is_client_error, answer.text
        assert answer.status_code != httpx.codes.NOT_FOUND, answer.text
        return "" if answer.is_success else str(answer.json()["message"])

    def create(self, manifest: Manifest, dry_run: bool = False) -> Manifest:
        """Create an object, whose name may be left to the API server; returns it as admission has changed it."""
        metadata = manifest["metadata"]
        params = {"dryRun": "All"} if dry_run else {}
        where = path(manifest["kind"], metadata.get("namespace", ""))
        created: Manifest = self._send("POST", where, json=manifest, params=params)
        return created

    def get(self, kind: str, namespace: str, name: str) -> Manifest:
        return self._send("GET", path(kind, namespace, name))

    def exists(self, kind: str, namespace: str, name: str) -> bool:
        """Whether there is such an object."""
        answer = self._http.get(path(kind, namespace, name))
        assert answer.is_success or answer.status_code == httpx.codes.NOT_FOUND, answer.text
        return answer.is_success

    def log(self, namespace: str, pod: str, container: str = "") -> str:
        """The output of a container of a pod, of its newest run."""
        answer = self._http.get(
            f"{path('Pod', namespace, pod)}/log", params={"container": container} if container else {}
        )
        assert answer.is_success, answer.text
        return answer.text

    def execute(self, namespace: str, pod: str, *command: str, container: str = "") -> Execution:
        """Run a command in a running container of a pod, as `kubectl exec`."""
        query = [("command", word) for word in command] + [("stdout", "true"), ("stderr", "true")]
        query += [("container", container)] if container else []
        return asyncio.run(self._execute(f"{path('Pod', namespace, pod)}/exec", query))

    async def _execute(self, where: str, query: list[tuple[str, str]]) -> Execution:
        received = {_STDOUT: b"", _STDERR: b"", _STATUS: b""}
        tls = ssl.create_default_context(cafile=str(self._certificate))
        async with (
            aiohttp.ClientSession(self._server, headers=self._headers) as session,
            session.ws_connect(where, params=query, protocols=[_EXEC_PROTOCOL], ssl=tls) as socket,
        ):
            async for message in socket:
                received[message.data[0]] += message.data[1:]
        status = json.loads(received[_STATUS])
        causes = status.get("details", {}).get("causes", [])
        codes = [int(cause["message"]) for cause in causes if cause["reason"] == "ExitCode"]
        assert codes or status["status"] == "Success", status
        return Execution(received[_STDOUT].decode(), received[_STDERR].decode(), *(codes or [0]))

    def list(self, kind: str, namespace: str = "") -> list[Manifest]:
        """All objects of a kind, of one namespace or of all."""
        items: list[Manifest] = self._send("GET", path(kind, namespace))["items"]
        return items

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Begin to delete an object: those with dependents or finalizers go later."""
        self._send("DELETE", path(kind, namespace, name))

    def restart(self, kind: str, namespace: str, name: str) -> None:
        """Replace the pods of a Deployment or StatefulSet, as `kubectl rollout restart`."""
        workload = self.get(kind, namespace, name)
        mark = {"tests/restarted-after": workload["metadata"]["resourceVersion"]}
        self._merge(kind, namespace, name, {"template": {"metadata": {"annotations": mark}}})

    def scale(self, kind: str, namespace: str, name: str, replicas: int) -> None:
        self._merge(kind, namespace, name, {"replicas": replicas})

    def token(self, namespace: str, account: str, *audiences: str) -> str:
        """A new token of a service account; without audiences it is for the API server."""
        spec = {"audiences": list(audiences)} if audiences else {}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        made = self._send("POST", f"{path('ServiceAccount', namespace, account)}/token", json=body)
        token: str = made["status"]["token"]
        return token

    def refusal_of_change(self, token: str, kind: str, name: str, change: Manifest) -> str:
        """Why a merge patch of a cluster-wide object is refused with another token; "" when it is made."""
        answer = self._http.patch(
            path(kind, "", name),
            content=json.dumps(change),
            headers={"Content-Type": "application/merge-patch+json", "Authorization": f"Bearer {token}"},
        )
        return "" if answer.is_success else str(answer.json()["message"])

    def status_as(self, token: str, request: str) -> int:
        """The status code that a GET of the path `request` has with another token."""
        return self._http.get(request, headers={"Authorization": f"Bearer {token}"}).status_code

    def close(self) -> None:
        if "_http" in self.__dict__:
            self._http.close()

    def write_status(self, kind: str, namespace: str, name: str, status: Manifest) -> None:
        """Write fields of an object's status, as its controller does."""
        self._send(
            "PATCH",
            f"{path(kind, namespace, name)}/status",
            content=json.dumps({"status": status}),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def annotate(self, kind: str, namespace: str, name: str, annotations: dict[str, str]) -> None:
        """Add or change annotations of an object."""
        self._send(
            "PATCH",
            path(kind, namespace, name),
            content=json.dumps({"metadata": {"annotations": annotations}}),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def _merge(self, kind: str, namespace: str, name: str, spec: Manifest) -> None:
        self._send(
            "PATCH",
            path(kind, namespace, name),
            content=json.dumps({"spec": spec}),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def _send(self, method: str, where: str, **request: Any) -> Any:
        answer = self._http.request(method, where, **request)
        assert answer.is_success, f"{method} {where}: {answer.status_code} {answer.text}"
        return answer.json()
