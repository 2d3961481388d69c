"""The options that describe a gRPC client, of `steerway bootstrap` and `steerway run`."""

import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import (
    REFRESH_SECONDS,
    SERVER_LISTENER_TEMPLATE,
    Bootstrap,
    Credentials,
    FileWatcher,
    Insecure,
    Node,
    Server,
    Tls,
)
from steerway.config.unit import LABEL
from steerway.errors import SettingsError
from steerway.translate.client import metadata as key

VARIABLE = "GRPC_XDS_BOOTSTRAP_CONFIG"
"""Environment variable with the text of a bootstrap."""
FILE_VARIABLE = "GRPC_XDS_BOOTSTRAP"
"""Environment variable with the path of a bootstrap; it takes precedence."""

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_TLS_OPTIONS = ("ca", "certificate", "key", "token_file")

_Command = TypeVar("_Command", bound=Callable[..., Any])


def address(_context: click.Context, _option: click.Parameter, value: str) -> ServerAddress:
    """Callback of an option with one address."""
    try:
        return ServerAddress.parse(value)
    except SettingsError as error:
        raise click.BadParameter(str(error)) from None


def addresses(
    context: click.Context, option: click.Parameter, values: Sequence[str]
) -> tuple[ServerAddress, ...]:
    """Callback of a repeatable option."""
    parsed = tuple(address(context, option, value) for value in values)
    if twice := sorted({str(item) for item in parsed if parsed.count(item) > 1}):
        raise click.BadParameter(f"{', '.join(twice)} is given twice: remove one")
    return parsed


def _pairs(_context: click.Context, option: click.Parameter, values: Sequence[str]) -> list[tuple[str, str]]:
    """Callback of a repeatable option whose metavar is `NAME=VALUE`."""
    pairs = [(name, value) for name, _, value in (text.partition("=") for text in values)]
    for text, (name, value) in zip(values, pairs, strict=True):
        if not name or not value:
            raise click.BadParameter(f"{text!r} is not {option.metavar}")
    return pairs


def _unique_pairs(
    context: click.Context, option: click.Parameter, values: Sequence[str]
) -> list[tuple[str, str]]:
    """As `_pairs`, each name once."""
    pairs = _pairs(context, option, values)
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise click.BadParameter(f"{', '.join(twice)} is given twice: remove one")
    return pairs


def _metadata(
    context: click.Context, option: click.Parameter, values: Sequence[str]
) -> list[tuple[str, str]]:
    pairs = _unique_pairs(context, option, values)
    _namespace(context, option, dict(pairs).get(key.NAMESPACE))
    return pairs


def _authorities(
    context: click.Context, option: click.Parameter, values: Sequence[str]
) -> dict[str, tuple[ServerAddress, ...]]:
    authorities: dict[str, tuple[ServerAddress, ...]] = {}
    for name, value in _pairs(context, option, values):
        if "/" in name:
            raise click.BadParameter(f"{name!r} is not the name of an authority: remove '/'")
        authorities[name] = (*authorities.get(name, ()), address(context, option, value))
    return authorities


def _services(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> str:
    """As the metadata has them."""
    for value in values:
        if re.fullmatch(LABEL, value) is None:
            raise click.BadParameter(
                f"{value!r} is not the name of a Service: lower-case letters, digits and '-'"
            )
    return ",".join(dict.fromkeys(values))


def _namespace(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value and re.fullmatch(LABEL, value) is None:
        raise click.BadParameter(
            f"{value!r} is not the name of a namespace: lower-case letters, digits and '-'"
        )
    return value


_NODE_OPTIONS = (
    click.option(
        "--namespace",
        metavar="NS",
        callback=_namespace,
        help="Namespace in which short names (xds:///backend) are looked up  [default: the pod's]",
    ),
    click.option(
        "--node-id", metavar="ID", help="Identity of the client  [default: POD_NAME, else host name~random]"
    ),
    click.option("--node-cluster", metavar="NAME", default="", help="Group of the client, as Envoy has it"),
    click.option("--region", metavar="REGION", default="", help="Region of the client"),
    click.option(
        "--zone", metavar="ZONE", default="", help="Zone of the client, to prefer endpoints near it"
    ),
    click.option(
        "--metadata",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_metadata,
        help="Metadata of the Node (repeatable)",
    ),
)
_CREDENTIAL_OPTIONS = (
    click.option(
        "--creds",
        type=click.Choice(["insecure", "tls"]),
        default="insecure",
        show_default=True,
        help="How the client secures its connection to the xDS server",
    ),
    click.option(
        "--ca", metavar="FILE", help="Authority of the server's certificate  [default: the system's]"
    ),
    click.option("--certificate", metavar="FILE", help="Client certificate, where the server requires one"),
    click.option("--key", metavar="FILE", help="Its private key"),
    click.option(
        "--token-file",
        metavar="FILE",
        help="Token that the client sends to the server, such as a projected service-account token",
    ),
)
_FEATURE_OPTIONS = (
    click.option(
        "--authority",
        "authorities",
        metavar="NAME=HOST:PORT",
        multiple=True,
        callback=_authorities,
        help="Server of the targets xds://NAME/… (gRFC A47; repeatable, the same NAME again for a fallback)",
    ),
    click.option(
        "--certificates",
        metavar="FOLDER",
        help="Certificates for mTLS among gRPC clients and servers: tls.crt, tls.key and ca.crt in FOLDER",
    ),
    click.option(
        "--certificate-provider",
        "providers",
        metavar="NAME=FOLDER",
        multiple=True,
        callback=_unique_pairs,
        help="As --certificates, for resources of another control plane that name NAME (repeatable)",
    ),
    click.option(
        "--certificate-refresh-seconds",
        "refresh_seconds",
        metavar="SECONDS",
        type=click.IntRange(min=1),
        default=REFRESH_SECONDS,
        show_default=True,
        help="How often the client reads these files again",
    ),
    click.option(
        "--server-listener-template",
        metavar="TEMPLATE",
        is_flag=False,
        flag_value=SERVER_LISTENER_TEMPLATE,
        default="",
        help="For xDS servers: name of their Listener, with %s for IP:PORT"
        f"  [without a value, or with --service: {SERVER_LISTENER_TEMPLATE}]",
    ),
    click.option(
        "--service",
        "services",
        metavar="NAME",
        multiple=True,
        callback=_services,
        help="For xDS servers outside of pods: their Service, whose policies apply to them (repeatable)",
    ),
    click.option(
        "--client-listener-template",
        metavar="TEMPLATE",
        default="",
        help="Name of the Listener of a target, with %s for the target  [default: %s]",
    ),
)


def client_options(command: _Command) -> _Command:
    """Add the options to a command, for `bootstrap_of`."""
    for option in reversed((*_NODE_OPTIONS, *_CREDENTIAL_OPTIONS, *_FEATURE_OPTIONS)):
        command = option(command)
    return command


def bootstrap_of(servers: Sequence[ServerAddress], options: Mapping[str, Any]) -> Bootstrap:
    """The bootstrap that the values of `client_options` describe. Raises click.UsageError, SettingsError."""
    given = [name for name in _TLS_OPTIONS if options[name]]
    if given and options["creds"] != "tls":
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{named}: clients use this with --creds tls only; add --creds tls")
    if ("certificate" in given) != ("key" in given):
        raise click.UsageError("--certificate and --key belong together: give both")
    other = dict(options["metadata"]).get(key.NAMESPACE)
    if options["namespace"] and other and options["namespace"] != other:
        raise click.UsageError(
            f"--namespace {options['namespace']} and --metadata {key.NAMESPACE}={other} differ: remove one"
        )
    credentials: Credentials = Insecure()
    if options["creds"] == "tls":
        credentials = Tls(options["ca"] or "", options["certificate"] or "", options["key"] or "")

    def server(address: ServerAddress) -> Server:
        return Server(address, (credentials,), options["token_file"] or "")

    folders = _folders(options)
    providers = {
        name: FileWatcher(folder, refresh_seconds=options["refresh_seconds"])
        for name, folder in folders.items()
    }
    own = providers.pop(key.CERTIFICATE_PROVIDER, None)
    made = Bootstrap(
        servers=tuple(map(server, servers)),
        node=_node(options),
        authorities={name: tuple(map(server, hosts)) for name, hosts in options["authorities"].items()},
        certificate_providers=providers,
        server_listener_template=options["server_listener_template"]
        or (SERVER_LISTENER_TEMPLATE if options["services"] else ""),
        client_listener_template=options["client_listener_template"],
    )
    return made.with_certificates(own) if own else made


def _folders(options: Mapping[str, Any]) -> dict[str, str]:
    """Those of the certificate providers. Raises click.UsageError."""
    folders = dict(options["providers"])
    if options["certificates"]:
        if key.CERTIFICATE_PROVIDER in folders:
            raise click.UsageError(
                f"--certificates and --certificate-provider {key.CERTIFICATE_PROVIDER}=… are the same: remove one"
            )
        folders[key.CERTIFICATE_PROVIDER] = options["certificates"]
    return folders


def _node(options: Mapping[str, Any]) -> Node:
    namespace = options["namespace"] or _own_namespace(os.environ)
    return Node(
        id=options["node_id"] or _own_id(os.environ, namespace),
        cluster=options["node_cluster"],
        region=options["region"],
        zone=options["zone"],
        metadata={
            **({key.NAMESPACE: namespace} if namespace else {}),
            **({key.SERVICE: options["services"]} if options["services"] else {}),
            **dict(options["metadata"]),
        },
    )


def _own_namespace(environ: Mapping[str, str]) -> str:
    """The namespace of the pod that this runs in; "" outside of a cluster."""
    if own := environ.get("POD_NAMESPACE"):
        return own
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _own_id(environ: Mapping[str, str], namespace: str) -> str:
    """A node id that no other client has: a pod's name is unique in its namespace, a host name is not."""
    if pod := environ.get("POD_NAME"):
        return f"{pod}.{namespace}" if namespace else pod
    return f"{socket.gethostname()}~{secrets.token_hex(4)}"
