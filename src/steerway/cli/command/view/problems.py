"""`steerway problems`: objects and settings that are not served, with the fix."""

from typing import Any

import click

from steerway.cli import output as out
from steerway.cli.output import Column, Output, output_options
from steerway.cli.replica import Where, replica_options

COLUMNS = [
    Column("WHERE", lambda row: row["where"]),
    Column("REASON", lambda row: row["reason"]),
    Column("FIX", lambda row: out.text(row.get("hint"))),
    Column("REPLICAS", lambda row: out.joined(row["replicas"]), wide=True),
]


def _key(row: dict[str, Any]) -> str:
    return f"{row['where']}: {row['reason']}"


@click.command()
@click.option("-n", "--namespace", metavar="NS", default="", help="Only problems of this namespace")
@click.option("--kind", metavar="KIND", default="", help="Only problems of objects of this kind")
@output_options("table", "wide", "json", "yaml", watch=True)
@replica_options()
def problems(where: Where, output: Output, namespace: str, kind: str) -> int:
    """List what is not served or is a mistake, with the fix. Exit code 1 when there are any."""
    from steerway.cli.command.view.listing import show
    from steerway.cli.replica import merge, session
    from steerway.cli.replica.watch import Listing

    params = {"namespace": namespace, "kind": kind}
    topic = None if namespace or kind else "problems"
    listed: list[dict[str, Any]] = []

    def merged(by_replica: Any) -> list[dict[str, Any]]:
        rows = merge.problems(by_replica)
        listed[:] = rows
        return rows

    listing = Listing("/api/v1/problems", params, merged, topic, key=_key, field="problems")
    code = session.run(
        where, lambda replicas: show(replicas, listing, "problem", COLUMNS, output, "no problems")
    )
    return code or (1 if listed else 0)
