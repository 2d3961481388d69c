"""`steerway bug-report`: one archive with the state of an installation, without secrets."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steerway.cli import output as out
from steerway.cli import terminal
from steerway.cli.replica import Where, replica_options
from steerway.cli.terminal import ExitCode
from steerway.errors import SourceError, SteerwayError

if TYPE_CHECKING:
    from steerway.cli.bugreport.archive import Archive
    from steerway.cli.replica.replicas import Replicas


@click.command(name="bug-report")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The archive  [default: steerway-bug-report-TIME.tar.gz]",
)
@replica_options()
def bug_report(where: Where, path: Path | None) -> int:
    """Write an archive for a bug report: versions, the state of each replica, and of the cluster objects, Events, logs
    and the result of `steerway check --kubernetes`.

    Secrets are removed: values of Secrets wherever they occur, private keys, tokens, passwords, variables with such
    names. manifest.json lists what was collected, and what was not with the reason. Look at it before you publish it:
    names of Services, pods and namespaces are in it.

    Exit code 1 when nothing could be collected.
    """
    chosen = path or Path(time.strftime("steerway-bug-report-%Y%m%d-%H%M%S.tar.gz", time.gmtime()))
    return asyncio.run(_collect(where, chosen))


async def _collect(where: Where, path: Path) -> int:
    from steerway.cli.bugreport import collect
    from steerway.cli.bugreport.archive import Archive
    from steerway.cli.bugreport.redaction import Redaction
    from steerway.cli.command.version import parts

    async with AsyncExitStack() as stack:
        archive = stack.enter_context(Archive(path, Redaction().text))
        archive.add_json("versions.json", parts())
        replicas = await _replicas(where, archive, stack)
        if not where.addresses:
            await _cluster(where, archive, replicas, stack)
        if replicas is not None:
            await collect.replicas(archive, replicas)
        files, failed = archive.files, archive.failed
    # And the manifest.
    terminal.write(f"{path}: {out.count(files + 1, 'file')}")
    for item in failed:
        terminal.note(f"{item['file']} is missing: {item['reason']}")
    return ExitCode.OK if files > 1 else ExitCode.FAILURE


async def _replicas(where: Where, archive: "Archive", stack: AsyncExitStack) -> "Replicas | None":
    from steerway.cli.replica.connection import connect

    try:
        return await stack.enter_async_context(connect(where))
    except SteerwayError as error:
        archive.fail("replicas", str(error))
        return None


async def _cluster(
    where: Where, archive: "Archive", replicas: "Replicas | None", stack: AsyncExitStack
) -> None:
    """The namespaces with a Deployment of steerway."""
    from steerway.cli.bugreport import collect
    from steerway.cli.bugreport.redaction import Redaction
    from steerway.kubecheck import installation
    from steerway.kubecheck.reader import Reader
    from steerway.sources.kubernetes.access import Access
    from steerway.sources.kubernetes.client import KubernetesClient

    try:
        client = KubernetesClient(Access.find(where.kubeconfig, where.context))
        stack.push_async_callback(client.close)
        reader = Reader(client)
        deployments = await installation.find(reader, where.namespace or "")
    except SourceError as error:
        archive.fail("cluster", f"{error}; {error.hint}" if error.hint else str(error))
        return
    namespaces = sorted({str(item["metadata"]["namespace"]) for item in deployments})
    if len(namespaces) != 1:
        listed = f"is in {', '.join(namespaces)}" if namespaces else "is in no namespace"
        archive.fail("cluster", f"a Deployment of steerway {listed}: choose one with --steerway-namespace")
        return
    redaction = Redaction(await collect.secrets(reader, namespaces[0]))
    archive.clean = redaction.text
    await collect.ClusterCollector(archive, reader, namespaces[0], redaction).run(replicas)
