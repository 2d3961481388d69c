"""Who must see the same thing: a client's Node becomes an audience.

An audience is `DIALECT/KIND/NAMESPACE[/ZONE[/NODE[/BUCKET]]]`. The engine looks for the exact one first, then for each
wider part, then for everybody, so that a resource is published once for all who may share it:

- `grpc/core/NS`, `grpc/go/NS`, `grpc/java/NS`, `grpc/node/NS`: the library, since each can do something else;
  `grpc/plain/NS`
  for whoever does not say what it is;
- `grpc/core-a42/NS`, `grpc/core-a27/NS`: versions before gRFC A52, and before A42 (see `client.Client.level`);
- `grpc/quiet/NS`: grpc-js that must not be asked for load reports;
- `envoy/sidecar/NS`, `envoy/gateway/NS`, `envoy/raw/NS`: Envoy, by `steerway.io/role` in its Node's metadata; without
  one it is a sidecar, and one that is `raw` lives on raw resources;
- `envoy/sidecar-re2/NS`, `envoy/gateway-re2/NS`: Envoys that take large regular expressions (see
  `client.PROGRAM_SIZE_KEY`).

The namespace is what a short name such as `xds:///backend` is looked up in. Zone and node are there where they are
known (`-` for what is not, where something follows) and matter to what is served (`topology` in the settings), the
bucket where clients are divided (`subset_buckets`). A Node is the client's own claim: nothing here is a proof of
identity.
"""

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from envoy.config.core.v3 import base_pb2
from google.protobuf.message import DecodeError

from steerway.catalog.locality.traffic_distribution import UNKNOWN, ClientLocality
from steerway.translate.client import client as clients
from steerway.translate.client.capability import (
    DEFAULT_PROGRAM_SIZE,
    LARGE_PROGRAM_SIZE,
    Feature,
    Restriction,
)
from steerway.translate.client.client import Client
from steerway.translate.client.library import Library

log = structlog.get_logger()

GRPC = "grpc"
ENVOY = "envoy"
SIDECAR = "sidecar"
GATEWAY = "gateway"
RAW = "raw"
ROLE_KEY = "steerway.io/role"
"""Metadata key of an Envoy's Node that says which of these it is."""
_LARGE = "re2"
_QUIET = "quiet"
_PLAIN = f"{GRPC}/{Library.UNKNOWN.value}"


def _kinds(libraries: Iterable[Library]) -> frozenset[str]:
    """The kinds of audiences that clients of these libraries have."""
    kinds = {Library.NODE: (Library.NODE.value, _QUIET)}
    return frozenset(kind for library in libraries for kind in kinds.get(library, (library.value,)))


_WITH_SESSIONS = _kinds(Feature.SESSION.value.since)
_KEEP_WITHDRAWN = _kinds(Restriction.KEEPS_WITHDRAWN.value.libraries)
_MISS_RETURNS = _kinds(Restriction.MISSES_RETURN.value.libraries)
_END_EARLY = _kinds(Restriction.EARLY_TIMEOUT.value.libraries)

KIND_PARTS = 2
NAMESPACE_PARTS = 3
ALL_PARTS = 6
"""How many parts of an audience say of what kind a client is, in which namespace, and all that there is to say."""

_NAMESPACE_KEYS = ("NAMESPACE", "namespace", "K8S_NAMESPACE", "POD_NAMESPACE")
"""Metadata keys in use: Istio's and our own bootstrap, hand-written files, Google's samples, the downward API."""
METADATA_KEYS = (*_NAMESPACE_KEYS, ROLE_KEY, clients.PROGRAM_SIZE_KEY)
"""All metadata keys of a Node that are read, by `classify` and its like; the engine keeps no others."""
_PLACE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KEPT_NODES = 4096
_KEPT_BYTES = 2048
"""Of a Node: those of gRPC clients are shorter. Memory must not grow with what clients claim of themselves."""
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _kept(function: Callable[Concatenate[bytes, _P], _R]) -> Callable[Concatenate[bytes, _P], _R]:
    """Remember the answers for short Nodes; a client opens streams again and again, and so do its likes."""
    remembered = functools.lru_cache(maxsize=_KEPT_NODES)(function)

    def ask(node: bytes, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if len(node) > _KEPT_BYTES:
            return function(node, *args, **kwargs)
        return remembered(node, *args, **kwargs)  # type: ignore[arg-type]

    return ask


@_kept
def classify(node: bytes, default_namespace: str, told_namespace: str = "") -> str:
    """The audience of a client. `node` is a serialised envoy.config.core.v3.Node; a hostile one never raises.

    The namespace is `told_namespace`, else what the Node says, else the default.
    """
    message = base_pb2.Node()
    try:
        message.ParseFromString(node)
    except DecodeError as error:
        log.warning("node_unreadable", reason=str(error), taken_for=_PLAIN, namespace=default_namespace)
        return f"{_PLAIN}/{told_namespace or default_namespace}"
    kind = _kind(clients.of_node(message), _role(message))
    return f"{kind}/{told_namespace or _namespace(message) or default_namespace}"


def at_locality(audience: str, locality: ClientLocality, bucket: int | None = None) -> str:
    """An audience without a place, with one, and with a bucket.

    Where nodes count, a node that nobody knows stands there, too: what its clients get must never be a wider audience
    than those of a known node, which would see it until their own is answered. Where buckets count everybody has one.
    """
    if bucket is not None:
        return f"{audience}/{locality.zone or UNKNOWN}/{locality.node or UNKNOWN}/{bucket}"
    if locality.node:
        return f"{audience}/{locality.zone or UNKNOWN}/{locality.node}"
    return f"{audience}/{locality.zone}" if locality.zone else audience


def of_client(client: Client, namespace: str) -> str:
    """The audience of clients of one library and version in a namespace, without a place; of Envoys, sidecars."""
    return f"{_kind(client, SIDECAR)}/{namespace}"


def bucket_of(node: bytes, host: str, buckets: int) -> int | None:
    """The bucket of a client, the same on every replica and after every start; None where clients are not divided.

    By its node's id, and by its address: many write the same id into all their bootstraps.
    """
    if not buckets:
        return None
    name = f"{_claims(node).id}\0{host}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest()) % buckets


@_kept
def claimed_zone(node: bytes) -> str:
    """The zone that a client says it is in (`Node.locality`); "" when it says none, or one that is no label value."""
    zone: str = _claims(node).locality.zone
    return zone if is_locality(zone) else ""


@_kept
def claimed_namespace(node: bytes) -> str:
    """The namespace that a client says it is in, for `access` to hold against who it is; "" when it says none."""
    return _namespace(_claims(node))


@_kept
def claimed_id(node: bytes) -> str:
    """The id that a client gives its node."""
    client_id: str = _claims(node).id
    return client_id


@_kept
def client_of(node: bytes) -> Client:
    """The library and version that a client says it is."""
    return clients.of_node(_claims(node))


def namespace_of(audience: str) -> str:
    """The namespace in an audience; "" in one that is for those of all."""
    return (*audience.split("/"), "", "")[2]


def is_namespace(text: str) -> bool:
    """Whether it can be the name of a namespace, and so a part of an audience."""
    return _LABEL.fullmatch(text) is not None


def is_locality(text: str) -> bool:
    """Whether it can be the name of a zone or node, and so a part of an audience."""
    return _PLACE.fullmatch(text) is not None


def first_parts(audience: str, count: int) -> str:
    """A wider audience, of so many parts."""
    return "/".join(audience.split("/", count)[:count])


def widening(audience: str) -> Iterator[str]:
    """An audience and each wider one, the order in which the engine looks for an entry."""
    while audience:
        yield audience
        audience = audience.rpartition("/")[0]
    yield ""


def anywhere(audience: str) -> str:
    """An audience without its place and bucket."""
    return first_parts(audience, NAMESPACE_PARTS)


def locality_of(audience: str) -> ClientLocality:
    """The place in a full audience."""
    zone, node = ("" if part == UNKNOWN else part for part in (*audience.split("/")[3:], "", "")[:2])
    return ClientLocality(zone, node)


def bucket_in(audience: str) -> int | None:
    """The bucket in a full audience; None where clients are not divided."""
    bucket = audience.split("/")[5:]
    return int(bucket[0]) if bucket else None


def dialect_of(audience: str) -> str:
    """`grpc` or `envoy`: who shares what is the same for all clients."""
    return audience.partition("/")[0]


def level_of(audience: str) -> str:
    """The generation of a library: "" for current ones, see `client.Client.level`."""
    return _kind_of(audience).partition("-")[2]


def keeps_draining(audience: str) -> bool:
    """Whether a client can make use of endpoints that are draining: for sessions (gRFC A55), and as Envoy does."""
    return dialect_of(audience) == ENVOY or _kind_of(audience).partition("-")[0] in _WITH_SESSIONS


def keeps_withdrawn(audience: str) -> bool:
    """Whether a client with endpoints acknowledges an assignment without any and goes on calling the old ones: seen in
    grpc-java 1.85, whose new channels fail at once as others do."""
    return dialect_of(audience) == GRPC and _kind_of(audience).partition("-")[0] in _KEEP_WITHDRAWN


def misses_returns(audience: str) -> bool:
    """Whether a client does not see that a Listener or Cluster which was removed is there again, when it returns as it
    was: grpc-js 1.14 keeps the removed copy and drops an equal one."""
    return dialect_of(audience) == GRPC and _kind_of(audience).partition("-")[0] in _MISS_RETURNS


def ends_early(audience: str) -> bool:
    """Whether a client ends calls before a time-out that it is told of."""
    return dialect_of(audience) == GRPC and _kind_of(audience).partition("-")[0] in _END_EARLY


def reports_load(audience: str) -> bool:
    """Whether a client may be asked for load reports."""
    return _kind_of(audience).partition("-")[0] != _QUIET


def role_of(audience: str) -> str:
    """What an Envoy is: `SIDECAR`, `GATEWAY` or `RAW`."""
    return _kind_of(audience).partition("-")[0]


def program_size_of(audience: str) -> int:
    """The greatest regular expression that an Envoy takes, in instructions of RE2."""
    large = _kind_of(audience).partition("-")[2] == _LARGE
    return LARGE_PROGRAM_SIZE if large else DEFAULT_PROGRAM_SIZE


def _kind_of(audience: str) -> str:
    return (*audience.split("/"), "")[1]


def _claims(node: bytes) -> base_pb2.Node:
    """What a client says of itself; nothing for bytes that are no Node."""
    try:
        return base_pb2.Node.FromString(node)
    except DecodeError:
        return base_pb2.Node()


def _kind(client: Client, role: str) -> str:
    if client.library is Library.ENVOY:
        large = client.program_size == LARGE_PROGRAM_SIZE and role != RAW
        return f"{ENVOY}/{role}-{_LARGE}" if large else f"{ENVOY}/{role}"
    name = _QUIET if client.has(Restriction.LOAD_REPORT_LEAK) else client.library.value
    return f"{GRPC}/{name}-{client.level}" if client.level else f"{GRPC}/{name}"


def _role(node: base_pb2.Node) -> str:
    """What an Envoy is to be. One that says nothing we know opens a port of loopback, and never one to the outside."""
    role: str = node.metadata.fields[ROLE_KEY].string_value if ROLE_KEY in node.metadata.fields else ""
    return role if role in (GATEWAY, RAW) else SIDECAR


def _namespace(node: base_pb2.Node) -> str:
    for key in _NAMESPACE_KEYS:
        if key in node.metadata.fields:
            value: str = node.metadata.fields[key].string_value
            if is_namespace(value):
                return value
    return ""
