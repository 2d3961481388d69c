"""`steerway endpoints`: the endpoints of targets as one client receives them, and why others are left out."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from steerway.cli import output as out
from steerway.cli import terminal
from steerway.cli.output import Column, Output, output_options
from steerway.cli.parameter import client_library
from steerway.cli.replica import Where, completion, replica_options
from steerway.cli.terminal import ExitCode, Mark

if TYPE_CHECKING:
    from steerway.cli.replica.replicas import Replicas

Row = dict[str, Any]


def _share(row: Row) -> str:
    share = row.get("share")
    return out.UNKNOWN if share is None else f"{share * 100:.3g}%"


def _columns() -> list[Column]:
    def cell(name: str) -> Any:
        return lambda row: out.text(row.get(name))

    return [
        Column("ADDRESS", lambda row: row["id"]),
        Column("STATE", lambda row: out.state(row.get("state"), "" if row.get("state") else "left out")),
        Column("ZONE", cell("zone")),
        Column("POD", cell("pod")),
        Column("PRIORITY", cell("priority")),
        Column("WEIGHT", cell("weight")),
        Column("SHARE", _share),
        Column("REASON", lambda row: row.get("reason") or ""),
        Column("REGION", cell("region"), wide=True),
        Column("HOST", cell("node"), wide=True),
        Column("LOCALITY WEIGHT", cell("locality_weight"), wide=True),
    ]


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...", shell_complete=completion.targets)
@click.option(
    "--from", "node", metavar="NODE", default="", help="Those that the client with this node id has"
)
@click.option("--zone", metavar="ZONE", default="", help="Those of a client in this zone")
@click.option(
    "-n",
    "--namespace",
    metavar="NS",
    default="",
    help="Those of a client in this namespace  [default: the service's]",
)
@click.option(
    "--client",
    metavar="NAME[/VERSION]",
    default="",
    callback=client_library,
    help="Its library, such as grpc-go/1.70 or envoy",
)
@output_options()
@replica_options()
def endpoints(where: Where, output: Output, targets: tuple[str, ...], node: str, **client: str) -> int:
    """List the endpoints that a client would get for each TARGET, such as xds:///backend.shop:50051.

    SHARE is the part of the calls that each gets, by priorities and weights. Endpoints that are left out follow, with
    the reason. Exit code 1 when there is no such Service, or one without an endpoint for the client.
    """
    from steerway.cli.replica import session
    from steerway.cli.replica.replicas import documents

    if node and any(client.values()):
        raise click.UsageError("--from names a client: it excludes --zone, --namespace and --client")

    async def query(replicas: "Replicas") -> int:
        answers = await replicas.get("/api/v1/endpoints", target=targets, node=node, **client)
        answered = documents(answers)
        _differences(answered)
        for target in next(iter(answered.values()))["targets"]:
            if target.get("error"):
                target["nearest"] = await _nearest(replicas, target["target"])
        return _show(next(iter(answered.values())), output)

    return session.run(where, query)


async def _nearest(replicas: "Replicas", target: str) -> list[str]:
    """Services with a similar name."""
    from steerway.cli.replica.name import service_id
    from steerway.cli.replica.similar import SERVICES, unknown
    from steerway.errors import TranslateError

    try:
        namespace, name = service_id(target)
    except TranslateError:
        return []
    return (await unknown(replicas, "", f"{namespace}/{name}" if namespace else name, SERVICES)).nearest


def _show(document: Mapping[str, Any], output: Output) -> int:
    if not output.document(document):
        for number, target in enumerate(document["targets"]):
            if output.format == "name":
                for row in _rows(target):
                    if "reason" not in row:
                        terminal.write(row["id"])
            else:
                if number:
                    terminal.write("")
                _target(target, output)
    complete = all(
        not target.get("error") and any(cluster["endpoints"] for cluster in target["clusters"])
        for target in document["targets"]
    )
    return ExitCode.OK if complete else ExitCode.FAILURE


def _target(target: Row, output: Output) -> None:
    if target.get("error"):
        hint = f"there is {', '.join(target['nearest'])}" if target.get("nearest") else ""
        terminal.item(Mark.FAIL, f"{target['target']}: {target['error']}", hint)
        return
    port = f" port {target['port']}" if target.get("port") else ""
    served = any(cluster["endpoints"] for cluster in target["clusters"])
    terminal.item(
        Mark.PASS if served else Mark.FAIL,
        f"{target['target']} is{port} of Service {target['service']}"
        + ("" if served else ": no endpoint for this client, calls fail"),
    )
    for cluster in target["clusters"]:
        if len(target["clusters"]) > 1:
            weight = "" if cluster.get("weight") is None else f" {cluster['weight'] * 100:.3g}%"
            terminal.write(f"cluster {cluster['name']}{weight}")
        rows = [*_of_cluster(cluster)]
        if rows:
            output.table(rows, _columns())
    for limitation in target.get("limitations") or ():
        terminal.item(Mark.WARN, limitation)


def _rows(target: Row) -> Iterator[Row]:
    for cluster in target.get("clusters") or ():
        yield from _of_cluster(cluster)


def _of_cluster(cluster: Row) -> Iterator[Row]:
    for endpoint in cluster["endpoints"]:
        yield {**endpoint, "id": address_of(endpoint)}
    for endpoint in cluster.get("left_out") or ():
        yield {**endpoint, "id": address_of(endpoint)}


def address_of(endpoint: Mapping[str, Any]) -> str:
    """`10.0.0.1:50051`, `[fd00::1]:50051`; the address alone where there is no port."""
    address, port = endpoint["address"], endpoint.get("port")
    if not port:
        return str(address)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _differences(answered: Mapping[str, Row]) -> None:
    """A warning for replicas that would send other endpoints than the first."""
    sets = {
        name: {
            (target["target"], row["id"])
            for target in document["targets"]
            for row in _rows(target)
            if "reason" not in row
        }
        for name, document in answered.items()
    }
    first = next(iter(sets))
    for name, endpoints_of in sets.items():
        if endpoints_of != sets[first]:
            terminal.warn(
                f"replicas {first} and {name} differ in {len(endpoints_of ^ sets[first])} endpoints:"
                " one of them is behind"
            )
