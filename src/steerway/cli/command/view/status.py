"""`steerway status`: the replicas, their versions, what they have read, and how far the clients are."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from steerway.cli import output as out
from steerway.cli import terminal
from steerway.cli.output import Column, Output, output_options
from steerway.cli.replica import Where, replica_options
from steerway.cli.terminal import Mark

if TYPE_CHECKING:
    from steerway.cli.replica.replicas import Replicas

Row = dict[str, Any]


def _ready(row: Row) -> str:
    if "error" in row:
        return out.state("error", "no answer")
    return out.state("ok", "yes") if row["ready"] else out.state("warning", row.get("phase") or "no")


def _limited(row: Row) -> str:
    """Limits that have refused a client."""
    if "error" in row:
        return out.UNKNOWN
    refused = {name: count for name, count in (row.get("refused") or {}).items() if count}
    return out.counts(refused) if refused else out.NOTHING


def columns() -> list[Column]:
    def cell(name: str) -> Any:
        return lambda row: out.text(row.get(name))

    return [
        Column("REPLICA", lambda row: row["id"]),
        Column("VERSION", cell("version")),
        Column("READY", _ready),
        Column("AGE", lambda row: out.age(row.get("age_seconds"))),
        Column("CONFIG", lambda row: out.age(row.get("config_age_seconds"))),
        Column("STREAMS", cell("streams")),
        Column("SYNC", lambda row: out.states_of(row.get("states"))),
        Column("UNACKED", lambda row: out.latency(row.get("oldest_unacked_seconds"))),
        Column("SERVICES", cell("services")),
        Column("PROBLEMS", cell("problems")),
        Column("WORKLOADS", cell("workloads"), wide=True),
        Column("RESOURCES", lambda row: out.counts(row.get("resources")), wide=True),
        Column("ABSENT", cell("absent"), wide=True),
        Column("LIMITED", _limited, wide=True),
    ]


@click.command()
@output_options("table", "wide", "json", "yaml", watch=True)
@replica_options()
def status(where: Where, output: Output) -> int:
    """Show each replica: version, readiness, age of its configuration, streams and what they have acknowledged.

    Below: the kinds of objects that it reads and whether they are synced, and what is wrong. Exit code 1 when no
    replica answers.
    """
    from steerway.cli.replica import session

    async def query(replicas: "Replicas") -> int | None:
        answers = await replicas.get("/api/v1/status")
        _show(answers, output)
        if output.watch:
            await _watch(replicas, answers, output)
        return None

    return session.run(where, query)


def _rows(answers: Mapping[str, Any]) -> list[Row]:
    from steerway.cli.replica.replicas import documents

    answered = documents(answers)
    return [
        {"id": name, **answered[name]} if name in answered else {"id": name, "error": str(error)}
        for name, error in answers.items()
    ]


def _show(answers: Mapping[str, Any], output: Output) -> None:
    rows = _rows(answers)
    if output.document({"replicas": rows}):
        return
    output.table(rows, columns())
    _informers(rows, output)
    for mark, text, hint in _findings(rows):
        terminal.item(mark, text, hint)


def _informers(rows: list[Row], output: Output) -> None:
    """The kinds that are read, with a column for each replica."""
    kinds: dict[str, dict[str, str]] = {}
    for row in rows:
        for informer in row.get("informers") or ():
            cluster = f"{informer['cluster']}/" if informer.get("cluster") else ""
            scope = "" if informer["namespace"] == "all" else f" in {informer['namespace']}"
            synced = out.state("ok", "synced") if informer["synced"] else out.state("warning", "not synced")
            if informer.get("stale"):
                synced = out.state("error", "stale")
            if not informer.get("installed", True):
                synced = "no CRD"
            kinds.setdefault(f"{cluster}{informer['kind']}{scope}", {"id": ""})[row["id"]] = (
                f"{synced} ({out.age(informer['silent_seconds'])})"
            )
    if not kinds:
        return
    names = [row["id"] for row in rows if "error" not in row]
    columns = [Column("READ", lambda row: row["kind"])] + [
        Column(name, lambda row, name=name: row.get(name, out.UNKNOWN))  # type: ignore[misc]
        for name in names
    ]
    terminal.write("")
    output.table([{**kinds[kind], "kind": kind} for kind in sorted(kinds)], columns)


def _findings(rows: list[Row]) -> list[tuple[Mark, str, str]]:
    """What is wrong, with the next command."""
    answered = [row for row in rows if "error" not in row]
    findings = []
    versions = sorted({row["version"] for row in answered})
    if len(versions) > 1:
        findings.append(
            (
                Mark.WARN,
                f"replicas have different versions: {', '.join(versions)}",
                "wait for the rollout to end",
            )
        )
    for row in answered:
        findings += [(Mark.FAIL, f"{row['id']}: {reason}", "") for reason in row.get("missing") or ()]
    services = {row["services"] for row in answered if row.get("ready")}
    if len(services) > 1:
        numbers = ", ".join(f"{row['id']} {row['services']}" for row in answered)
        findings.append((Mark.WARN, f"replicas know different numbers of Services: {numbers}", ""))
    if refused := sum((row.get("states") or {}).get("refused", 0) for row in answered):
        findings.append(
            (
                Mark.FAIL,
                f"{out.count(refused, 'stream')} refused a response",
                "steerway clients --nodes --state refused",
            )
        )
    if absent := sum(row.get("absent") or 0 for row in answered):
        findings.append(
            (
                Mark.WARN,
                f"{out.count(absent, 'subscription')} to names that do not exist",
                "steerway clients --nodes --state absent",
            )
        )
    if most := max((row.get("problems") or 0 for row in answered), default=0):
        findings.append((Mark.WARN, out.count(most, "problem"), "steerway problems"))
    return findings


async def _watch(replicas: "Replicas", answers: Mapping[str, Any], output: Output) -> None:
    """Print the row of a replica whenever more than its ages changes, and of one that does not answer any more."""
    from steerway.cli.command.view.listing import Printer
    from steerway.cli.replica.watch import Listing, watch

    printer = Printer("replica", columns(), output)
    listing = Listing("/api/v1/status", {}, _listed, "status", key=lambda row: row.get("id", ""), field=None)
    first = {name: [answer] for name, answer in answers.items() if isinstance(answer, dict)}

    def updated(rows: list[Row], gone: list[str]) -> None:
        printer.changed([*rows, *({"id": name, "error": "no answer"} for name in gone)])

    await watch(replicas, listing, first, updated)


def _listed(by_replica: Mapping[str, Iterable[Row]]) -> list[Row]:
    return [{"id": name, **row} for name, rows in by_replica.items() for row in rows]
