"""Bytes of the API server to slim objects, one object at a time.

One bad object never spoils the list or the watch that holds it: it becomes an `Item` with a reason. Only
fields that the slim types have are kept; the rest is skipped by the decoder without becoming Python objects.
"""

from typing import Any

import msgspec

from steerway.runtime.isolation import isolated
from steerway.sources.kubernetes.event import Event, EventType, Failure, Item, Page, WatchedObject
from steerway.sources.objects.certificate_request import PodCertificateRequest
from steerway.sources.objects.core import EndpointSlice, Namespace, Node, ObjectKey, Pod, Service
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.gateway import BackendTLSPolicy, GRPCRoute, HTTPRoute, ReferenceGrant
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.sources.policy.validation import validation_errors
from steerway.sources.policy.validation_error import conversion_error, listed

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Longest line of a watch. etcd takes objects up to 1.5 MiB; what is longer is no event."""


MAX_RETRY_AFTER_SECONDS = 3600.0
"""Longest wait that a server may ask for: an object that is wrong by mistake must not end a watch without end."""


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_token: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


class _WatchLine(msgspec.Struct):
    type: str
    object: msgspec.Raw = msgspec.Raw(b"null")


class _Identity(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    name: str = ""
    namespace: str = ""


class _Identified(msgspec.Struct):
    metadata: _Identity = msgspec.field(default_factory=_Identity)


class _Status(msgspec.Struct):
    code: int | None = None
    reason: str = ""
    message: str = ""
    details: dict[str, Any] | None = None


BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be."""

_LISTS = msgspec.json.Decoder(_List)
_LINES = msgspec.json.Decoder(_WatchLine)
_IDENTITIES = msgspec.json.Decoder(_Identified)
_STATUSES = msgspec.json.Decoder(_Status)
_TYPES: tuple[type[WatchedObject], ...] = (
    Namespace,
    Service,
    EndpointSlice,
    Pod,
    Node,
    PodCertificateRequest,
    GRPCRoute,
    HTTPRoute,
    ReferenceGrant,
    BackendTLSPolicy,
    TrafficPolicy,
    ServerPolicy,
    AuthorizationPolicy,
)
_OBJECTS: dict[str, msgspec.json.Decoder[WatchedObject]] = {
    type_.__name__: msgspec.json.Decoder(type_) for type_ in _TYPES
}


def decode_page(kind: str, body: bytes) -> Page:
    """A page of a list of `kind`. Raises one of `BROKEN` when the page itself is."""
    page = _LISTS.decode(body)
    items = tuple(decode_object(kind, raw) for raw in page.items or [])
    return Page(items, page.metadata.resource_version, page.metadata.continue_token)


def decode_event(kind: str, line: bytes) -> Event:
    """A line of a watch on `kind`. Never raises: what cannot be read is an event of type MALFORMED."""
    with isolated("event", kind=kind) as run:
        return _decode_event(kind, line)
    return Event(EventType.MALFORMED, failure=Failure(None, "internal error", run.failure))


def _decode_event(kind: str, line: bytes) -> Event:
    try:
        event = _LINES.decode(line)
        event_type = EventType(event.type)
    except (*BROKEN, ValueError) as error:
        return Event(EventType.MALFORMED, failure=Failure(None, "unreadable watch event", str(error)))
    if event_type is EventType.ERROR:
        return Event(event_type, failure=decode_status(event.object))
    identity = _identity(event.object)
    if event_type is EventType.BOOKMARK:
        return Event(event_type, identity.resource_version)
    if event_type is EventType.DELETED and identity.name:
        # An endpoint that terminates need not be valid.
        item = Item(ObjectKey(kind, identity.namespace, identity.name))
    else:
        item = decode_object(kind, event.object)
    return Event(event_type, identity.resource_version, item)


def decode_object(kind: str, raw: bytes | msgspec.Raw) -> Item:
    """One object of `kind`. Never raises: what cannot be used is an item without value."""
    with isolated("object", kind=kind) as run:
        return _decode_object(kind, raw)
    return Item(_key(kind, raw), reason=f"internal error: {run.failure}")


def _decode_object(kind: str, raw: bytes | msgspec.Raw) -> Item:
    try:
        obj = _OBJECTS[kind].decode(raw)
    except msgspec.ValidationError as error:
        return Item(_key(kind, raw), reason=str(conversion_error(error)))
    except BROKEN as error:
        return Item(_key(kind, raw), reason=str(error))
    # These are not validated: the API server did, and no client connects to them.
    wrong = [] if isinstance(obj, Pod | Node | PodCertificateRequest) else [*map(str, validation_errors(obj))]
    return Item(_key(kind, raw), reason=listed(wrong)) if wrong else Item(obj.key, obj)


def decode_status(body: bytes | msgspec.Raw, status: int | None = None, reason: str = "") -> Failure:
    """The Status object of an error. `status` and `reason` of the HTTP response serve when the body is
    none."""
    try:
        decoded = _STATUSES.decode(body)
    except BROKEN:
        text = bytes(body)[:200].decode("utf-8", "replace").strip()
        return Failure(status, reason, text)
    wait = (decoded.details or {}).get("retryAfterSeconds")
    seconds = float(min(max(0, wait), MAX_RETRY_AFTER_SECONDS)) if isinstance(wait, int | float) else 0.0
    return Failure(decoded.code or status, decoded.reason or reason, decoded.message, seconds)


def _identity(raw: bytes | msgspec.Raw) -> _Identity:
    try:
        return _IDENTITIES.decode(raw).metadata
    except BROKEN:
        return _Identity()


def _key(kind: str, raw: bytes | msgspec.Raw) -> ObjectKey | None:
    identity = _identity(raw)
    return ObjectKey(kind, identity.namespace, identity.name) if identity.name else None


class LineSplitter:
    """Chunks of a stream to lines, in linear time, however the lines and the chunks are cut."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._max = max_line_bytes

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their ends; empty ones are left out.

        Raises ValueError when a line is longer than the limit.
        """
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._parts, lines[0]])
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._max:
            raise ValueError(f"a watch event is longer than {self._max} bytes")
        return [line for line in lines if line.strip()]
