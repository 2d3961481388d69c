"""`steerway describe`: one Service or one client with all that is known of it."""

from typing import TYPE_CHECKING, Any

import click

from steerway.cli.command.view import description
from steerway.cli.output import Output, output_options
from steerway.cli.replica import Where, completion, replica_options
from steerway.errors import SourceError

if TYPE_CHECKING:
    from steerway.cli.replica.replicas import Replicas

_KINDS = ("service", "client")


@click.command()
@click.argument(
    "what", metavar="service|client", nargs=-1, required=True, shell_complete=completion.described
)
@click.option(
    "-n",
    "--namespace",
    metavar="NS",
    default="",
    help="Namespace of a NAME without one  [default: any that has it]",
)
@output_options("text", "json", "yaml")
@replica_options()
def describe(where: Where, output: Output, what: tuple[str, ...], namespace: str) -> int:
    """Show a Service or a client in detail: `describe service shop/backend`, `describe client NODE|WORKLOAD`.

    A Service: ports with endpoints and policies, routes, subscribers, load, and its latest changes. A client:
    its streams, the resources of each with their versions and acknowledgements, refusals and limitations. Also
    KIND/NAME, as -o name of other commands prints it.
    """
    from steerway.cli.replica import session

    kind, name = _parsed(what)
    query = _service if kind == "service" else _client
    return session.run(where, lambda replicas: query(replicas, name, namespace, output))


def _parsed(what: tuple[str, ...]) -> tuple[str, str]:
    kind, _, name = what[0].partition("/") if len(what) == 1 else (what[0], "", what[1])
    if kind not in _KINDS or not name or len(what) > 2:
        raise click.UsageError("write `service NAME`, `client NODE` or `client WORKLOAD`")
    return kind, name


async def _service(replicas: "Replicas", name: str, namespace: str, output: Output) -> None:
    row = await service_row(replicas, name, namespace)
    if not output.document(row):
        description.service(row)


async def service_row(replicas: "Replicas", name: str, namespace: str) -> dict[str, Any]:
    """The merged document of a Service. `namespace`: of a name without one; "": the only one that has it. Raises
    UnknownServiceError and SourceError."""
    from steerway.cli.replica import merge
    from steerway.cli.replica.name import service_id
    from steerway.cli.replica.replicas import documents

    own, service = service_id(name)
    id = f"{own or namespace}/{service}" if own or namespace else await _only(replicas, service)
    answers = documents(await replicas.get(f"/api/v1/services/{id}"))
    (row,) = merge.services({replica: [document] for replica, document in answers.items()})
    row["subscribers"] = merge.subscribers(document["subscribers"] for document in answers.values())
    row["changes"] = merge.changes({replica: document["changes"] for replica, document in answers.items()})
    row["load"] = merge.loads(document["load"] for document in answers.values())
    row["propagation"] = {replica: document["propagation"] for replica, document in answers.items()}
    return row


async def _only(replicas: "Replicas", name: str) -> str:
    """The id of the one Service with a name. Raises SourceError when several have it."""
    from steerway.cli.replica.replicas import documents
    from steerway.cli.replica.similar import SERVICES, unknown

    answers = documents(await replicas.items(SERVICES, q=name, fields="name"))
    rows = (row for document in answers.values() for row in document["items"])
    ids = sorted({row["id"] for row in rows if row["name"] == name})
    if len(ids) > 1:
        raise SourceError(f"{len(ids)} Services are called {name}: choose one of {', '.join(ids)}")
    if not ids:
        raise await unknown(replicas, f"no Service is called {name}", name, SERVICES)
    return str(ids[0])


async def _client(replicas: "Replicas", name: str, _namespace: str, output: Output) -> None:
    """A workload when one has this name, else a node."""
    from steerway.cli.replica import merge
    from steerway.cli.replica.replicas import documents
    from steerway.cli.replica.similar import CLIENTS, unknown

    answers = documents(await replicas.items("/api/v1/clients", by="node", workload=_workload(name)))
    nodes = merge.clients({replica: document["items"] for replica, document in answers.items()})
    if not nodes:
        answers = documents(await replicas.items("/api/v1/clients", by="node", client=name))
        nodes = merge.clients({replica: document["items"] for replica, document in answers.items()})
    if not nodes:
        text = f"no client with the node id or workload {name} is connected"
        raise await unknown(replicas, text, name, CLIENTS, None if "/" in name else "node")
    details = [await details_of(replicas, row) for row in nodes]
    if not output.document({"items": details}):
        description.clients(name, details)


def _workload(name: str) -> str:
    """Names without a namespace are none of a workload; the server refuses them."""
    return name if name.count("/") == 1 else "-/-"


async def details_of(replicas: "Replicas", row: dict[str, Any]) -> dict[str, Any]:
    """A client with its streams at all replicas."""
    from urllib.parse import quote

    from steerway.cli.replica.replicas import documents

    answers = documents(await replicas.get(f"/api/v1/clients/{quote(row['id'], safe='')}"))
    streams = [
        {**stream, "replica": replica}
        for replica, document in answers.items()
        for stream in document["stream_details"]
    ]
    return {**row, "stream_details": streams}
