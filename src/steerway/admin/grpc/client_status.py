"""The client status discovery service (CSDS): sent, acknowledged and rejected resources of each client.

`envoy/service/status/v3/csds.proto` defines the fields, `docs/decisions/0009-client-status.md` how this server fills
them.
"""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from envoy.admin.v3 import config_dump_shared_pb2 as dump
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.status.v3 import csds_pb2 as csds
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from steerway.admin.api.redaction import redact
from steerway.admin.grpc.node_match import Matchers
from steerway.admin.view import EngineView, ResourceView, StreamView
from steerway.translate.client.audience import Audience, decode, encode
from steerway.translate.protobuf.message import to_json

_STATUS = {
    "requested": (csds.NOT_SENT, dump.REQUESTED),
    "does_not_exist": (csds.NOT_SENT, dump.DOES_NOT_EXIST),
    "sent": (csds.STALE, dump.REQUESTED),
    "acked": (csds.SYNCED, dump.ACKED),
    "nacked": (csds.ERROR, dump.NACKED),
}


class ClientStatus:
    """The responder of the service, off the event loop."""

    def __init__(self, engine: EngineView) -> None:
        self._engine = engine
        # A response may be large: one at a time.
        self._turn = asyncio.Lock()

    async def __call__(self, request: bytes) -> bytes:
        """As `respond`."""
        async with self._turn:
            return await asyncio.to_thread(respond, self._engine, request)


def respond(engine: EngineView, request: bytes) -> bytes:
    """The serialised ClientStatusResponse to a serialised ClientStatusRequest. May take long: call it in a thread.

    Raises ValueError for an invalid request.
    """
    asked = _parse(request)
    matchers = Matchers(asked.node_matchers)
    clients: dict[tuple[str, str], list[tuple[Node, StreamView]]] = defaultdict(list)
    for stream in engine.streams(resources=True):
        node = _node(stream)
        if matchers.match(node):
            # The streams of one client share a connection, as Envoy opens one per type.
            clients[stream.node_id, stream.peer].append((node, stream))
    bodies = None if asked.exclude_resource_contents else _Bodies(engine)
    now = datetime.now(UTC)
    response = csds.ClientStatusResponse()
    for streams in clients.values():
        client = response.config.add(node=streams[0][0])
        for _, stream in streams:
            for part in stream.subscriptions:
                for resource in part.resources:
                    body = bodies.find(part.type_url, resource, stream.audience) if bodies else None
                    _fill(client.generic_xds_configs.add(type_url=part.type_url), resource, body, now)
    return bytes(response.SerializeToString())


def respond_in_json(engine: EngineView, request: bytes) -> dict[str, Any]:
    """As `respond`, both in protobuf's JSON mapping; an empty request is for all clients."""
    if request and not request.lstrip().startswith(b"{"):
        raise ValueError("the body is no ClientStatusRequest: it must be a JSON object")
    try:
        asked = json_format.Parse(request or b"{}", csds.ClientStatusRequest(), ignore_unknown_fields=True)
    except (json_format.ParseError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the body is no ClientStatusRequest: {error}") from None
    return to_json(csds.ClientStatusResponse.FromString(respond(engine, asked.SerializeToString())))


def _parse(request: bytes) -> csds.ClientStatusRequest:
    try:
        return csds.ClientStatusRequest.FromString(request)
    except DecodeError:
        raise ValueError("this is no ClientStatusRequest") from None


def _node(stream: StreamView) -> Node:
    """The engine reads the id only: the rest may be invalid."""
    try:
        return Node.FromString(stream.node)
    except DecodeError:
        return Node(id=stream.node_id)


def _fill(
    config: csds.ClientConfig.GenericXdsConfig, resource: ResourceView, body: bytes | None, now: datetime
) -> None:
    config.name = resource.name
    config.config_status, config.client_status = _STATUS[resource.status]
    sent = None if resource.sent_age_seconds is None else now - timedelta(seconds=resource.sent_age_seconds)
    if resource.status != "nacked":
        config.version_info = resource.version
        if sent is not None:
            config.last_updated.FromDatetime(sent)
        if body is not None:
            config.xds_config.type_url, config.xds_config.value = config.type_url, body
        return
    # The version that the client uses still is not known here.
    config.error_state.details = resource.error
    config.error_state.version_info = resource.version
    if sent is not None:
        config.error_state.last_update_attempt.FromDatetime(sent)
    if body is not None:
        config.error_state.failed_configuration.type_url = config.type_url
        config.error_state.failed_configuration.value = body


class _Bodies:
    """Bodies of resources without their secrets, while the store has the same version."""

    def __init__(self, engine: EngineView) -> None:
        self._engine = engine
        self._versions = {
            (entry.type_url, entry.name, decode(entry.audience)): entry.version for entry in engine.entries()
        }
        self._redacted: dict[tuple[str, str, Audience], bytes | None] = {}

    def find(self, type_url: str, resource: ResourceView, audience: str) -> bytes | None:
        """The body that the client got; None when it got none, or when it was replaced or withdrawn since."""
        keys = ((type_url, resource.name, wider) for wider in decode(audience).widening())
        key = next((candidate for candidate in keys if candidate in self._versions), None)
        if key is None or not resource.version or self._versions[key] != resource.version:
            return None
        if key not in self._redacted:
            body = self._engine.body(*key[:2], encode(key[2]))
            self._redacted[key] = redact(type_url, body) or None if body is not None else None
        return self._redacted[key]
