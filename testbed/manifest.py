"""Kubernetes manifests for backends on loopback, as an API server would give them, and a directory to put them in."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "shop"
PORT = 50051
"""The number that Services have for their one port by default."""
GATEWAY = "gateway.networking.k8s.io"

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
    name: str,
    ports: Mapping[str, int],
    headless: bool = False,
    namespace: str = NAMESPACE,
    annotations: Mapping[str, str] | None = None,
    uid: str = "",
    **spec: object,
) -> Manifest:
    """A Service with these ports by name (a single one may be named ""); `spec` is added to its own."""
    listed = [{"port": port, **({"name": key} if key else {})} for key, port in ports.items()]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            **({"annotations": dict(annotations)} if annotations else {}),
            **({"uid": uid} if uid else {}),
        },
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
    """The directory that steerway watches. Each file is replaced as a whole, so that no reader sees half of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, name: str, *documents: Mapping[str, Any]) -> Path:
        """Replace a file by these documents: YAML, or JSON by the name's suffix (one document then)."""
        if name.endswith(".json"):
            return self.write_text(name, json.dumps(documents[0]))
        return self.write_text(name, yaml.safe_dump_all(documents, sort_keys=False))

    def write_text(self, name: str, text: str) -> Path:
        """Replace a file by this text."""
        # A name without the ending of a manifest keeps the unfinished file out of what is read.
        unfinished = self.directory / f".{name}.unfinished"
        unfinished.write_text(text)
        return unfinished.replace(self.directory / name)

    def publish(
        self,
        endpoints: Sequence[Endpoint | str],
        name: str = "backend",
        namespace: str = NAMESPACE,
        annotations: Mapping[str, str] | None = None,
        uid: str = "",
        **spec: object,
    ) -> None:
        """Publish these as the endpoints of a headless Service with the one port `grpc`, number 50051; `spec` is
        added to its own."""
        ports = {"grpc": PORT}
        stated = service(
            name, ports, headless=True, namespace=namespace, annotations=annotations, uid=uid, **spec
        )
        file = f"{name}.yaml" if namespace == NAMESPACE else f"{namespace}-{name}.yaml"
        self.write(file, stated, *slices(name, endpoints, "grpc", namespace))

    def remove(self, name: str) -> None:
        """Take a file away."""
        (self.directory / name).unlink()


def target(name: str, kind: str = "Service", section: str = "") -> Manifest:
    """What a TrafficPolicy is attached to: a Service, or a route by its kind; `section` is a port's or rule's name."""
    results = {"group": "" if kind == "Service" else GATEWAY, "kind": kind, "name": name}
    return {**results, **({"sectionName": section} if section else {})}


def backend_tls_policy(
    name: str, *targets: Manifest | str, created: str = "", **validation: object
) -> Manifest:
    """A BackendTLSPolicy; a target that is a name is a Service. `validation` are the fields of that section."""
    refs = [target(item) if isinstance(item, str) else item for item in targets]
    return {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": "BackendTLSPolicy",
        "metadata": _metadata(name, NAMESPACE, created),
        "spec": {"targetRefs": refs, "validation": {"hostname": "backend.test", **validation}},
    }


def traffic_policy(
    name: str, *targets: Manifest | str, namespace: str = NAMESPACE, created: str = "", **sections: object
) -> Manifest:
    """A TrafficPolicy; a target that is a name is a Service. `created` (`2026-01-01T00:00:00Z`) ranks it among rivals.

    `traffic_policy("slow", "backend", timeout={"request": "1s"})`.
    """
    refs = [target(item) if isinstance(item, str) else item for item in targets]
    return {
        "apiVersion": "steerway.io/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": _metadata(name, namespace, created),
        "spec": {"targetRefs": refs, **sections},
    }


def parent(name: str, **fields: object) -> Manifest:
    """The Service that a route is attached to; `fields` are `namespace`, `port`, `sectionName`."""
    return {"group": "", "kind": "Service", "name": name, **fields}


def backend_ref(name: str, weight: int = 1, port: int = PORT, **fields: object) -> Manifest:
    """A Service that gets requests of a rule, with its share of them; `fields` are `namespace`, `filters`."""
    return {"name": name, "port": port, "weight": weight, **fields}


def rule(*backends: Manifest | str, **fields: object) -> Manifest:
    """A rule of a route; a backend that is a name is `backend_ref` of it. `fields` are `matches`, `name` and so on."""
    refs = [backend_ref(backend) if isinstance(backend, str) else backend for backend in backends]
    return {**fields, "backendRefs": refs}


def method(service: str = "", name: str = "", regex: bool = False, **headers: str) -> Manifest:
    """A match of a GRPCRoute: by gRPC service and method, and by headers with exactly these values (`x_user` is
    `x-user`)."""
    parts = {key: value for key, value in {"service": service, "method": name}.items() if value}
    result = {"method": {**parts, **({"type": "RegularExpression"} if regex else {})}} if parts else {}
    return {**result, **({"headers": headers_of(**headers)} if headers else {})}


def path(value: str, prefix: bool = False, **fields: object) -> Manifest:
    """A match of an HTTPRoute by path; `fields` are `headers`, `method`, `queryParams`."""
    return {"path": {"type": "PathPrefix" if prefix else "Exact", "value": value}, **fields}


def headers_of(regex: bool = False, **values: str) -> list[Manifest]:
    """Headers of a match, with exactly these values or, `regex`, with such values (`x_user` is `x-user`)."""
    kind = "RegularExpression" if regex else "Exact"
    return [{"name": name.replace("_", "-"), "type": kind, "value": value} for name, value in values.items()]


def grpc_route(
    name: str, to: Manifest | str, *rules: Manifest, namespace: str = NAMESPACE, created: str = ""
) -> Manifest:
    """A GRPCRoute with one parent: a Service of the route's own namespace by its name, or what `parent` gives."""
    return _route("GRPCRoute", _metadata(name, namespace, created), to, rules)


def http_route(
    name: str, to: Manifest | str, *rules: Manifest, namespace: str = NAMESPACE, created: str = ""
) -> Manifest:
    """An HTTPRoute, as `grpc_route`."""
    return _route("HTTPRoute", _metadata(name, namespace, created), to, rules)


def _route(kind: str, metadata: Manifest, to: Manifest | str, rules: Sequence[Manifest]) -> Manifest:
    return {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": {"parentRefs": [parent(to) if isinstance(to, str) else to], "rules": list(rules)},
    }


def _metadata(name: str, namespace: str, created: str) -> Manifest:
    return {
        "name": name,
        "namespace": namespace,
        **({"creationTimestamp": created} if created else {}),
    }
