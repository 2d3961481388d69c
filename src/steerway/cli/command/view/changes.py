"""`steerway changes`: what changed, and how far it has reached the clients."""

import re
from datetime import UTC, datetime
from typing import Any

import click

from steerway.cli import output as out
from steerway.cli.output import Column, Output, output_options
from steerway.cli.replica import Where, replica_options

Row = dict[str, Any]
_DURATION = re.compile(r"\d+(\.\d+)?(ms|s|m|h|d)")
KINDS = ("change", "start", "nack", "eviction", "limit")


def _age(row: Row) -> str:
    return out.age((datetime.now(UTC) - datetime.fromisoformat(row["time"])).total_seconds())


def _clients(row: Row) -> str:
    numbers = row.get("clients") or {}
    shown = [f"{numbers.get('acked', 0)}/{numbers.get('sent', 0)}"]
    if numbers.get("nacked"):
        shown.append(out.state("refused", f"refused {numbers['nacked']}"))
    return " ".join(shown)


def columns() -> list[Column]:
    """Of rows of changes."""
    return [
        Column("AGE", _age),
        Column("REPLICA", lambda row: row["replica"]),
        Column("KIND", lambda row: out.state(row["kind"])),
        Column("CHANGE", lambda row: row["text"]),
        Column("ACKED", _clients),
        Column("PUBLISHED", lambda row: out.latency(row.get("event_to_published_seconds"))),
        Column("LAST ACK", lambda row: out.latency(row.get("last_acked_seconds"))),
        Column("TIME", lambda row: row["time"], wide=True),
        Column("ID", lambda row: row["id"], wide=True),
        Column("OBJECTS", lambda row: out.joined(row.get("objects")), wide=True),
        Column("RESOURCES", lambda row: str(row.get("resource_count", 0)), wide=True),
    ]


def _since(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not value or _DURATION.fullmatch(value):
        return value
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a duration such as 5m nor a time such as 2026-11-30T21:00:00Z"
        ) from None
    return value


@click.command()
@click.option(
    "--since", metavar="DURATION|TIME", default="", callback=_since, help="Only later ones: 5m, or a time"
)
@click.option("--kind", type=click.Choice(KINDS), help="Only changes of this kind")
@click.option(
    "-n", "--namespace", metavar="NS", default="", help="Only changes of Services in this namespace"
)
@click.option("--service", metavar="NS/NAME", default="", help="Only changes of this Service")
@output_options("table", "wide", "json", "yaml", watch=True)
@replica_options()
def changes(where: Where, output: Output, since: str, kind: str | None, namespace: str, service: str) -> int:
    """List the latest changes of all replicas: what changed, how many clients have acknowledged it, how long it took.

    ACKED is the number of clients that acknowledged it of those that it was sent to; PUBLISHED the time from the event
    in the cluster to its resources; LAST ACK the time from then to the last acknowledgement. The newest come first,
    with --watch last.
    """
    from steerway.cli.command.view.listing import show
    from steerway.cli.replica import merge, session
    from steerway.cli.replica.watch import Listing

    def keep(row: Row) -> bool:
        return (
            (kind is None or row["kind"] == kind)
            and (not service or service in row["services"])
            and (not namespace or any(name.startswith(f"{namespace}/") for name in row["services"]))
        )

    def merged(by_replica: Any) -> list[Row]:
        rows = merge.changes(by_replica)
        return rows[::-1] if output.watch else rows

    params = {"since": since, "kind": kind, "namespace": namespace, "service": service}
    listing = Listing(
        "/api/v1/changes",
        params,
        merged,
        "changes",
        keep,
        key=lambda row: f"{row['replica']}/{row['id']}",
    )
    empty = "no changes that match"
    return session.run(where, lambda replicas: show(replicas, listing, "change", columns(), output, empty))
