"""`steerway bootstrap`: the file with the addresses of control planes and the Node of a client."""

import json
import re
import shlex
from typing import Any

import click
import yaml

from steerway.bootstrap import envoy
from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.limitation import limitations
from steerway.cli import terminal
from steerway.cli.client_options import VARIABLE, address, addresses, bootstrap_of, client_options
from steerway.cli.parameter import require
from steerway.config.unit import LABEL
from steerway.translate.client.metadata import NAMESPACE, ROLES, SIDECAR

_CONFIG_MAP = "steerway-bootstrap"


def _object_name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if re.fullmatch(rf"{LABEL}(\.{LABEL})*", value) is None:
        raise click.BadParameter(
            f"{value!r} is not the name of a ConfigMap: lower-case letters, digits, '-' and '.'"
        )
    return value


@click.command()
@click.option(
    "--server",
    "servers",
    metavar="HOST:PORT|unix:/PATH",
    required=True,
    multiple=True,
    callback=addresses,
    help="The xDS server of steerway; more of them are used while the first is not available (gRFC A71)",
)
@client_options
@click.option(
    "--for",
    "client",
    type=click.Choice(["grpc", "envoy"]),
    default="grpc",
    show_default=True,
    help="The program that reads it",
)
@click.option(
    "--envoy-role",
    type=click.Choice(ROLES),
    default=SIDECAR,
    show_default=True,
    help="With --for envoy: which resources it gets",
)
@click.option(
    "--envoy-admin",
    metavar="HOST:PORT",
    default=str(envoy.ADMIN),
    show_default=True,
    callback=address,
    help="With --for envoy: address of its admin interface",
)
@click.option(
    "--output",
    type=click.Choice(["json", "configmap", "env"]),
    default="json",
    show_default=True,
    help=f"A file, a Kubernetes ConfigMap with it, or `export {VARIABLE}=…` for a shell",
)
@click.option(
    "--name",
    metavar="NAME",
    default=_CONFIG_MAP,
    show_default=True,
    callback=_object_name,
    help="Name of the ConfigMap",
)
def bootstrap(
    servers: tuple[ServerAddress, ...],
    client: str,
    envoy_role: str,
    envoy_admin: ServerAddress,
    output: str,
    name: str,
    **options: Any,
) -> None:
    """Print a bootstrap for gRPC clients, or for Envoy, to stdout.

    Write it where GRPC_XDS_BOOTSTRAP points, or put it into GRPC_XDS_BOOTSTRAP_CONFIG (--output env). Run this in each
    pod (an init container will do) rather than once for all of them, so that each client has a node id of its own.
    --ca, --certificate, --key, --token-file and the folders of --certificates and --certificate-provider are paths as
    the client sees them; gRPC clients read the files again when they change.

    A note on stderr names the gRPC libraries that do not support a part of the bootstrap.
    """
    if client == "envoy" and output == "env":
        raise click.UsageError("an Envoy reads no environment variable: use --output json with envoy -c FILE")
    for option, used, requirement in (
        ("envoy_role", client == "envoy", "--for envoy"),
        ("envoy_admin", client == "envoy", "--for envoy"),
        ("name", output == "configmap", "--output configmap"),
        ("refresh_seconds", options["certificates"] or options["providers"], "--certificates"),
    ):
        require(option, requirement, used=bool(used))
    shared_id = "" if options["node_id"] or output != "configmap" else name
    if shared_id:
        options["node_id"] = shared_id
    made = bootstrap_of(servers, options)
    document = made.document() if client == "grpc" else envoy.document(made, envoy_role, envoy_admin)
    if output == "configmap":
        file = "bootstrap.json" if client == "grpc" else "envoy.json"
        terminal.write(_config_map(name, made.node.metadata.get(NAMESPACE, ""), {file: document}))
    elif output == "env":
        terminal.write(f"export {VARIABLE}={shlex.quote(json.dumps(document, separators=(',', ':')))}")
    else:
        terminal.write(json.dumps(document, indent=2))
    if shared_id:
        terminal.note(
            f"all clients with this ConfigMap have the node id {shared_id}: set another with --node-id"
        )
    if client == "grpc":
        for limitation in limitations(made):
            terminal.note(str(limitation))
    elif options["ca"] or options["certificate"]:
        terminal.note("Envoy reads the certificate files at its start only: restart it when they change")


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as such."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def _config_map(name: str, namespace: str, files: dict[str, Any]) -> str:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "data": {file: json.dumps(document, indent=2) + "\n" for file, document in files.items()},
    }
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False).rstrip("\n")
