"""`steerway bootstrap`: the file with the addresses of control planes and the Node of a client."""

import json
from typing import Any

import click

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.limitation import limitations
from steerway.cli import terminal
from steerway.cli.client_options import addresses, bootstrap_of, client_options


@click.command(short_help="Print a gRPC bootstrap file.")
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
def bootstrap(servers: tuple[ServerAddress, ...], **options: Any) -> None:
    """Print a bootstrap file for gRPC clients to stdout.

    Write it where GRPC_XDS_BOOTSTRAP points, or put it into GRPC_XDS_BOOTSTRAP_CONFIG. Run this in each pod
    (an init container will do) rather than once for all of them, so that each client has a node id of its
    own. --ca, --certificate, --key, --token-file and the folders of --certificate-provider are paths as the client sees
    them; it reads the files again when they change.

    A note on stderr names the gRPC libraries that do not support a part of the file.
    """
    made = bootstrap_of(servers, options)
    terminal.write(json.dumps(made.document(), indent=2))
    for limitation in limitations(made):
        terminal.note(str(limitation))
