"""The claims of a client in its Node: nothing here is a proof of identity, and a hostile Node never raises.

`steerway.io/role` in the metadata of an Envoy's Node is its role; without one it is a sidecar, and one that is `raw`
lives on raw resources.
"""

import functools
import hashlib
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from envoy.config.core.v3 import base_pb2
from google.protobuf.message import DecodeError

from steerway.translate.client import client as clients
from steerway.translate.client import metadata
from steerway.translate.client.audience import Audience, encode, is_locality, is_namespace, of_client
from steerway.translate.client.client import Client
from steerway.translate.client.metadata import GATEWAY, RAW, SIDECAR

log = structlog.get_logger()

_CACHED_NODES = 4096
_CACHED_BYTES = 2048
"""Of a Node: those of gRPC clients are shorter. Memory must not grow with what clients claim of themselves."""
_MAX_SERVICES = 16
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _cached(function: Callable[Concatenate[bytes, _P], _R]) -> Callable[Concatenate[bytes, _P], _R]:
    """Remember the answers for short Nodes; a client opens streams again and again, and so do its likes."""
    remembered = functools.lru_cache(maxsize=_CACHED_NODES)(function)

    def ask(node: bytes, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if len(node) > _CACHED_BYTES:
            return function(node, *args, **kwargs)
        return remembered(node, *args, **kwargs)  # type: ignore[arg-type]

    return ask


@_cached
def classify(node: bytes, default_namespace: str, hint_namespace: str = "") -> Audience:
    """The audience of a client, without a locality. `node` is a serialised envoy.config.core.v3.Node.

    The namespace is `hint_namespace`, else that of the Node, else the default.
    """
    message = base_pb2.Node()
    try:
        message.ParseFromString(node)
    except DecodeError as error:
        audience = of_client(Client(), hint_namespace or default_namespace)
        taken_for = encode(audience.parent())
        log.warning("node_unreadable", reason=str(error), taken_for=taken_for, namespace=default_namespace)
        return audience
    namespace = hint_namespace or _namespace(message) or default_namespace
    provider = _text(message, metadata.PROVIDER) == metadata.CERTIFICATE_PROVIDER
    return of_client(clients.of_node(message), namespace, _role(message), provider)


def bucket_of(node: bytes, host: str, buckets: int) -> int | None:
    """The bucket of a client, the same on every replica and after every start; None where clients are not divided.

    By its node's id, and by its address: many write the same id into all their bootstraps.
    """
    if not buckets:
        return None
    name = f"{_claims(node).id}\0{host}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest()) % buckets


@_cached
def claimed_zone(node: bytes) -> str:
    """The zone that a client claims (`Node.locality`); "" for none, or one that is no label value."""
    zone: str = _claims(node).locality.zone
    return zone if is_locality(zone) else ""


@_cached
def claimed_namespace(node: bytes) -> str:
    """The namespace that a client claims, which `access` compares with its identity; "" for none."""
    return _namespace(_claims(node))


@_cached
def claimed_id(node: bytes) -> str:
    """The id that a client gives its node."""
    client_id: str = _claims(node).id
    return client_id


@_cached
def claimed_services(node: bytes) -> tuple[str, ...]:
    """The Services that an xDS server claims to belong to, in its own namespace, sorted; names that no Service can have
    are left out."""
    names = _text(_claims(node), metadata.SERVICE).split(",")
    return tuple(sorted({name for name in map(str.strip, names) if is_namespace(name)}))[:_MAX_SERVICES]


@_cached
def client_of(node: bytes) -> Client:
    """The library and version that a client claims."""
    return clients.of_node(_claims(node))


def _claims(node: bytes) -> base_pb2.Node:
    """The claims of a client; none for bytes that are no Node."""
    try:
        return base_pb2.Node.FromString(node)
    except DecodeError:
        return base_pb2.Node()


def _role(node: base_pb2.Node) -> str:
    """The role of an Envoy. One without a known role opens a port of loopback, and never one to the outside."""
    role = _text(node, metadata.ROLE)
    return role if role in (GATEWAY, RAW) else SIDECAR


def _namespace(node: base_pb2.Node) -> str:
    values = (_text(node, key) for key in metadata.NAMESPACES)
    return next((value for value in values if is_namespace(value)), "")


def _text(node: base_pb2.Node, key: str) -> str:
    """A text of the metadata; "" for none."""
    fields = node.metadata.fields
    value: str = fields[key].string_value if key in fields else ""  # a look-up of an absent key would add it
    return value
