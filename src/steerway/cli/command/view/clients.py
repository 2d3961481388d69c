"""`steerway clients`: connected clients by workload or by node, and what they have acknowledged."""

from typing import Any

import click

from steerway.cli import output as out
from steerway.cli.output import Column, Output, output_options
from steerway.cli.replica import Where, replica_options
from steerway.inventory.row.client import STATES

Row = dict[str, Any]


def workload_columns() -> list[Column]:
    return [
        Column("WORKLOAD", lambda row: row["id"]),
        Column("KIND", lambda row: out.text(row.get("kind"))),
        Column("STREAMS", lambda row: str(row["streams"])),
        Column("NODES", lambda row: str(row["nodes"])),
        Column("SYNC", lambda row: out.states_of(row["states"])),
        Column("LIBRARIES", lambda row: out.joined(row.get("libraries"))),
        Column("SERVICES", lambda row: str(row["services"])),
        Column("UNACKED", lambda row: out.latency(row.get("oldest_unacked_seconds"))),
        Column("AGE", lambda row: out.age(row.get("age_seconds"))),
        Column("ZONES", lambda row: out.counts(row.get("zones")), wide=True),
        Column("LIMITATIONS", lambda row: str(row["limitations"]), wide=True),
        Column("REPLICAS", lambda row: out.counts(row["replicas"]), wide=True),
    ]


def node_columns() -> list[Column]:
    """Of rows by node."""
    return [
        Column("NODE ID", lambda row: row["id"]),
        Column("WORKLOAD", lambda row: out.text(row.get("workload"))),
        Column("CLIENT", lambda row: out.text(row.get("client"))),
        Column("STATE", lambda row: out.state(row["state"])),
        Column("STREAMS", lambda row: str(row["streams"])),
        Column("SERVICES", lambda row: str(row["services"])),
        Column("ZONE", lambda row: out.text(row.get("zone"))),
        Column("AGE", lambda row: out.age(row.get("age_seconds"))),
        Column("ADDRESS", lambda row: out.text(row.get("address")), wide=True),
        Column("POD", lambda row: out.text(row.get("pod")), wide=True),
        Column("HOST", lambda row: out.text(row.get("node")), wide=True),
        Column("LIMITATIONS", lambda row: str(row["limitations"]), wide=True),
        Column("REPLICAS", lambda row: out.counts(row["replicas"]), wide=True),
        Column("REFUSAL", lambda row: out.text(row.get("nack")), wide=True),
    ]


@click.command()
@click.argument("node", required=False, default="")
@click.option("--nodes", is_flag=True, help="A row for each node id instead of each workload")
@click.option("-n", "--namespace", metavar="NS", default="", help="Only clients of this namespace")
@click.option("--service", metavar="NS/NAME", default="", help="Only clients that subscribe to this Service")
@click.option("--workload", metavar="NS/NAME", default="", help="Only clients of this workload")
@click.option("--state", type=click.Choice(STATES), help="Only clients in this state")
@output_options(watch=True)
@replica_options()
def clients(
    where: Where,
    output: Output,
    node: str,
    nodes: bool,
    namespace: str,
    service: str,
    workload: str,
    state: str | None,
) -> int:
    """List connected clients by workload, or those with the node id NODE (`*` stands for anything).

    States, the worst first: refused: it rejected the last response; waiting: a name has no answer yet; behind: the
    newest response is not acknowledged; absent: it subscribes to a name that does not exist; in sync: none of these.
    """
    from steerway.cli.command.view.listing import show
    from steerway.cli.replica import merge, session
    from steerway.cli.replica.watch import Listing

    by_node = nodes or bool(node)
    params = {
        "by": "node" if by_node else None,
        "client": node,
        "namespace": namespace,
        "service": service,
        "workload": workload,
        "state": state,
    }

    def keep(row: Row) -> bool:
        return (
            (not namespace or row["namespace"] == namespace)
            and (not workload or row["id"] == workload)
            and (state is None or row["state"] == state)
        )

    # Events are by workload, and do not have the Services of each.
    topic = None if by_node or service else "clients"
    listing = Listing("/api/v1/clients", params, merge.clients, topic, keep)
    columns = node_columns() if by_node else workload_columns()
    empty = (
        f"no client with the node id {node} is connected" if node else "no client is connected that matches"
    )
    return session.run(
        where, lambda replicas: show(replicas, listing, "client", columns, output, empty, named=node)
    )
