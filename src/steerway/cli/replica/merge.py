"""One row for each object from the rows of all replicas.

Numbers of streams are summed: a stream has one replica. What the replicas share (endpoints, routes) is that of the
replica whose row changed last, and of states the worst counts. `replicas` has the streams by replica.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from steerway.inventory.row.client import STATES

Row = dict[str, Any]
_SERVICE_STATES = ("error", "warning", "ok", "idle")
"""The worst first; a service that is idle at one replica may have clients at another."""


def services(by_replica: Mapping[str, Iterable[Row]]) -> list[Row]:
    """Items of `/api/v1/services`."""
    return _merged(by_replica, _service)


def clients(by_replica: Mapping[str, Iterable[Row]]) -> list[Row]:
    """Items of `/api/v1/clients`, by workload or by node."""
    return _merged(by_replica, _client)


def changes(by_replica: Mapping[str, Iterable[Row]]) -> list[Row]:
    """Items of `/api/v1/changes`, the newest first. Ids are those of one replica; `replica` is the one that was
    queried, since several on one host report the same name."""
    rows = [{**row, "replica": replica} for replica, items in by_replica.items() for row in items]
    return sorted(rows, key=lambda row: (row["time"], row["replica"], int(row["id"])), reverse=True)


def problems(by_replica: Mapping[str, Iterable[Row]]) -> list[Row]:
    """Items of `/api/v1/problems`; `replicas` are those that have one."""
    merged: dict[tuple[str, str], Row] = {}
    for replica, items in by_replica.items():
        for item in items:
            row = merged.setdefault((item["where"], item["reason"]), {**item, "replicas": []})
            row["replicas"].append(replica)
    return [merged[key] for key in sorted(merged)]


def subscribers(of: Iterable[Iterable[Row]]) -> list[Row]:
    """Workloads that subscribe to a Service: of `subscribers` of each replica."""
    merged: dict[str, Row] = {}
    for row in (row for rows in of for row in rows):
        kept = merged.setdefault(row["workload"], {**row, "streams": 0, "states": {}, "since_seconds": None})
        kept["streams"] += row["streams"]
        kept["states"] = states((kept["states"], row["states"]))
        kept["since_seconds"] = _largest((kept, row), "since_seconds")
        kept["names"] = sorted({*kept.get("names", ()), *row.get("names", ())})
    return [merged[workload] for workload in sorted(merged)]


def loads(of: Iterable[Iterable[Row]]) -> list[Row]:
    """Load by locality, summed over replicas: a client reports to one of them."""
    merged: dict[str, Row] = {}
    for row in (row for rows in of for row in rows):
        kept = merged.setdefault(row["locality"], {"locality": row["locality"]})
        for field, value in row.items():
            if field != "locality":
                kept[field] = kept.get(field, 0) + (value or 0)
    return [merged[locality] for locality in sorted(merged)]


def states(of: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts by state of several replicas, the worst state first."""
    total: dict[str, int] = {}
    for counts in of:
        for state, count in counts.items():
            total[state] = total.get(state, 0) + count
    return dict(sorted(total.items(), key=lambda entry: _severity(entry[0])))


def _merged(by_replica: Mapping[str, Iterable[Row]], merge: Callable[[Mapping[str, Row]], Row]) -> list[Row]:
    by_id: dict[str, dict[str, Row]] = {}
    for replica, items in by_replica.items():
        for item in items:
            by_id.setdefault(item["id"], {})[replica] = item
    return [merge(by_id[id]) for id in sorted(by_id)]


def _service(rows: Mapping[str, Row]) -> Row:
    newest = min(rows.values(), key=lambda row: _or(row.get("changed_age_seconds"), float("inf")))
    of_clients = [row.get("clients") or {} for row in rows.values()]
    return {
        **newest,
        "clients": {
            "streams": sum(part.get("streams", 0) for part in of_clients),
            "workloads": max(part.get("workloads", 0) for part in of_clients),
            "states": states(part.get("states") or {} for part in of_clients),
        },
        "problems": max(row.get("problems") or 0 for row in rows.values()),
        "state": min((row.get("state") or "idle" for row in rows.values()), key=_service_severity),
        "replicas": {name: (row.get("clients") or {}).get("streams", 0) for name, row in rows.items()},
    }


def _client(rows: Mapping[str, Row]) -> Row:
    first = next(iter(rows.values()))
    every = list(rows.values())
    merged = {
        **first,
        "streams": sum(row.get("streams") or 0 for row in every),
        "states": states(row.get("states") or {} for row in every),
        "state": min((row.get("state") or STATES[-1] for row in every), key=_severity),
        "age_seconds": _largest(every, "age_seconds"),
        "replicas": {name: row.get("streams") or 0 for name, row in rows.items()},
    }
    for field in ("services", "limitations", "oldest_unacked_seconds"):
        if field in first:
            merged[field] = _largest(every, field)
    if "nodes" in first:
        merged["nodes"] = sum(row.get("nodes") or 0 for row in every)
    for field in ("libraries", "zones"):
        if isinstance(first.get(field), dict):
            merged[field] = _summed(row.get(field) or {} for row in every)
    if "nack" in first:
        merged["nack"] = next((row["nack"] for row in every if row.get("nack")), None)
    return merged


def _summed(of: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for counts in of:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return dict(sorted(total.items()))


def _largest(rows: Iterable[Row], field: str) -> Any:
    return max((row[field] for row in rows if row.get(field) is not None), default=None)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _severity(state: str) -> int:
    return STATES.index(state) if state in STATES else len(STATES)


def _service_severity(state: str) -> int:
    return _SERVICE_STATES.index(state) if state in _SERVICE_STATES else len(_SERVICE_STATES)
