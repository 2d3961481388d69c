"""One Service, workload, change or problem as text: that of `steerway describe`, or of all fields."""

import contextlib
import io
from collections.abc import Callable

import yaml

from steerway.cli.command.view import describe, description
from steerway.cli.replica import merge
from steerway.cli.replica.replicas import Replicas, documents
from steerway.cli.top.model import Row
from steerway.errors import SteerwayError

_MOST_NODES = 20


async def text(replicas: Replicas, kind: str, row: Row) -> str:
    """What is known of a row; why it is not known where no replica answers."""
    try:
        if kind == "service":
            detail = await describe.service_row(replicas, str(row["id"]), "")
            return _printed(lambda: description.service(detail))
        if kind == "client":
            nodes = await _nodes(replicas, str(row["id"]))
            shown = [await describe.details_of(replicas, node) for node in nodes[:_MOST_NODES]]
            return _printed(lambda: description.clients(str(row["id"]), [*shown, *nodes[_MOST_NODES:]]))
    except SteerwayError as error:
        return str(error)
    return yaml.safe_dump(row, sort_keys=False, allow_unicode=True, width=100)


async def _nodes(replicas: Replicas, workload: str) -> list[Row]:
    answers = await replicas.items("/api/v1/clients", by="node", workload=workload)
    return merge.clients({name: document["items"] for name, document in documents(answers).items()})


def _printed(show: Callable[[], None]) -> str:
    """What a function writes, without colours. Notes of commands go to stderr, which is not shown here."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
        show()
    return output.getvalue()
