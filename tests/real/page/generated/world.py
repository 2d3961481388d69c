"""A mesh of generated services and workloads, as documents of the HTTP API, that changes step by step.

The same numbers and seed give the same mesh.
"""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

NAMESPACES = ("shop", "payments", "search", "identity", "media", "platform")
WORDS = (
    *(
        "cart",
        "catalog",
        "checkout",
        "price",
        "stock",
        "order",
        "invoice",
        "ledger",
        "fraud",
        "index",
        "query",
    ),
    *("rank", "login", "session", "profile", "image", "video", "thumb", "mail", "audit", "quota", "config"),
)
ZONES = ("eu-1a", "eu-1b", "eu-1c")
LIBRARIES = (
    "grpc-go 1.80",
    "C-core (C++, Python, Ruby) 1.85",
    "grpc-java 1.76",
    "grpc-js 1.14",
    "envoy 1.36",
)
STATES = ("refused", "waiting", "behind", "absent", "in_sync")
_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, None)
_TIERS = 4
LONGEST = 63
"""Characters of the name of a Service or a namespace."""
_ENDED = {"sent": 0, "acked": 0, "nacked": 0, "pending": 0, "ended": 0}

Document = dict[str, Any]


class World:
    """`services`, `workloads` and `changes` by id, `edges` by (workload, service): items of the lists. `long`: every
    namespace and name has 63 characters, and names differ at their ends."""

    def __init__(
        self, workloads: int, services: int, seed: int = 1, entries: int = 60, *, long: bool = False
    ) -> None:
        self._random = random.Random(seed)
        self.services: dict[str, Document] = {}
        self.endpoints: dict[str, list[Document]] = {}
        self.workloads: dict[str, Document] = {}
        self.edges: dict[tuple[str, str], Document] = {}
        self.changes: dict[str, Document] = {}
        names = list(_names(max(services, workloads)))
        if long:
            names = [
                "/".join(
                    f"{part:-<{LONGEST - 6}}".replace("-", "x") + f"-{index:05d}" for part in name.split("/")
                )
                for index, name in enumerate(names)
            ]
        for index, name in enumerate(names[:services]):
            self._add_service(name, index)
        for index, name in enumerate(names[-workloads:] if workloads < services else names[:workloads]):
            self._add_workload(name, index)
        for name in self.services:
            self._count(name)
        start = datetime.now(UTC) - timedelta(minutes=40)
        for index in range(entries):
            self._record(start + timedelta(minutes=39) * (index / max(1, entries)) ** 0.7)

    def step(self, count: int = 3) -> tuple[list[str], list[str], list[str]]:
        """Changes some services and workloads; returns ids of changed services, workloads and changes."""
        services = self._random.sample(sorted(self.services), k=min(count, len(self.services)))
        for name in services:
            for endpoint in self._random.sample(self.endpoints[name], k=min(1, len(self.endpoints[name]))):
                endpoint["state"] = self._random.choices(("healthy", "draining", "unready"), (8, 1, 1))[0]
            self.services[name]["changed_age_seconds"] = 0.0
            self._count(name)
        workloads = self._random.sample(sorted(self.workloads), k=min(count, len(self.workloads)))
        for name in workloads:
            self._mix(self.workloads[name])
        return services, workloads, [self._record(datetime.now(UTC), services[0])]

    def status(self) -> Document:
        states: Counter[str] = Counter()
        for workload in self.workloads.values():
            states.update(workload["states"])
        return {
            "replica": "steerway-6d9f7b8c4-x2x7q",
            "version": "0.9.0",
            "phase": "serving",
            "ready": True,
            "missing": [],
            "age_seconds": 271_000.0,
            "time": _time(datetime.now(UTC)),
            "config_age_seconds": 1.2,
            "services": len(self.services),
            "workloads": len(self.workloads),
            "streams": states.total(),
            "states": dict(states),
            "resources": {
                "lds": len(self.services),
                "rds": 4,
                "cds": len(self.services),
                "eds": len(self.services),
            },
            "problems": len(self.problems()),
            "informers": [
                {
                    "cluster": "",
                    "kind": kind,
                    "namespace": "all",
                    "synced": True,
                    "silent_seconds": 2.5 * index,
                    "stale": False,
                    "installed": True,
                }
                for index, kind in enumerate(("services", "endpointslices", "pods", "grpcroutes"))
            ],
            "refused": {"streams_per_address": 3, "names_per_stream": 0},
            "oldest_unacked_seconds": 2.25 if states["behind"] else None,
            "absent": states["absent"],
            "changes": {"last_id": len(self.changes)},
        }

    def problems(self) -> list[Document]:
        return [
            {
                "where": "GRPCRoute shop/checkout-canary rule 2",
                "reason": "backend shop/checkout-next:50051 does not exist",
                "hint": "create the Service, or remove the backend: its share of calls fails",
            },
            {
                "where": "TrafficPolicy payments/ledger spec.retry",
                "reason": "perTryTimeout is longer than the timeout of the route",
                "hint": "set it below 5s",
            },
        ]

    def _add_service(self, name: str, index: int) -> None:
        namespace, _, short = name.partition("/")
        count = 0 if index % 23 == 7 else self._random.randint(2, 18)
        self.endpoints[name] = [self._endpoint(short, number) for number in range(count)]
        self.services[name] = {
            "id": name,
            "namespace": namespace,
            "name": short,
            "ports": [{"number": 50051, "name": "grpc", "protocol": "HTTP/2"}],
            "policies": [f"TrafficPolicy {name}"] if index % 4 == 0 else [],
            "routes": [f"GRPCRoute {name}"] if index % 6 == 0 else [],
            "problems": 1 if index % 31 == 2 else 0,
            "changed_age_seconds": self._random.expovariate(1 / 4000),
        }

    def _endpoint(self, short: str, number: int) -> Document:
        return {
            "address": f"10.{self._random.randint(0, 9)}.{self._random.randint(0, 255)}.{number + 4}",
            "port": 50051,
            "state": self._random.choices(("healthy", "draining", "unready"), (20, 1, 1))[0],
            "zone": ZONES[number % 3],
            "region": "eu-1",
            "node": f"node-{number % 7}",
            "pod": f"{short}-7c9d8b6f5-{self._random.randrange(36**5):05x}",
            "priority": 0,
            "weight": 1,
        }

    def _add_workload(self, name: str, index: int) -> None:
        namespace, _, short = name.partition("/")
        library = LIBRARIES[index % len(LIBRARIES)]
        self.workloads[name] = workload = {
            "id": name,
            "namespace": namespace,
            "name": short,
            "kind": "StatefulSet" if index % 9 == 4 else "Deployment",
            "streams": self._random.randint(1, 14),
            "libraries": {library: 1},
            "zones": dict.fromkeys(ZONES[: 1 + index % 3], 1),
            "limitations": 1 if library.startswith("grpc-js") else 0,
            "age_seconds": self._random.expovariate(1 / 40_000),
        }
        workload["nodes"] = workload["streams"]
        self._mix(workload)
        # Tiers: a workload calls services of the next one, and some of the one after it.
        names = list(self.services)
        size = max(1, len(names) // _TIERS)
        first = (index % len(names) // size) * size + (size if index < len(names) else 0)
        near = names[first : first + size] or names[-size:]
        targets = self._random.sample(near, k=min(len(near), self._random.randint(1, 3)))
        for target in targets:
            self.edges[name, target] = {
                "id": f"{name}→{target}",
                "workload": name,
                "service": target,
                "streams": workload["streams"],
                "state": workload["state"],
                "names": [f"{target.partition('/')[2]}.{target.partition('/')[0]}:50051"],
            }
        workload["services"] = len(targets)

    def _mix(self, workload: Document) -> None:
        """New states of the streams of a workload, most of them in sync."""
        bad = self._random.choices(STATES, (1, 1, 5, 3, 90))[0]
        number = self._random.randint(1, workload["streams"])
        states = Counter({"in_sync": workload["streams"] - number, bad: number}) if bad != "in_sync" else None
        workload["states"] = {
            state: count for state, count in (states or {"in_sync": workload["streams"]}).items() if count
        }
        workload["state"] = next(state for state in STATES if state in workload["states"])
        workload["oldest_unacked_seconds"] = 1.5 if bad == "behind" else None

    def _count(self, name: str) -> None:
        """The parts of a service that follow from endpoints and clients."""
        service, endpoints = self.services[name], self.endpoints[name]
        states = Counter(endpoint["state"] for endpoint in endpoints)
        service["endpoints"] = {state: states[state] for state in ("healthy", "draining", "unready")}
        service["endpoints"]["total"] = len(endpoints)
        service["zones"] = dict(Counter(endpoint["zone"] for endpoint in endpoints))
        callers = [self.workloads[edge["workload"]] for edge in self.edges_to(name)]
        mixed: Counter[str] = Counter()
        for caller in callers:
            mixed.update(caller["states"])
        service["clients"] = {"streams": mixed.total(), "workloads": len(callers), "states": dict(mixed)}
        bad = bool(callers and not states["healthy"]) or mixed["refused"] > 0
        warned = service["problems"] or mixed.total() > mixed["in_sync"]
        service["state"] = "error" if bad else "warning" if warned else "ok" if callers else "idle"

    def edges_to(self, service: str) -> list[Document]:
        return [edge for (_, target), edge in self.edges.items() if target == service]

    def _record(self, moment: datetime, service: str | None = None) -> str:
        identifier = str(len(self.changes) + 1)
        name = service or self._random.choice(sorted(self.services))
        kind = self._random.choices(("change", "nack", "eviction", "limit"), (24, 2, 1, 1))[0]
        kind = "start" if identifier == "1" else kind
        sent = self.services[name]["clients"]["streams"] if kind in ("change", "nack") else 0
        nacked = min(sent, 1) if kind == "nack" else 0
        slice_name = f"EndpointSlice {name}-{self._random.randrange(36**5):05x}"
        texts = {
            "start": "steerway started and published its first resources",
            "change": f"{slice_name}: {self._random.randint(1, 3)} endpoints changed",
            "nack": f"eds {name}: refused by 1 client",
            "eviction": f"a stream of {name} was closed: it did not read for 30 s",
            "limit": "streams_per_address: 1 stream refused",
        }
        self.changes[identifier] = {
            "id": identifier,
            "replica": "steerway-6d9f7b8c4-x2x7q",
            "time": _time(moment),
            "kind": kind,
            "objects": [slice_name] if kind == "change" else [],
            "object_count": 1 if kind == "change" else 0,
            "services": [name] if kind in ("change", "nack") else [],
            "service_count": 1 if kind in ("change", "nack") else 0,
            "resources": {"eds": [f"{name.replace('/', '.')}.svc.cluster.local:50051"]} if sent else {},
            "resource_count": 1 if sent else 0,
            "text": texts[kind],
            "event_to_published_seconds": 0.004 + self._random.random() / 50 if kind == "change" else None,
            "clients": {**_ENDED, "sent": sent, "acked": sent - nacked, "nacked": nacked},
            "first_sent_seconds": 0.0008 if sent else None,
            "last_acked_seconds": self._random.expovariate(1 / 0.02) if sent else None,
            "complete": True,
            "nacks": [
                {
                    "node": f"{name.partition('/')[2]}-7c9d8b6f5-0001.{name.partition('/')[0]}",
                    "type": "eds",
                    "message": "EDS response: locality weight exceeds 4294967295",
                }
            ][:nacked],
        }
        return identifier

    def propagation(self) -> Document:
        counts = [0, 3, 28, 61, 84, 40, 12, 5, 1, 0, 0, 0, 0]
        return {
            "count": sum(counts),
            "p50_seconds": 0.0183,
            "p99_seconds": 0.212,
            "max_seconds": 0.31,
            "buckets": [list(pair) for pair in zip(_BOUNDS, counts, strict=True)],
        }


def _names(count: int) -> Iterator[str]:
    for index in range(count):
        word = WORDS[(index * 7) % len(WORDS)]
        suffix = "" if index < len(WORDS) else f"-{index // len(WORDS)}"
        yield f"{NAMESPACES[index % len(NAMESPACES)]}/{word}{suffix}"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
