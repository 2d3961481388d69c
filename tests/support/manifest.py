"""Kubernetes manifests for backends on loopback, as an API server would give them, and a directory to put them in."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "shop"

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One pod: `address` is `127.0.0.1:40001` or `[::1]:40002`. The conditions are those of a ready pod."""

    address: str
    zone: str | None = None
    hostname: str | None = None
    ready: bool = True
    serving: bool = True
    terminating: bool = False

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def manifest(self) -> Manifest:
        """The endpoint as it stands in a slice."""
        optional = {"zone": self.zone, "hostname": self.hostname}
        return {
            "addresses": [self.host],
            "conditions": {"ready": self.ready, "serving": self.serving, "terminating": self.terminating},
            **{key: value for key, value in optional.items() if value is not None},
        }


def service(
    name: str, ports: Mapping[str, int], headless: bool = False, namespace: str = NAMESPACE, **spec: object
) -> Manifest:
    """A Service with these ports by name (a single one may be named ""); `spec` is added to its own."""
    listed = [{"port": port, **({"name": key} if key else {})} for key, port in ports.items()]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": listed, **({"clusterIP": "None"} if headless else {}), **spec},
    }


def slices(
    name: str, endpoints: Iterable[Endpoint | str], port_name: str = "", namespace: str = NAMESPACE
) -> list[Manifest]:
    """The EndpointSlices of one port of a Service: one for each address family and port number."""
    all_ = [Endpoint(endpoint) if isinstance(endpoint, str) else endpoint for endpoint in endpoints]
    groups = itertools.groupby(sorted(all_, key=_group), _group)
    return [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "-".join(part for part in (name, port_name, str(index)) if part),
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": family,
            "ports": [{"port": port, **({"name": port_name} if port_name else {})}],
            "endpoints": [endpoint.manifest() for endpoint in group],
        }
        for index, ((family, port), group) in enumerate(groups)
    ]


def _group(endpoint: Endpoint) -> tuple[str, int]:
    return "IPv6" if ":" in endpoint.host else "IPv4", endpoint.port


class Files:
    """The directory that steerway watches. Each file is replaced as a whole, so that nobody reads half of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, name: str, *documents: Mapping[str, Any]) -> Path:
        """Replace a file by these documents: YAML, or JSON when the name says so (one document then)."""
        if name.endswith(".json"):
            return self.write_text(name, json.dumps(documents[0]))
        return self.write_text(name, yaml.safe_dump_all(documents, sort_keys=False))

    def write_text(self, name: str, text: str) -> Path:
        """Replace a file by this text."""
        # A name without the ending of a manifest keeps the unfinished file out of what is read.
        unfinished = self.directory / f".{name}.unfinished"
        unfinished.write_text(text)
        return unfinished.replace(self.directory / name)

    def publish(self, endpoints: Sequence[Endpoint | str], name: str = "backend", **spec: object) -> None:
        """Say that these are the endpoints of a headless Service with the one port `grpc`, number 50051; `spec` is
        added to its own."""
        ports = {"grpc": 50051}
        self.write(
            f"{name}.yaml", service(name, ports, headless=True, **spec), *slices(name, endpoints, "grpc")
        )
