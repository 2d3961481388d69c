"""Two replicas with the documents of a small cluster, in the form of the admin server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.admin_replica import AdminReplica, Document

Ask = Callable[..., tuple[int, str, str]]


def service(name: str = "backend", **fields: Any) -> Document:
    """An item of `/api/v1/services`."""
    return {
        "id": f"shop/{name}",
        "namespace": "shop",
        "name": name,
        "ports": [{"number": 50051, "name": "grpc", "protocol": "TCP"}],
        "endpoints": {"healthy": 2, "draining": 1, "unready": 0, "total": 3},
        "zones": {"eu-1a": 2, "eu-1b": 1},
        "policies": [f"TrafficPolicy shop/{name}"],
        "routes": [],
        "clients": {"streams": 3, "workloads": 1, "states": {"in_sync": 3}},
        "problems": 0,
        "state": "ok",
        "changed_age_seconds": 90.0,
        **fields,
    }


def workload(name: str = "checkout", **fields: Any) -> Document:
    """An item of `/api/v1/clients`."""
    return {
        "id": f"shop/{name}",
        "namespace": "shop",
        "name": name,
        "kind": "Deployment",
        "streams": 2,
        "nodes": 2,
        "states": {"in_sync": 2},
        "state": "in_sync",
        "libraries": {"grpc-go 1.80": 2},
        "zones": {"eu-1a": 2},
        "services": 1,
        "limitations": 0,
        "oldest_unacked_seconds": None,
        "age_seconds": 7200.0,
        **fields,
    }


def node(id: str = "checkout-1", **fields: Any) -> Document:
    """An item of `/api/v1/clients?by=node`."""
    return {
        "id": id,
        "workload": "shop/checkout",
        "client": "grpc-go 1.80",
        "address": "10.0.0.9:4000",
        "zone": "eu-1a",
        "node": "host-1",
        "pod": id,
        "streams": 1,
        "state": "in_sync",
        "states": {"in_sync": 1},
        "services": 1,
        "limitations": 0,
        "nack": None,
        "age_seconds": 600.0,
        **fields,
    }


def change(id: str, replica: str, time: str = "2026-11-30T21:00:00.000Z", **fields: Any) -> Document:
    """An item of `/api/v1/changes`."""
    return {
        "id": id,
        "replica": replica,
        "time": time,
        "kind": "change",
        "objects": ["EndpointSlice shop/backend-1"],
        "object_count": 1,
        "services": ["shop/backend"],
        "service_count": 1,
        "resources": {"eds": ["backend.shop.svc.cluster.local:50051"]},
        "resource_count": 1,
        "text": "endpoints of shop/backend",
        "event_to_published_seconds": 0.012,
        "clients": {"sent": 3, "acked": 3, "nacked": 0, "pending": 0, "ended": 0},
        "first_sent_seconds": 0.001,
        "last_acked_seconds": 0.004,
        "complete": True,
        "nacks": [],
        **fields,
    }


def status(replica: str, **fields: Any) -> Document:
    """The document of `/api/v1/status`."""
    return {
        "replica": replica,
        "version": "0.2.0",
        "phase": "serving",
        "ready": True,
        "missing": [],
        "age_seconds": 86400.0 * 3,
        "time": "2026-11-30T21:00:00.000Z",
        "config_age_seconds": 12.0,
        "services": 2,
        "workloads": 1,
        "streams": 3,
        "states": {"in_sync": 3},
        "resources": {"lds": 2, "eds": 2},
        "problems": 0,
        "informers": [
            {
                "cluster": "",
                "kind": "Service",
                "namespace": "all",
                "synced": True,
                "silent_seconds": 3.0,
                "stale": False,
                "installed": True,
            }
        ],
        "refused": {},
        "oldest_unacked_seconds": None,
        "absent": 0,
        "changes": {"last_id": "17"},
        **fields,
    }


def listed(*items: Document) -> Document:
    """The document of a list with one page."""
    return {"items": list(items), "total": len(items), "next": None, "replica": "any"}


@pytest.fixture
def pair() -> Iterator[list[AdminReplica]]:
    """Two replicas without documents; tests add theirs."""
    with ExitStack() as stack:
        yield [stack.enter_context(AdminReplica({})) for _ in range(2)]


@pytest.fixture
def ask(steerway: Ask, pair: list[AdminReplica]) -> Ask:
    """Run `steerway ARGUMENTS` on both; addresses in the output are `first` and `second`."""

    def run(*arguments: str) -> tuple[int, str, str]:
        addresses = [part for replica in pair for part in ("--address", replica.address)]
        code, out, err = steerway(*arguments, *addresses)
        for name, replica in zip(("first", "second"), pair, strict=True):
            out, err = out.replace(replica.address, name), err.replace(replica.address, name)
        return code, out, err

    return run
