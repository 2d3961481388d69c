"""One ADS request with the Node and the credentials of a client, and what the control plane answers to it."""

import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.json_format import ParseDict

from steerway.bootstrap.document import Node, Server, Tls
from steerway.errors import SourceError, UnknownServiceError
from steerway.preflight.connection import readable

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
_TYPE = "type.googleapis.com/"
LISTENER = f"{_TYPE}envoy.config.listener.v3.Listener"
_RUNTIME = f"{_TYPE}envoy.service.runtime.v3.Runtime"
_AGENT = "steerway run"
# xRFC TP3, gRFC A88: a control plane with it answers for absent names at once, with the reason.
_FEATURES = ("xds.config.supports-resource-errors",)
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")


def ask(server: Server, node: Node, name: str, seconds: float) -> None:
    """Request the Listener `name`; "": a resource that is always absent, to see that requests are answered.

    SourceError: the request is refused or not answered. UnknownServiceError: why there is no such Listener.
    """
    request = discovery_pb2.DiscoveryRequest(
        node=_node(node), type_url=LISTENER if name else _RUNTIME, resource_names=[name or _AGENT]
    )
    with _channel(server) as channel:
        response = _first_response(channel, server, request, seconds)
    for error in response.resource_errors if name else ():
        raise UnknownServiceError(error.error_detail.message)
    if name and not response.resources:
        raise UnknownServiceError(f"the control plane has no Listener {name}")


def _node(node: Node) -> base_pb2.Node:
    message: base_pb2.Node = ParseDict(node.document(), base_pb2.Node())
    message.user_agent_name = _AGENT
    message.client_features.extend(_FEATURES)
    return message


def _channel(server: Server) -> Any:
    tls = _tls(server)
    if tls is None:
        return grpc.insecure_channel(str(server.address))
    files = (readable(path) if path else None for path in (tls.ca, tls.key, tls.certificate))
    return grpc.secure_channel(str(server.address), grpc.ssl_channel_credentials(*files))


def _tls(server: Server) -> Tls | None:
    """The credentials that most libraries use: the first ones."""
    first = server.credentials[0]
    return first if isinstance(first, Tls) else None


def _first_response(
    channel: Any, server: Server, request: discovery_pb2.DiscoveryRequest, seconds: float
) -> discovery_pb2.DiscoveryResponse:
    ended = threading.Event()

    def requests() -> Iterator[discovery_pb2.DiscoveryRequest]:
        yield request
        ended.wait()

    metadata: Sequence[tuple[str, str]] = ()
    if server.jwt_token_file:
        token = readable(server.jwt_token_file).decode("ascii", "replace").strip()
        metadata = [("authorization", f"Bearer {token}")]
    call = channel.stream_stream(
        _METHOD,
        request_serializer=discovery_pb2.DiscoveryRequest.SerializeToString,
        response_deserializer=discovery_pb2.DiscoveryResponse.FromString,
    )(requests(), timeout=seconds, metadata=metadata)
    try:
        response: discovery_pb2.DiscoveryResponse = next(call)
    except StopIteration:
        raise SourceError(f"{server.address} ends the stream without an answer") from None
    except grpc.RpcError as error:
        raise _refused(server, error, seconds) from None
    finally:
        ended.set()
        call.cancel()
    return response


def _refused(server: Server, error: Any, seconds: float) -> SourceError:
    """What a status means, and the fix."""
    code, details, address = error.code(), error.details() or "", server.address
    match code:
        case grpc.StatusCode.UNAUTHENTICATED:
            return SourceError(
                f"{address} refuses the client: {details or 'no valid credential'}",
                "give a token with --token-file, or a certificate with --certificate and --key",
            )
        case grpc.StatusCode.PERMISSION_DENIED:
            return SourceError(
                f"{address} denies the request: {details or 'no permission'}",
                "correct --namespace, or the rules of the control plane",
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return SourceError(
                f"{address} is a gRPC server, but no xDS server",
                "give the address of `steerway serve --listen`",
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return SourceError(
                f"{address} does not answer a request within {seconds:g} s",
                "it answers after it has read all its sources: see /readyz of its admin server",
            )
    proxies = [name for name in _PROXIES if os.environ.get(name)]
    hint = f"{proxies[0]} is set: add the host to no_proxy" if proxies else ""
    return SourceError(f"{address} ends the stream with {code.name}: {details}", hint)
