"""`steerway explain`: the configuration of a target for a client, its sources, and the clients that have it.

It queries a running control plane, or computes the same from manifest files, without connected clients.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steerway.cli import explanation, terminal
from steerway.cli.parameter import ManifestPath, client_library, require
from steerway.cli.replica import Where, completion, replica_options
from steerway.cli.terminal import ExitCode
from steerway.errors import SettingsError, SourceError, UnknownServiceError

if TYPE_CHECKING:
    from steerway.cli.replica.replicas import Replicas


@click.command()
@click.argument("target", metavar="TARGET", shell_complete=completion.targets)
@click.argument("method", metavar="[METHOD]", default="")
@click.option(
    "--from",
    "caller",
    metavar="WORKLOAD",
    default="",
    help="Whether servers accept a call of METHOD (package.Service/Method) by this workload: NAMESPACE/ACCOUNT, a"
    " SPIFFE ID, or none for one without a certificate",
)
@click.option(
    "--header", "headers", metavar="NAME=VALUE", multiple=True, help="A header of this call (repeatable)"
)
@click.option(
    "--namespace", metavar="NS", default="", help="Namespace of the client  [default: the service's]"
)
@click.option("--node-zone", metavar="ZONE", default="", help="Zone of the client")
@click.option("--node", metavar="NODE", default="", help="Node of the client, with topology: node")
@click.option(
    "--client",
    metavar="NAME[/VERSION]",
    default="",
    callback=client_library,
    help="Its library, such as grpc-go/1.70, grpcio or envoy",
)
@click.option(
    "--files",
    metavar="DIR",
    multiple=True,
    type=ManifestPath(),
    help="Explain these manifests instead, without a control plane (repeatable)",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Also defaults and the resources themselves")
@replica_options("--admin")
def explain(
    target: str,
    method: str,
    caller: str,
    headers: tuple[str, ...],
    namespace: str,
    node_zone: str,
    node: str,
    client: str,
    output: str,
    verbose: bool,
    files: tuple[Path, ...],
    where: Where,
) -> int:
    """Explain the configuration of TARGET, such as xds:///backend.shop:50051, for a client; with --from, whether its
    servers accept a call of METHOD, such as shop.Cart/Get.

    Its port; endpoints, routes and policies with their sources; the localities and limitations of the client; the
    resources; which connected clients have acknowledged them. Exit code 1 when there is no such service, or no
    control plane.
    """
    from steerway.translate import resource_name

    if bool(method) != bool(caller):
        raise click.UsageError("--from WORKLOAD and METHOD are given together: TARGET package.Service/Method")
    require("headers", "--from", used=bool(caller))
    resource_name.of_target(target)  # a wrong scheme is one with or without a control plane
    asked = {"target": target, "namespace": namespace, "zone": node_zone, "node": node, "client": client}
    asked |= {"caller": caller, "method": method, "headers": ",".join(headers)}
    try:
        document = _offline(files, asked) if files else _ask(where, asked)
    except UnknownServiceError as error:
        terminal.fail(str(error))
        if error.nearest:
            terminal.note(f"there is {', '.join(error.nearest)}")
        return ExitCode.FAILURE
    if caller and "access" not in document:
        terminal.note("the control plane is of an older version, which does not decide calls")
    if output == "json":
        terminal.write(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        explanation.show(document, verbose)
    return ExitCode.OK


def _ask(where: Where, asked: Mapping[str, str]) -> dict[str, Any]:
    """The answer of the first replica that has one, with the clients of all. SourceError: there is none."""
    from steerway.cli.replica import session
    from steerway.cli.replica.replicas import documents

    async def query(replicas: "Replicas") -> dict[str, Any]:
        answers = documents(await replicas.get("/api/v1/explain", **asked))
        document = next(iter(answers.values()))
        if "clients" in document:
            clients = (client for answer in answers.values() for client in answer["clients"])
            document["clients"] = sorted(clients, key=lambda client: (client["node"], client["address"]))
        return document

    try:
        return session.ask(where, query)
    except SourceError as error:
        if not error.hint:
            raise
        raise SourceError(str(error), f"{error.hint}, or manifests with --files DIR") from None


def _offline(paths: tuple[Path, ...], asked: Mapping[str, str]) -> dict[str, Any]:
    """The same from manifests, with default settings."""
    from steerway.admin.api.type_name import short_name
    from steerway.catalog.catalog import Catalog
    from steerway.config import Settings
    from steerway.control.source import default_namespace
    from steerway.control.wiring import server_defaults
    from steerway.explain import Explainer, Question, access
    from steerway.log import setup
    from steerway.sources.files import load
    from steerway.sources.objects.core import XdsResource
    from steerway.translate.dialect.envoy import Addresses
    from steerway.translate.protobuf.render import to_json
    from steerway.translate.translator import Translator

    setup.configure("text", "warning")  # without it lines go to stdout, which is the answer's
    for path in paths:
        if not path.exists():
            raise SettingsError(f"--files {path} does not exist: correct the path")
    settings = Settings()
    namespace = default_namespace(settings)
    loaded = load(paths, namespace)
    for problem in loaded.problems:
        terminal.note(f"{problem.where}: {problem.reason}; run `steerway check` for details")
    objects = {obj.key: obj for obj in loaded.objects}
    catalog = Catalog(server_defaults=server_defaults(settings))
    catalog.update(objects.get, objects)
    translator = Translator(
        catalog.service,
        cluster_domain=settings.cluster_domain,
        load_reporting=settings.load_reporting.enabled,
        buckets=settings.subset_buckets,
        listen=Addresses(settings.envoy.listen, settings.envoy.gateway_listen),
        system_ca_file=settings.envoy.system_ca_file,
        left_out=catalog.left_out,
    )
    translator.start([obj for obj in loaded.objects if isinstance(obj, XdsResource)])
    explainer = Explainer(
        find=catalog.service,
        known=lambda: catalog,
        metadata=lambda id: catalog.metadata(objects.get, id),
        preview=translator.preview,
        topology=settings.topology,
        domain=settings.cluster_domain,
        namespace=namespace,
        buckets=settings.subset_buckets,
        access=access.of_catalog(catalog, objects.get),
        left_out=catalog.left_out,
    )
    document = explainer.explain(Question(**asked))
    if document["facts"]["why_no_endpoint"]:
        name = f"Endpoints {document['target']['service']}"
        unread = [
            entry.remark
            for entry in loaded.documents
            if f"{entry.kind} {entry.name}" == name and entry.ignored
        ]
        document["facts"]["why_no_endpoint"] += [
            f"{name} are not read in files: {remark}" for remark in unread[:1]
        ]
    for resource in document["resources"]:
        body = resource["body"]
        resource |= {"type": short_name(resource["type_url"]), "version": None}
        resource["body"] = None if body is None else to_json(resource["type_url"], body)
    return document | {"clients": None}
