"""`steerway diff`: what would `kubectl apply` of these manifests change for clients?

The objects come from the API server, as `steerway serve` reads them, the clients from the replicas. Nothing is written.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from steerway.cli import difference as shown
from steerway.cli import terminal
from steerway.cli.parameter import ManifestPath, Seconds
from steerway.cli.replica import Where, replica_options
from steerway.cli.terminal import ExitCode
from steerway.config import Settings
from steerway.errors import SettingsError, SourceError, SteerwayError

if TYPE_CHECKING:
    from steerway.diff.client import Stream
    from steerway.diff.state import Mesh
    from steerway.sources.objects.core import Object, ObjectKey

_NO_DIFFERENCE, _DIFFERENCES, _ERROR = ExitCode.OK, 1, ExitCode.USAGE
"""As of `kubectl diff` and `diff`."""


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=ManifestPath())
@click.option(
    "--against",
    metavar="DIR",
    multiple=True,
    type=ManifestPath(),
    help="Compare with these manifests instead of a cluster (repeatable)",
)
@click.option(
    "--prune", is_flag=True, help="Objects that the manifests lack, in their namespaces, are deleted"
)
@click.option(
    "--config", "file", metavar="FILE", type=click.Path(path_type=Path), help="Settings of the control plane"
)
@click.option(
    "--namespace",
    "namespaces",
    metavar="NS",
    multiple=True,
    help="Read only this namespace of the cluster (repeatable)  [default: those of the settings, else all]",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=Seconds(maximum=600),
    default=30.0,
    show_default=True,
    help="How long reading the cluster may take",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="Form of the output",
)
@click.option("-v", "--verbose", is_flag=True, help="Also the resources themselves, before and after")
@replica_options()
def diff(paths: tuple[Path, ...], where: Where, output: str, verbose: bool, **options: Any) -> int:
    """Show what manifests would change for clients, before `kubectl apply`.

    For each service its endpoints, routes and policies before and after, and how many clients get other resources; then
    those resources, what libraries cannot do any more, and problems that come or go. PATH is a file, or a directory of
    *.yaml, *.yml and *.json.

    The clients are those of the replicas, with what they are subscribed to. Without a control plane, and with --against
    unless its address is given, the difference is that of one client of each library.

    Objects that the manifests lack stay as they are, as with `kubectl apply`, unless --prune is given. EndpointSlices
    that Kubernetes makes of selectors and Pods are taken as they are now.

    Exit code 0: no difference. 1: differences. 2: the command line is wrong, manifests are broken, or the cluster
    cannot be read.
    """
    try:
        return _diff(paths, where, output, verbose, options)
    except SteerwayError as error:
        hint = error.hint if isinstance(error, SourceError) else ""
        terminal.fail(f"{error}; {hint}" if hint and hint not in str(error) else str(error))
        return _ERROR


def _diff(
    paths: tuple[Path, ...], where: Where, output: str, verbose: bool, options: Mapping[str, Any]
) -> int:
    from steerway.cli.live import service_specs
    from steerway.control.source import default_namespace
    from steerway.diff import overlay, selection
    from steerway.diff.difference import Question, difference
    from steerway.log import setup

    setup.configure("text", "error")  # what is wrong is a part of the difference
    settings = _settings(where, options)
    manifests = _manifests(paths, settings)
    live = _live(settings, manifests, options)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    changes = overlay.changes(live.objects, manifests, live.applied, now, prune=options["prune"])
    streams = None if options["against"] and not where.addresses else _streams(where)
    question = Question(changes, streams, settings.cluster_domain, shown.resource if verbose else None)
    document = difference(_mesh(settings, live.objects), question)
    specs = service_specs(paths, default_namespace(settings))
    document["notes"] = [*selection.notes(live.specs, specs)]
    document["differences"] |= bool(document["notes"])
    if output == "json":
        terminal.write(json.dumps(document, indent=2, ensure_ascii=False))
    elif output == "yaml":
        import yaml

        terminal.write(yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip())
    else:
        shown.show(document)
    return _DIFFERENCES if document["differences"] else _NO_DIFFERENCE


def _streams(where: Where) -> "list[Stream] | None":
    """Those of all replicas; None where there is no control plane. SourceError: it does not answer at its address."""
    from steerway.cli.replica import session
    from steerway.cli.replica.replicas import Replicas, documents
    from steerway.diff.client import connected

    async def query(replicas: Replicas) -> "list[Stream]":
        streams = documents(await replicas.get("/api/v1/streams"))
        nodes = documents(await replicas.items("/api/v1/clients", by="node", fields="workload"))
        workloads = {
            row["id"]: row["workload"] or "" for document in nodes.values() for row in document["items"]
        }
        return connected((row for document in streams.values() for row in document["streams"]), workloads)

    try:
        return session.ask(where, query)
    except SourceError as error:
        if where.addresses:
            raise
        terminal.note(f"clients are not known: {error}")
        return None


def _settings(where: Where, options: Mapping[str, Any]) -> Settings:
    """Those of the control plane, to read a cluster with the user's credentials, without Pods and Nodes."""
    from steerway import config

    settings = config.load(options["file"], {}, {})
    kubernetes = settings.kubernetes
    namespaces = options["namespaces"] or kubernetes.namespaces or ("all",)
    kubernetes = replace(
        kubernetes,
        enabled=True,
        kubeconfig=where.kubeconfig or kubernetes.kubeconfig,
        context=where.context or kubernetes.context,
        namespaces=namespaces,
        client_locality="off",
    )
    authentication = replace(settings.authentication, pod_address="off")
    return replace(settings, kubernetes=kubernetes, authentication=authentication)


def _manifests(paths: tuple[Path, ...], settings: Settings) -> "list[Object]":
    """The objects in files. SettingsError: a file is missing or has a broken document."""
    from steerway.control.source import default_namespace
    from steerway.sources.files import load

    missing = [path for path in paths if not path.exists()]
    if missing:
        raise SettingsError("\n".join(f"{path} does not exist: correct the path" for path in missing))
    result = load(paths, default_namespace(settings))
    if result.problems:
        raise SettingsError(
            "\n".join(f"{problem.where}: {problem.reason}: {problem.hint}" for problem in result.problems)
        )
    if not result.objects:
        terminal.note("these files have no object that steerway reads")
    return [*result.objects]


class _Live(NamedTuple):
    """What is there. `applied`, `specs`: see `overlay.Applied` and `selection.notes`."""

    objects: "dict[ObjectKey, Object]"
    applied: "Mapping[ObjectKey, Mapping[str, frozenset[str]]]"
    specs: "Mapping[ObjectKey, Mapping[str, Any]]"


def _live(settings: Settings, manifests: "list[Object]", options: Mapping[str, Any]) -> _Live:
    from steerway.cli import live
    from steerway.control.source import default_namespace

    if against := options["against"]:
        objects = {obj.key: obj for obj in _manifests(against, settings)}
        return _Live(objects, {}, live.service_specs(against, default_namespace(settings)))
    objects, problems = live.read(settings, options["timeout"])
    for problem in problems:
        terminal.note(f"{problem.where}: {problem.reason}")
    written = live.written(settings, [obj.key for obj in manifests if obj.key in objects])
    applied = {key: obj.applied for key, obj in written.items()}
    return _Live(objects, applied, {key: obj.spec for key, obj in written.items() if key.kind == "Service"})


def _mesh(settings: Settings, objects: "dict[ObjectKey, Object]") -> "Mesh":
    from functools import partial

    from steerway.control.wiring import make_catalog, translator_of
    from steerway.diff.state import Mesh

    return Mesh.of(objects.values(), make_catalog(settings), partial(translator_of, settings))
