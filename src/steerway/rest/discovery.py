"""A DiscoveryRequest in protobuf's JSON mapping to its DiscoveryResponse, or to an error.

Envoy's "xDS REST and gRPC protocol", section "REST-JSON polling subscriptions". The engine resolves names as for a
stream; where a stream gets no response (no resource of a name), a poll gets an empty one.
"""

import json
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import json_format

from steerway.translate.protobuf.message import to_json
from steerway.translate.xds import type_url

TYPES = {
    "listeners": type_url.LISTENER,
    "routes": type_url.ROUTE,
    "clusters": type_url.CLUSTER,
    "endpoints": type_url.ENDPOINT,
    "secrets": type_url.SECRET,
    "runtime": type_url.RUNTIME,
}
"""By the last part of the path: the `google.api.http` options of the discovery services."""

Fetch: TypeAlias = Callable[[str, bytes, str, str, float], tuple[int, str, bytes]]
"""`Engine.fetch`."""

_HTTP_STATUS = {3: 400, 4: 503, 7: 403, 8: 429, 14: 503, 16: 401}
"""By gRPC status code; 500 for the others."""


class Answer(NamedTuple):
    """An HTTP status and a body; none with 304."""

    status: int
    body: bytes = b""


class RestDiscovery:
    """Answers requests, in the calling thread. `timeout_seconds` is for names without an answer yet."""

    def __init__(self, fetch: Fetch, timeout_seconds: float) -> None:
        self._fetch = fetch
        self._timeout_seconds = timeout_seconds

    def answer(self, kind: str, body: bytes, peer: str, token: str) -> Answer:
        """One request for the resources of a type, a key of `TYPES`."""
        try:
            request = _request(kind, body)
        except ValueError as error:
            return refusal(400, str(error))
        code, reason, message = self._fetch(
            TYPES[kind], request.SerializeToString(), peer, token, self._timeout_seconds
        )
        if code:
            return refusal(_HTTP_STATUS.get(code, 500), reason)
        response = discovery_pb2.DiscoveryResponse.FromString(message)
        if request.version_info == response.version_info:
            return Answer(304)
        return Answer(200, json.dumps(to_json(response)).encode())


def refusal(status: int, reason: str) -> Answer:
    """An error with its reason."""
    return Answer(status, json.dumps({"error": reason}).encode())


def _request(kind: str, body: bytes) -> discovery_pb2.DiscoveryRequest:
    """Raises ValueError for an invalid body."""
    if not body.lstrip().startswith(b"{"):
        raise ValueError("the body must be a DiscoveryRequest, a JSON object")
    request = discovery_pb2.DiscoveryRequest()
    try:
        # Newer Envoys have fields that are not known here; a stream ignores them, too.
        json_format.Parse(body, request, ignore_unknown_fields=True)
    except (json_format.ParseError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the body is no DiscoveryRequest: {error}") from None
    wanted = TYPES[kind]
    if request.type_url not in ("", wanted):
        raise ValueError(f"/v3/discovery:{kind} serves {wanted}, not {request.type_url}")
    # Polls are independent: the ACK or NACK of an earlier response has no meaning here.
    request.ClearField("response_nonce")
    request.ClearField("error_detail")
    return request
