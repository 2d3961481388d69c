"""`steerway bootstrap`: the file with the address of the control plane and the Node of a gRPC client.

Accepted by grpc-go, grpc-java, C-core and grpc-js; the keys are those of gRFC A27, A53 and A65.
"""

import json
import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from steerway.cli import terminal

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_SERVER = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?):(?P<port>\d{1,5})"
)


def _server(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if re.fullmatch(r"unix:/.+", value):
        return value
    match = _SERVER.fullmatch(value)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise click.BadParameter(
            f"{value!r} is not HOST:PORT or unix:/PATH, for example steerway.mesh-system:18000"
        )
    return value


@click.command(short_help="Print a gRPC bootstrap file.")
@click.option(
    "--server",
    metavar="HOST:PORT|unix:/PATH",
    required=True,
    callback=_server,
    help="The xDS server of steerway",
)
@click.option(
    "--node-id", metavar="ID", help="Identity of the client  [default: POD_NAME, else host name~random]"
)
@click.option("--zone", metavar="ZONE", help="Zone of the client, to prefer endpoints near it")
@click.option(
    "--namespace",
    metavar="NS",
    help="Namespace in which short names (xds:///backend) are looked up  [default: the pod's]",
)
@click.option(
    "--creds",
    type=click.Choice(["insecure", "tls"]),
    default="insecure",
    show_default=True,
    help="How the client secures its connection to the xDS server",
)
@click.option("--ca", metavar="FILE", help="Authority of the server's certificate  [default: the system's]")
@click.option("--certificate", metavar="FILE", help="Client certificate, where the server asks for one")
@click.option("--key", metavar="FILE", help="Its private key")
@click.option(
    "--token-file",
    metavar="FILE",
    help="Token that the client sends to the server, such as a projected service-account token",
)
def bootstrap(
    server: str,
    node_id: str | None,
    zone: str | None,
    namespace: str | None,
    creds: str,
    token_file: str | None,
    **tls: str | None,
) -> None:
    """Print a bootstrap file for gRPC clients to stdout.

    Write it where GRPC_XDS_BOOTSTRAP points, or put it into GRPC_XDS_BOOTSTRAP_CONFIG. Run this in each pod
    (an init container will do) rather than once for all of them, so that each client has a node id of its
    own. --ca, --certificate, --key and --token-file are paths as the client sees them; it reads the files again
    when they change.
    """
    given = {name: path for name, path in {**tls, "token_file": token_file}.items() if path}
    if given and creds != "tls":
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{named}: clients use this with --creds tls only")
    if ("certificate" in given) != ("key" in given):
        raise click.UsageError("--certificate and --key belong together: give both")
    namespace = namespace or _own_namespace(os.environ)
    document = _document(server, node_id or _own_id(os.environ, namespace), zone, namespace)
    if creds == "tls":
        document["xds_servers"][0] |= _credentials(given)
    terminal.write(json.dumps(document, indent=2))
    if creds == "tls":
        terminal.note(
            "grpc-js (Node) has no `tls` credentials towards the control plane and refuses this file; the"
            " other clients check the server against "
            + ("the given authority" if "ca" in given else "the system's root certificates")
        )
    if token_file:
        terminal.note(
            "C-core and Go clients read call_creds (gRFC A97) with"
            " GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS=true in their environment; others show no token"
        )


def _credentials(files: Mapping[str, str]) -> dict[str, Any]:
    """Channel and call credentials of the client (gRFC A65, A97)."""
    names = {"ca": "ca_certificate_file", "certificate": "certificate_file", "key": "private_key_file"}
    config = {key: files[name] for name, key in names.items() if name in files}
    credentials: dict[str, Any] = {"channel_creds": [{"type": "tls", "config": config}]}
    if "token_file" in files:
        token = {"jwt_token_file": files["token_file"]}
        credentials["call_creds"] = [{"type": "jwt_token_file", "config": token}]
    return credentials


def _document(server: str, node_id: str, zone: str | None, namespace: str) -> dict[str, Any]:
    return {
        "xds_servers": [
            {
                "server_uri": server,
                "channel_creds": [{"type": "insecure"}],
                # gRFC A53: a client keeps what it has when a resource disappears. grpc-js needs it: it never
                # sees a resource again that went away and came back with equal content.
                "server_features": ["xds_v3", "ignore_resource_deletion"],
            }
        ],
        "node": {
            "id": node_id,
            "locality": {"zone": zone} if zone else {},  # grpc-js demands the key, empty or not
            "metadata": {"NAMESPACE": namespace} if namespace else {},
        },
    }


def _own_namespace(environ: Mapping[str, str]) -> str:
    """The namespace of the pod that this runs in; "" outside of a cluster."""
    if own := environ.get("POD_NAMESPACE"):
        return own
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _own_id(environ: Mapping[str, str], namespace: str) -> str:
    """A node id that no other client has: a pod's name is unique in its namespace, a host name is not."""
    if pod := environ.get("POD_NAME"):
        return f"{pod}.{namespace}" if namespace else pod
    return f"{socket.gethostname()}~{secrets.token_hex(4)}"
