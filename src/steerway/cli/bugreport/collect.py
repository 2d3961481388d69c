"""What goes into the archive: documents of each replica, and of the cluster objects, logs and the checks."""

from collections.abc import Sequence
from dataclasses import dataclass

from steerway.cli.bugreport.archive import Archive
from steerway.cli.bugreport.redaction import Redaction
from steerway.cli.cluster import check
from steerway.cli.replica.replica import Replica
from steerway.cli.replica.replicas import Replicas
from steerway.errors import SourceError, SteerwayError
from steerway.injection.certificate.webhook import WEBHOOKS
from steerway.kubecheck import installation
from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Manifest, Reader
from steerway.kubecheck.section.definition import PATH as DEFINITIONS
from steerway.sources.kubernetes.resource import (
    BACKEND_TLS_POLICIES,
    GRPC_ROUTES,
    HTTP_ROUTES,
    REFERENCE_GRANTS,
    TRAFFIC_POLICIES,
)

_LISTS = ("services", "clients", "changes")
_DOCUMENTS = ("status", "problems", "streams", "loads")
_LOG_LINES = "20000"
_LOG_BYTES = str(8 * 2**20)
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_NAMESPACED = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "configmaps": "/api/v1",
    "serviceaccounts": "/api/v1",
    "secrets": "/api/v1",
    "events": "/api/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "roles": _RBAC,
    "rolebindings": _RBAC,
}
_CLUSTER_WIDE = {
    "nodes": "/api/v1/nodes",
    "namespaces": "/api/v1/namespaces",
    "clusterroles": f"{_RBAC}/clusterroles",
    "clusterrolebindings": f"{_RBAC}/clusterrolebindings",
    "mutatingwebhookconfigurations": WEBHOOKS,
    "customresourcedefinitions": DEFINITIONS,
}
_OWN = ("steerway.io", "gateway.networking.k8s.io")
"""API groups whose definitions are collected."""
_ATTACHED = (GRPC_ROUTES, HTTP_ROUTES, REFERENCE_GRANTS, BACKEND_TLS_POLICIES, TRAFFIC_POLICIES)


async def replicas(archive: Archive, asked: Replicas) -> None:
    """The documents of every replica."""
    for name, error in asked.unavailable.items():
        archive.fail(f"replicas/{name}", str(error))
    for member in asked.members:
        folder = f"replicas/{member.name.replace('/', '_').replace(':', '_')}"
        for name in _DOCUMENTS:
            await _document(archive, member, f"{folder}/{name}.json", f"/api/v1/{name}")
        for name in _LISTS:
            await _list(archive, member, f"{folder}/{name}.json", f"/api/v1/{name}")
        await _document(archive, member, f"{folder}/metrics.txt", "/metrics")


async def _document(archive: Archive, member: Replica, file: str, path: str) -> None:
    try:
        archive.add(file, (await member.body(path, {})).decode(errors="replace"))
    except SteerwayError as error:
        archive.fail(file, str(error))


async def _list(archive: Archive, member: Replica, file: str, path: str) -> None:
    try:
        archive.add_json(file, await member.items(path, {}))
    except SteerwayError as error:
        archive.fail(file, str(error))


@dataclass(slots=True)
class ClusterCollector:
    """The objects of one namespace, with what belongs to it in the cluster."""

    archive: Archive
    reader: Reader
    namespace: str
    redaction: Redaction

    async def run(self, asked: Replicas | None) -> None:
        for plural, root in _NAMESPACED.items():
            await self._objects(f"cluster/{plural}.json", f"{root}/namespaces/{self.namespace}/{plural}")
        for plural, path in _CLUSTER_WIDE.items():
            await self._objects(f"cluster/{plural}.json", path)
        for kind in _ATTACHED:
            await self._objects(f"cluster/{kind.plural}.json", kind.path(None), optional=True)
        await self._read("cluster/version.json", "/version")
        await self._logs()
        await self._check(asked)

    async def _objects(self, file: str, path: str, *, optional: bool = False) -> None:
        try:
            items = await self.reader.list(path)
        except SourceError as error:
            if not (optional and getattr(error, "status", None) == 404):
                self.archive.fail(file, _reason(error))
            return
        shown = [
            self.redaction.manifest({**item, **_kind(file)}) for item in items if self._is_own(file, item)
        ]
        self.archive.add_json(file, {"items": shown})

    def _is_own(self, file: str, item: Manifest) -> bool:
        """Of kinds that the whole cluster shares, those of steerway."""
        labels = item["metadata"].get("labels") or {}
        key, _, value = installation.SELECTOR.partition("=")
        if file.endswith("/customresourcedefinitions.json"):
            return item["spec"]["group"] in _OWN
        shared = ("clusterroles", "clusterrolebindings", "mutatingwebhookconfigurations")
        return file.split("/")[1].removesuffix(".json") not in shared or labels.get(key) == value

    async def _read(self, file: str, path: str) -> None:
        try:
            self.archive.add_json(file, await self.reader.get(path))
        except SourceError as error:
            self.archive.fail(file, _reason(error))

    async def _logs(self) -> None:
        """Of the present run of each container, and of the one before, if there was one."""
        root = f"/api/v1/namespaces/{self.namespace}/pods"
        try:
            pods = await self.reader.list(root, installation.SELECTOR)
        except SourceError as error:
            self.archive.fail("logs", _reason(error))
            return
        for pod in pods:
            name = pod["metadata"]["name"]
            for status in (pod.get("status") or {}).get("containerStatuses") or []:
                runs = ["false", *(["true"] if status.get("restartCount") else [])]
                for previous in runs:
                    suffix = "-previous" if previous == "true" else ""
                    file = f"logs/{name}/{status['name']}{suffix}.log"
                    await self._log(file, f"{root}/{name}/log", status["name"], previous)

    async def _log(self, file: str, path: str, container: str, previous: str) -> None:
        query = {
            "container": container,
            "previous": previous,
            "timestamps": "true",
            "tailLines": _LOG_LINES,
            "limitBytes": _LOG_BYTES,
        }
        try:
            self.archive.add(file, await self.reader.text(path, query))
        except SourceError as error:
            self.archive.fail(file, _reason(error))

    async def _check(self, asked: Replicas | None) -> None:
        context = Context(self.reader, self.namespace, check.RELEASE, replicas=asked)
        try:
            self.archive.add_json("check.json", await check.document(context))
        except SteerwayError as error:
            self.archive.fail("check.json", str(error))


async def secrets(reader: Reader, namespace: str) -> Sequence[Manifest]:
    """Those whose values must not be in the archive; none that may not be read, since they cannot be in it either."""
    try:
        return await reader.list(f"/api/v1/namespaces/{namespace}/secrets")
    except SourceError:
        return ()


def _kind(file: str) -> Manifest:
    """Items of a list do not repeat their kind, which decides how they are redacted."""
    return {"kind": "Secret"} if file.endswith("/secrets.json") else {}


def _reason(error: SourceError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)
