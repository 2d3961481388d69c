"""Whether a client with a bootstrap gets an answer from one of its control planes, and Listeners for its targets."""

from collections.abc import Sequence
from urllib.parse import quote

from steerway.bootstrap.document import Bootstrap, Node, Server, Tls
from steerway.errors import SettingsError, SourceError, UnknownServiceError
from steerway.preflight import connection, stream
from steerway.translate import resource_name

_LISTENER = "envoy.config.listener.v3.Listener"


def check_servers(servers: Sequence[Server], node: Node, seconds: float) -> list[SourceError]:
    """Connect to the servers in their order (gRFC A71) until one answers; returns the errors of those before it.
    SourceError: none answers, with a line for each."""
    errors: list[SourceError] = []
    for server in servers:
        try:
            _check(server, node, seconds)
        except SourceError as error:
            errors.append(error)
        else:
            return errors
    raise SourceError("\n".join(map(with_hint, errors)))


def check_target(bootstrap: Bootstrap, target: str, seconds: float) -> None:
    """Request the Listener of `xds:///NAME` or `xds://AUTHORITY/NAME`. UnknownServiceError: there is none, with the
    reason. SourceError: no server answers. TranslateError: it is no such target."""
    authority, name = resource_name.of_target(target)
    servers: Sequence[Server] = bootstrap.servers
    template = bootstrap.client_listener_template or "%s"
    if authority:
        if authority not in bootstrap.authorities:
            raise SettingsError(f"{target}: the bootstrap has no authority {authority!r}: add --authority")
        servers = bootstrap.authorities[authority]
        template = f"xdstp://{authority}/{_LISTENER}/%s"
    # gRFC A47: names within xdstp names are percent-encoded.
    listener = template.replace("%s", quote(name, safe="/:") if template.startswith("xdstp:") else name)
    errors: list[SourceError] = []
    for server in servers:
        try:
            stream.ask(server, bootstrap.node, listener, seconds)
        except UnknownServiceError as error:
            raise UnknownServiceError(f"{target}: {error}") from None
        except SourceError as error:
            errors.append(error)
        else:
            return
    raise SourceError("\n".join(f"{target}: {with_hint(error)}" for error in errors))


def with_hint(error: SourceError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


def _check(server: Server, node: Node, seconds: float) -> None:
    first = server.credentials[0]
    connection.connect(server.address, first if isinstance(first, Tls) else None, seconds)
    stream.ask(server, node, "", seconds)
