"""Documents about one object of the generated mesh."""

from typing import Any

from tests.real.page.generated.world import Document, World

_POLICY = [
    {"section": "zones", "value": "mode Spill overloadPercent 140", "source": "TrafficPolicy shop/cart"},
    {"section": "balancing", "value": "policy LeastRequest choices 2", "source": "TrafficPolicy shop/cart"},
    {"section": "retry", "value": "none", "source": None},
]


def service(world: World, name: str) -> Document:
    item = world.services[name]
    later = [other for other in world.services if other > name][:1] or [name]
    routed = [
        {
            "object": f"GRPCRoute {name}",
            "rules": [
                {
                    "matches": ["method shop.Cart/Add", "header x-canary=1"],
                    "filters": ["set header x-route=canary"],
                    "backends": [
                        {"service": name, "port": 50051, "weight": 90, "share": 0.9},
                        {"service": later[0], "port": 50051, "weight": 10, "share": 0.1},
                    ],
                },
                {
                    "matches": [],
                    "filters": [],
                    "backends": [{"service": name, "port": 50051, "weight": 1, "share": 1.0}],
                },
            ],
        }
    ]
    port = {
        "number": 50051,
        "name": "grpc",
        "protocol": "HTTP/2",
        "endpoints": world.endpoints[name],
        "policy": _POLICY if item["policies"] else [],
        "left_out": [
            {"address": endpoint["address"], "reason": "the pod is not ready"}
            for endpoint in world.endpoints[name]
            if endpoint["state"] == "unready"
        ],
    }
    subscribers = [
        {
            "workload": edge["workload"],
            "streams": edge["streams"],
            "states": world.workloads[edge["workload"]]["states"],
            "since_seconds": world.workloads[edge["workload"]]["age_seconds"],
            "names": edge["names"],
        }
        for edge in world.edges_to(name)
    ]
    recent = [change for change in reversed(world.changes.values()) if name in change["services"]]
    return item | {
        "port_details": [port],
        "routing": routed if item["routes"] else [],
        "subscribers": subscribers,
        "problem_details": world.problems()[:1] if item["problems"] else [],
        "propagation": world.propagation(),
        "load": [
            {"locality": zone, "issued": 1200 + count, "successful": 1190, "errors": count, "in_progress": 2}
            for zone, count in item["zones"].items()
        ],
        "changes": recent[:20],
    }


def nodes(world: World) -> list[Document]:
    """One client for each stream of each workload."""
    return [
        {
            "id": f"{workload['name']}-7c9d8b6f5-{number:04x}.{workload['namespace']}",
            "workload": workload["id"],
            "client": next(iter(workload["libraries"])),
            "address": f"10.7.{number}.9:40112",
            "zone": next(iter(workload["zones"])),
            "node": f"node-{number}",
            "pod": f"{workload['name']}-7c9d8b6f5-{number:04x}",
            "streams": 1,
            "state": workload["state"] if number == 0 else "in_sync",
            "states": {workload["state"] if number == 0 else "in_sync": 1},
            "services": workload["services"],
            "limitations": workload["limitations"],
            "nack": "locality weight exceeds 4294967295"
            if workload["state"] == "refused" and not number
            else None,
            "age_seconds": workload["age_seconds"],
        }
        for workload in world.workloads.values()
        for number in range(workload["streams"])
    ]


def node(world: World, identifier: str) -> Document | None:
    item = next((item for item in nodes(world) if item["id"] == identifier), None)
    if item is None:
        return None
    names = [
        f"{target.partition('/')[2]}.{target.partition('/')[0]}.svc.cluster.local:50051"
        for workload, target in world.edges
        if workload == item["workload"]
    ]
    return item | {"stream_details": [_stream(item, names)]}


def _stream(item: Document, names: list[str]) -> Document:
    limitation = "least_request (gRFC A48) is not supported by grpc-js 1.14: it falls back to round_robin"
    return {
        "id": 5,
        "node": item["id"],
        "client": item["client"],
        "address": item["address"],
        "locality": {"namespace": "shop", "zone": item["zone"]},
        "identity": {"method": "token_review", "name": "service account shop/reports"},
        "audience": "grpc/go/shop/eu-1a/-",
        "service": "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
        "protocol": "sotw",
        "age_seconds": item["age_seconds"],
        "state": item["state"],
        "in_sync": item["state"] == "in_sync",
        "limitations": [limitation] if item["limitations"] else [],
        "types": [_type(kind, names, item) for kind in ("lds", "rds", "cds", "eds")],
    }


def _type(kind: str, names: list[str], item: Document) -> dict[str, Any]:
    last = kind == "eds"
    refused = last and item["state"] == "refused"
    absent = {"old.shop:50051": "no such service"} if last and item["state"] == "absent" else {}
    waiting = ["slow.shop:50051"] if last and item["state"] == "waiting" else []
    behind = refused or (last and item["state"] == "behind")
    nack = {"message": item["nack"], "version": "9f3c02e1", "age_seconds": 12.5}
    return {
        "type": kind,
        "type_url": f"type.googleapis.com/{kind}",
        "wildcard": False,
        "names": names,
        "waiting": waiting,
        "absent": absent,
        "absent_count": len(absent),
        "version_sent": "9f3c02e1",
        "version_acked": "8be11d07" if behind else "9f3c02e1",
        "state": item["state"] if last else "in_sync",
        "in_sync": not behind,
        "sent_age_seconds": 31.0,
        "acked_age_seconds": 30.9,
        "nack": nack if refused else None,
        "last_change": None,
        "resources": [
            {
                "name": name,
                "version": "9f3c02e1",
                "status": "nacked" if refused else "acked",
                "error": item["nack"] if refused else None,
                "sent_age_seconds": 31.0,
            }
            for name in names
        ],
    }


def explanation(world: World, asked: dict[str, str]) -> Document | None:
    """The service that a target names."""
    name, _, namespace = asked["target"].removeprefix("xds:///").partition(":")[0].partition(".")
    identifier = f"{namespace.partition('.')[0] or 'shop'}/{name}"
    if identifier not in world.services:
        return None
    full = f"{name}.{namespace}.svc.cluster.local:50051"
    item = world.services[identifier]
    return {
        "target": {
            "asked": asked["target"],
            "service": identifier,
            "port": 50051,
            "port_name": "grpc",
            "pod": None,
            "why": "the target names it",
            "name": full,
        },
        "facts": {
            "why_no_endpoint": [] if item["endpoints"]["healthy"] else ["no pod of the Service is ready"],
            "protocol": {"name": "HTTP/2", "stated_by": "appProtocol grpc", "note": None},
            "private": False,
        },
        "policy": _POLICY,
        "client": {
            "name": asked.get("client") or "an unknown gRPC client",
            "namespace": asked.get("namespace") or "shop",
            "zone": asked.get("zone"),
            "node": None,
            "audience": "grpc/unknown/shop/-/-",
            "limitations": [],
            "clusters": [],
        },
        "resources": [
            {
                "type": kind,
                "name": full,
                "version": "9f3c02e1",
                "absent": None,
                "body": {"name": full, "type": kind},
            }
            for kind in ("lds", "rds", "cds", "eds")
        ],
        "clients": [
            {
                "node": row["id"],
                "client": row["client"],
                "address": row["address"],
                "in_sync": row["state"] == "in_sync",
                "age_seconds": row["age_seconds"],
            }
            for row in nodes(world)
            if (row["workload"], identifier) in world.edges
        ],
    }


def endpoints(world: World, asked: dict[str, str]) -> Document:
    explained = explanation(world, asked)
    if explained is None:
        return {"targets": []}
    served = [row for row in world.endpoints[explained["target"]["service"]] if row["state"] == "healthy"]
    others = [row for row in world.endpoints[explained["target"]["service"]] if row["state"] != "healthy"]
    return {
        "targets": [
            {
                "target": asked["target"],
                "service": explained["target"]["service"],
                "port": 50051,
                "name": explained["target"]["name"],
                "clusters": [
                    {
                        "name": explained["target"]["name"],
                        "weight": None,
                        "endpoints": [
                            row | {"locality_weight": 1, "share": 1 / len(served)} for row in served
                        ],
                        "left_out": [
                            {
                                "address": row["address"],
                                "zone": row["zone"],
                                "pod": row["pod"],
                                "reason": "not ready" if row["state"] == "unready" else "terminating",
                            }
                            for row in others
                        ],
                    }
                ],
                "limitations": [],
                "error": None,
            }
        ]
    }
