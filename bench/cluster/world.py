"""The services of the benchmark in a real API server: written there, and changed one endpoint at a time."""

import http.client
import json
import ssl
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from bench import mesh

_WRITERS = 16
_TIMEOUT_SECONDS = 30.0
_SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{mesh.NAMESPACE}/endpointslices"
_ENDPOINTS = f"/api/v1/namespaces/{mesh.NAMESPACE}/endpoints"
_SERVICES = f"/api/v1/namespaces/{mesh.NAMESPACE}/services"
_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
_TRIGGER_PATH = f"/metadata/annotations/{_TRIGGER.replace('/', '~1')}"


class WorldError(Exception):
    """The API server refused something; the text has its words."""


class World:
    """Requests to the API server at `url` as the user of `token`, from any thread: each has its own connection.

    With `legacy` the endpoints of a Service are in an Endpoints object, for control planes that do not read slices.
    """

    def __init__(self, url: str, certificate: Path, token: str, legacy: bool = False) -> None:
        self._legacy = legacy
        self._address = urlsplit(url).netloc
        self._trust = ssl.create_default_context(cafile=str(certificate))
        self._headers = {"Authorization": f"Bearer {token}"}
        self._own = threading.local()

    def create_namespace(self) -> None:
        """Where all of it goes."""
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": mesh.NAMESPACE}}
        self._send("POST", "/api/v1/namespaces", json.dumps(manifest), "application/json")

    def fill(self, services: Iterable[int], endpoints: int) -> None:
        """Create headless Services, each with one EndpointSlice of so many endpoints."""
        with ThreadPoolExecutor(_WRITERS) as writers:
            list(writers.map(lambda service: self._create(service, endpoints), services))

    def replace(self, service: int, endpoint: int, address: str) -> None:
        """An endpoint goes and another comes, as in a rolling restart; returns when the API server has answered."""
        if self._legacy:
            where = f"/subsets/0/addresses/{endpoint}/ip"
            patch = [{"op": "replace", "path": where, "value": address}]
            self._patch(f"{_ENDPOINTS}/svc-{service}", patch)
            return
        patch = [
            {"op": "replace", "path": f"/endpoints/{endpoint}/addresses/0", "value": address},
            {"op": "replace", "path": _TRIGGER_PATH, "value": _now()},
        ]
        self._patch(f"{_SLICES}/svc-{service}-1", patch)

    def _patch(self, where: str, patch: list[dict[str, str]]) -> None:
        self._send("PATCH", where, json.dumps(patch), "application/json-patch+json")

    def _create(self, service: int, endpoints: int) -> None:
        manifest = json.loads(mesh.service_manifest(service))
        manifest["spec"]["clusterIP"] = "None"
        self._send("POST", _SERVICES, json.dumps(manifest), "application/json")
        addresses = mesh.first_addresses(service, endpoints)
        if self._legacy:
            self._send("POST", _ENDPOINTS, _endpoints(service, addresses), "application/json")
        else:
            self._send("POST", _SLICES, _slice(service, addresses), "application/json")

    def _send(self, method: str, path: str, body: str, kind: str) -> None:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(
                self._address, timeout=_TIMEOUT_SECONDS, context=self._trust
            )
            self._own.connection = connection
        connection.request(method, path, body, {**self._headers, "Content-Type": kind})
        answer = connection.getresponse()
        words = answer.read()
        if answer.status >= 300:
            raise WorldError(f"{method} {path}: {answer.status} {words[:500].decode(errors='replace')}")


def _slice(service: int, addresses: Sequence[str]) -> str:
    manifest = json.loads(mesh.slice_manifest(service, addresses))
    manifest["metadata"]["annotations"] = {_TRIGGER: _now()}
    return json.dumps(manifest)


def _endpoints(service: int, addresses: Sequence[str]) -> str:
    ports = [{"name": "grpc", "port": mesh.PORT, "protocol": "TCP"}]
    manifest = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": f"svc-{service}", "namespace": mesh.NAMESPACE},
        "subsets": [{"addresses": [{"ip": address} for address in addresses], "ports": ports}],
    }
    return json.dumps(manifest)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
