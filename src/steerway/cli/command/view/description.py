"""A Service and a client as indented text."""

from collections.abc import Iterable, Sequence
from typing import Any

from steerway.cli import output as out
from steerway.cli import terminal
from steerway.cli.command.view.changes import columns
from steerway.cli.command.view.endpoints import address_of
from steerway.cli.output import Column, Table
from steerway.cli.terminal import Mark

_MOST_NODES = 20
Row = dict[str, Any]


def service(row: Row) -> None:
    """The merged document of `/api/v1/services/NAMESPACE/NAME`."""
    _field("Service", row["id"])
    _field("State", out.state(row["state"]))
    changed = row.get("changed_age_seconds")
    _field("Changed", "not since the start" if changed is None else f"{out.age(changed)} ago")
    numbers = row["clients"]
    _field("Streams", f"{numbers['streams']} ({out.states_of(numbers['states'])})")
    _field("Replicas", out.counts(row["replicas"]))
    for port in row["port_details"]:
        _port(port)
    _routing(row["routing"])
    _subscribers(row["subscribers"])
    _propagation(row["propagation"])
    _load(row["load"])
    if row["problem_details"]:
        terminal.write("Problems")
        for problem in row["problem_details"]:
            terminal.item(Mark.FAIL, f"{problem['where']}: {problem['reason']}", problem.get("hint") or "", 2)
    _changes(row["changes"])


def clients(name: str, rows: Sequence[Row]) -> None:
    """The nodes of a workload, or one client, with their streams."""
    if len(rows) > 1:
        _field("Clients", f"{len(rows)} of {name}")
    for row in rows[:_MOST_NODES]:
        _client(row)
    if len(rows) > _MOST_NODES:
        terminal.note(f"and {len(rows) - _MOST_NODES} more: -o json has them all")


def _port(port: Row) -> None:
    name = f" ({port['name']})" if port.get("name") else ""
    terminal.write(f"Port {port['number']}{name} {port.get('protocol') or ''}".rstrip())
    rows = [{**endpoint, "id": address_of(endpoint)} for endpoint in port["endpoints"]]
    shown = [
        Column("  ADDRESS", lambda row: f"  {row['id']}"),
        Column("STATE", lambda row: out.state(row["state"])),
        Column("ZONE", lambda row: out.text(row.get("zone"))),
        Column("HOST", lambda row: out.text(row.get("node"))),
        Column("POD", lambda row: out.text(row.get("pod"))),
    ]
    if rows:
        Table(shown).print(rows, headers=True)
    else:
        terminal.item(Mark.FAIL, "no endpoint", indent=2)
    for left in port.get("left_out") or ():
        terminal.item(Mark.SKIP, f"{left['address']} is left out: {left['reason']}", indent=2)
    for section, words in (port.get("policy") or {}).items():
        terminal.write(f"  {section}: {words}")


def _routing(routes: Iterable[Row]) -> None:
    for route in routes:
        terminal.write(f"Route {route['object']}")
        for number, rule in enumerate(route["rules"]):
            matches = " or ".join(rule["matches"]) or "all calls"
            backends = ", ".join(
                f"{backend['service']}:{backend['port']} {backend['share'] * 100:.3g}%"
                for backend in rule["backends"]
            )
            terminal.write(f"  rule {number}: {matches} → {backends or 'no backend'}")
            for action in rule.get("filters") or ():
                terminal.write(f"    {action}")


def _subscribers(subscribers: Sequence[Row]) -> None:
    terminal.write("Subscribers")
    if not subscribers:
        terminal.item(Mark.SKIP, "none", indent=2)
        return
    shown = [
        Column("  WORKLOAD", lambda row: f"  {row['workload']}"),
        Column("STREAMS", lambda row: str(row["streams"])),
        Column("SYNC", lambda row: out.states_of(row["states"])),
        Column("SINCE", lambda row: out.age(row.get("since_seconds"))),
        Column("NAMES", lambda row: out.joined(row.get("names"))),
    ]
    Table(shown).print(subscribers, headers=True)


def _propagation(by_replica: dict[str, Row]) -> None:
    measured = {name: part for name, part in by_replica.items() if part and part.get("count")}
    if not measured:
        return
    terminal.write("Propagation, from a change to its acknowledgements")
    for name, part in measured.items():
        terminal.write(
            f"  {name}: {part['count']} measured, p50 {out.latency(part['p50_seconds'])},"
            f" p99 {out.latency(part['p99_seconds'])}, longest {out.latency(part['max_seconds'])}"
        )


def _load(rows: Sequence[Row]) -> None:
    if not rows:
        return
    terminal.write("Load, as clients report it")
    shown = [
        Column("  LOCALITY", lambda row: f"  {row['locality'] or out.UNKNOWN}"),
        Column("ISSUED", lambda row: str(row["issued"])),
        Column("SUCCESSFUL", lambda row: str(row["successful"])),
        Column("ERRORS", lambda row: str(row["errors"])),
        Column("IN PROGRESS", lambda row: str(row["in_progress"])),
    ]
    Table(shown).print(rows, headers=True)


def _changes(rows: Sequence[Row]) -> None:
    if rows:
        terminal.write("Changes")
        Table([column for column in columns() if not column.wide]).print(rows, headers=True)


def _client(row: Row) -> None:
    _field("Client", row["id"])
    _field("Workload", out.text(row.get("workload")))
    _field("Library", out.text(row.get("client")))
    _field("Address", out.text(row.get("address")))
    where = [f"{name} {row[name]}" for name in ("zone", "node", "pod") if row.get(name)]
    _field("Location", out.joined(where))
    _field("State", out.state(row["state"]))
    if row.get("nack"):
        terminal.item(Mark.FAIL, f"refused: {row['nack']}", indent=2)
    for stream in row["stream_details"]:
        _stream(stream)


def _stream(stream: Row) -> None:
    age = out.age(stream["age_seconds"])
    service = (stream.get("service") or "").rpartition("/")[2]
    terminal.write(
        f"  Stream {stream['id']} at {stream['replica']} ({service}, {stream['protocol']}), open {age}"
    )
    for limitation in stream.get("limitations") or ():
        terminal.item(Mark.WARN, limitation, indent=4)
    for part in stream["types"]:
        for resource in part.get("resources") or ():
            _resource(part, resource)
        for name, reason in (part.get("absent") or {}).items():
            terminal.item(Mark.FAIL, f"{part['type']} {name} is absent: {reason}", indent=4)


def _resource(part: Row, resource: Row) -> None:
    status = resource.get("status") or ""
    mark = {"acked": Mark.PASS, "nacked": Mark.FAIL}.get(status, Mark.WARN)
    if status == "does_not_exist":
        return  # it is among the absent
    version = f" version {resource['version']}" if resource.get("version") else ""
    error = f": {resource['error']}" if resource.get("error") else ""
    sent = resource.get("sent_age_seconds")
    age = "" if sent is None else f", sent {out.age(sent)} ago"
    terminal.item(mark, f"{part['type']} {resource['name']}{version} {status}{age}{error}", indent=4)


def _field(name: str, value: str) -> None:
    terminal.write(f"{name + ':':<10} {value}")
