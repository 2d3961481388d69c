"""Routes, policies and grants in few words, as in a manifest, and what becomes of them."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.policy import NOTHING
from steerway.catalog.model.route import Routing, Table
from steerway.catalog.routing import rule as routing
from steerway.catalog.routing.attachment import rank
from steerway.sources.policy.gateway import BackendTLSPolicy, GRPCRoute, HTTPRoute, ReferenceGrant
from steerway.sources.policy.traffic_policy import TrafficPolicy
from testbed.mesh import NAMESPACE

GATEWAY = "gateway.networking.k8s.io"
BACKEND = ServiceId(NAMESPACE, "backend")
OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"

Json = Mapping[str, Any]


def parent(name: str = "backend", **fields: object) -> Json:
    """A Service as a parent: `port`, `sectionName` and `namespace` where they are given."""
    return {"group": "", "kind": "Service", "name": name, **fields}


def backend(name: str, weight: int = 1, port: int | None = 50051, **fields: object) -> Json:
    """A Service that gets requests."""
    return {"name": name, "weight": weight, **({} if port is None else {"port": port}), **fields}


def rule(*backends: str | Json, **fields: object) -> Json:
    """A rule with these backends, each of them a name or a whole backend."""
    refs = [backend(item) if isinstance(item, str) else item for item in backends]
    return {"backendRefs": refs, **fields}


def method(service: str = "", name: str = "", **fields: object) -> Json:
    """A match of a gRPC method: of its service, its name or both."""
    parts = {"service": service, "method": name}
    return {"method": {**{key: value for key, value in parts.items() if value}, **fields}}


def grpc_route(*rules: Json, parents: Iterable[Json] = (parent(),), **meta: str) -> GRPCRoute:
    """A GRPCRoute; `meta` as in `metadata`."""
    return msgspec.convert(_object(meta, parentRefs=list(parents), rules=list(rules)), GRPCRoute)


def http_route(
    *rules: Json, parents: Iterable[Json] = (parent(),), hostnames: Iterable[str] = (), **meta: str
) -> HTTPRoute:
    """An HTTPRoute; `meta` as in `metadata`."""
    spec = {"parentRefs": list(parents), "rules": list(rules), "hostnames": list(hostnames)}
    return msgspec.convert(_object(meta, **spec), HTTPRoute)


def policy(
    kind: str = "Service", target: str = "backend", section: str = "", **spec: object
) -> TrafficPolicy:
    """A TrafficPolicy on one target; `name` and `created` are taken out of `spec`."""
    ref = {"group": "" if kind == "Service" else GATEWAY, "kind": kind, "name": target}
    meta = {"name": spec.pop("name", "policy"), "creationTimestamp": spec.pop("created", "")}
    refs = [{**ref, **({"sectionName": section} if section else {})}]
    return msgspec.convert(_object(meta, targetRefs=refs, **spec), TrafficPolicy)


def grant(
    to: Json, *origins: str, kind: str = "GRPCRoute", name: str = "grant", namespace: str = NAMESPACE
) -> ReferenceGrant:
    """A ReferenceGrant for routes of these namespaces."""
    froms = [{"group": GATEWAY, "kind": kind, "namespace": origin} for origin in origins]
    meta = {"name": name, "namespace": namespace}
    return msgspec.convert(_object(meta, **{"from": froms, "to": [to]}), ReferenceGrant)


def tls_policy(target: str = "backend", section: str = "", **validation: object) -> BackendTLSPolicy:
    """A BackendTLSPolicy on one Service, or one port of it."""
    ref = {"group": "", "kind": "Service", "name": target, **({"sectionName": section} if section else {})}
    obj = _object({"name": "tls"}, targetRefs=[ref], validation={"hostname": "backend.test", **validation})
    return msgspec.convert(obj, BackendTLSPolicy)


def _object(meta: Mapping[str, object], **spec: object) -> dict[str, object]:
    return {"metadata": {"name": "route", "namespace": NAMESPACE, **meta}, "spec": spec}


def routing_of(*routes: GRPCRoute | HTTPRoute, port: int = 50051, name: str = "grpc") -> Routing:
    """The rules of one port of the Service `backend`, without policies."""
    return routing.build(BACKEND, port, sorted(routes, key=rank), lambda *_: NOTHING, name)


def producer(*routes: GRPCRoute | HTTPRoute) -> Table:
    """The rules for everybody."""
    table = routing_of(*routes).producer
    assert table is not None
    return table


def names(table: Table | None) -> list[str]:
    """The backends of all entries, in the order in which they are tried."""
    return [item.to.service.name for _, rule in table or () for item in rule.backends if item.to is not None]
