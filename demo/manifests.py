"""The directory that steerway watches: one Service and its EndpointSlice, as the API server would give them.

The slice is written whole beside its place and renamed into it, so that no reader ever sees half of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.plan import NAMESPACE, SERVICE

_SLICE = "endpointslice.yaml"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A published pod: serving, and either ready for new calls or terminating."""

    name: str
    address: str
    terminating: bool = False


def service(port: int) -> dict[str, Any]:
    """The headless Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE},
        "spec": {
            "clusterIP": "None",
            "selector": {"app": SERVICE},
            "ports": [{"name": "grpc", "protocol": "TCP", "port": port, "targetPort": port}],
        },
    }


def endpoint_slice(port: int, endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The EndpointSlice of the Service with these endpoints."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{SERVICE}-demo",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": SERVICE},
        },
        "addressType": "IPv4",
        "ports": [{"name": "grpc", "protocol": "TCP", "port": port}],
        "endpoints": [_endpoint(endpoint) for endpoint in endpoints],
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "addresses": [endpoint.address],
        # EndpointSlice API, EndpointConditions: a terminating pod that still answers is serving, never ready.
        "conditions": {
            "ready": not endpoint.terminating,
            "serving": True,
            "terminating": endpoint.terminating,
        },
        "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": endpoint.name},
    }


class Manifests:
    """The files of one directory."""

    def __init__(self, directory: Path, port: int) -> None:
        self._directory = directory
        self._port = port
        (directory / "service.yaml").write_text(yaml.safe_dump(service(port), sort_keys=False))
        self.publish(())

    def publish(self, endpoints: Iterable[Endpoint]) -> None:
        """Replace the EndpointSlice."""
        # The name without a .yaml ending keeps the unfinished file out of what steerway reads.
        unfinished = self._directory / f".{_SLICE}.unfinished"
        unfinished.write_text(yaml.safe_dump(endpoint_slice(self._port, endpoints), sort_keys=False))
        unfinished.replace(self._directory / _SLICE)
