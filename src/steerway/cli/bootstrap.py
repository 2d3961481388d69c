"""`steerway bootstrap`: the file that tells a gRPC client where the control plane is and who it is itself.

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
    found = _SERVER.fullmatch(value)
    if found is None or not 1 <= int(found["port"]) <= 65535:
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
def bootstrap(server: str, node_id: str | None, zone: str | None, namespace: str | None, creds: str) -> None:
    """Print a bootstrap file for gRPC clients to stdout.

    Write it where GRPC_XDS_BOOTSTRAP points, or put it into GRPC_XDS_BOOTSTRAP_CONFIG. Run this in each pod
    (an init container will do) rather than once for all of them, so that each client has a node id of its
    own.
    """
    namespace = namespace or _own_namespace(os.environ)
    document = _document(server, node_id or _own_id(os.environ, namespace), zone, namespace, creds)
    terminal.say(json.dumps(document, indent=2))
    if creds == "tls":
        terminal.note(
            "grpc-js (Node) has no `tls` credentials towards the control plane and refuses this file; the"
            " other clients check the server against the system's root certificates"
        )


def _document(server: str, node_id: str, zone: str | None, namespace: str, creds: str) -> dict[str, Any]:
    return {
        "xds_servers": [
            {
                "server_uri": server,
                # An empty config for `tls`: the system's roots. No call_creds: they need a secure channel.
                "channel_creds": [{"type": "tls", "config": {}} if creds == "tls" else {"type": "insecure"}],
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
