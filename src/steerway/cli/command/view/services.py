"""`steerway services`: what is known of each Service, and its subscribers."""

from typing import Any

import click

from steerway.cli import output as out
from steerway.cli.output import Column, Output, output_options
from steerway.cli.replica import Where, completion, replica_options

Row = dict[str, Any]


def _ports(row: Row) -> str:
    return ",".join(
        f"{port['number']}" + (f":{port['name']}" if port.get("name") else "") for port in row["ports"]
    )


def _endpoints(row: Row) -> str:
    numbers = row["endpoints"]
    return f"{numbers['healthy']}/{numbers['total']}"


def _changed(row: Row) -> str:
    age = row.get("changed_age_seconds")
    return out.NOTHING if age is None else out.age(age)


def columns() -> list[Column]:
    return [
        Column("SERVICE", lambda row: row["id"]),
        Column("STATE", lambda row: out.state(row["state"])),
        Column("PORTS", _ports),
        Column("ENDPOINTS", _endpoints),
        Column("STREAMS", lambda row: str(row["clients"]["streams"])),
        Column("SYNC", lambda row: out.states_of(row["clients"]["states"])),
        Column("PROBLEMS", lambda row: str(row["problems"])),
        Column("CHANGED", _changed),
        Column("ZONES", lambda row: out.counts(row.get("zones")), wide=True),
        Column("POLICIES", lambda row: out.joined(row.get("policies")), wide=True),
        Column("ROUTES", lambda row: out.joined(row.get("routes")), wide=True),
        Column("REPLICAS", lambda row: out.counts(row["replicas"]), wide=True),
    ]


@click.command()
@click.argument("name", required=False, default="", shell_complete=completion.services)
@click.option("-n", "--namespace", metavar="NS", default="", help="Only Services of this namespace")
@click.option(
    "--state",
    type=click.Choice(["ok", "idle", "warning", "error"]),
    help="Only Services in this state",
)
@output_options(watch=True)
@replica_options()
def services(where: Where, output: Output, name: str, namespace: str, state: str | None) -> int:
    """List the Services that are known, or those called NAME (`backend`, `shop/backend`, `backend.shop`).

    ENDPOINTS are the healthy ones of all, STREAMS those of clients that subscribe to it. States: error: no healthy
    endpoint for clients, or a client refused a resource; warning: problems, or clients that are not in sync; idle: no
    clients.
    """
    from steerway.cli.command.view.listing import show
    from steerway.cli.replica import merge, session
    from steerway.cli.replica.name import service_id
    from steerway.cli.replica.watch import Listing

    wanted_namespace, wanted = service_id(name) if name else ("", "")
    namespace = wanted_namespace or namespace

    def keep(row: Row) -> bool:
        return (
            (not namespace or row["namespace"] == namespace)
            and (not wanted or row["name"] == wanted)
            and (state is None or row["state"] == state)
        )

    listing = Listing(
        "/api/v1/services",
        {"namespace": namespace, "state": state, "q": wanted},
        lambda by_replica: merge.services(
            {replica: [row for row in rows if keep(row)] for replica, rows in by_replica.items()}
        ),
        "services",
        keep,
    )
    named = f"{namespace}/{wanted}" if namespace and wanted else wanted
    empty = f"no Service is called {name}" if name else "no Service is known that matches"
    return session.run(
        where,
        lambda replicas: show(replicas, listing, "service", columns(), output, empty, named),
    )
