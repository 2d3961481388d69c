"""Who must see the same thing: a client's Node becomes an audience.

An audience is `DIALECT/KIND/NAMESPACE[/ZONE[/NODE]]`. The engine looks for the exact one first, then for each wider
part, then for everybody, so that a resource is published once for all who may share it:

- `grpc/core/NS`: C-core (C++, Python, Ruby), which keeps draining endpoints for session affinity (gRFC A55);
- `grpc/plain/NS`: every other gRPC client, which gives draining endpoints no traffic (gRFC A27), and whoever does not
  say what it is;
- `grpc/quiet/NS`: like plain, and must not be asked for load reports: grpc-js before 1.13 leaks a timer for each
  stream of them (grpc-node 2892);
- `envoy/all/NS`: Envoy.

The namespace is what a short name such as `xds:///backend` is looked up in. Zone and node are there where they are
known (`-` for what is not, where nodes count) and matter to what is served (`topology` in the settings). A Node is
the client's own claim: nothing here is a proof of identity.
"""

import functools
import re

import structlog
from envoy.config.core.v3 import base_pb2
from google.protobuf.message import DecodeError

from steerway.catalog.reach import NOWHERE, ClientPlace

log = structlog.get_logger()

GRPC = "grpc"
GRPC_PLAIN = "grpc/plain"
GRPC_CORE = "grpc/core"
GRPC_QUIET = "grpc/quiet"
ENVOY = "envoy"

_NAMESPACE_KEYS = ("NAMESPACE", "namespace", "K8S_NAMESPACE", "POD_NAMESPACE")
"""Metadata keys in use: Istio's and our own bootstrap, hand-written files, Google's samples, the downward API."""
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")
_NODE_MENDED = (1, 13)
_PLACE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@functools.lru_cache(maxsize=4096)
def classify(node: bytes, default_namespace: str, told_namespace: str = "") -> str:
    """The audience of a client. `node` is a serialised envoy.config.core.v3.Node; a hostile one never raises.

    The namespace is `told_namespace`, else what the Node says, else the default.
    """
    message = base_pb2.Node()
    try:
        message.ParseFromString(node)
    except DecodeError as error:
        log.warning("node_unreadable", reason=str(error), taken_for=GRPC_PLAIN, namespace=default_namespace)
        return f"{GRPC_PLAIN}/{told_namespace or default_namespace}"
    return f"{_kind(message)}/{told_namespace or _namespace(message) or default_namespace}"


def at_place(audience: str, place: ClientPlace) -> str:
    """An audience without a place, with one.

    Where nodes count, a node that nobody knows stands there, too: what its clients get must never be a wider audience
    than those of a known node, which would see it until their own is answered.
    """
    if place.node:
        return f"{audience}/{place.zone or NOWHERE}/{place.node}"
    return f"{audience}/{place.zone}" if place.zone else audience


@functools.lru_cache(maxsize=4096)
def claimed_zone(node: bytes) -> str:
    """The zone that a client says it is in (`Node.locality`); "" when it says none, or one that is no label value."""
    zone: str = _claims(node).locality.zone
    return zone if _PLACE.fullmatch(zone) else ""


@functools.lru_cache(maxsize=4096)
def claimed_namespace(node: bytes) -> str:
    """The namespace that a client says it is in, for `access` to hold against who it is; "" when it says none."""
    return _namespace(_claims(node))


def namespace_of(audience: str) -> str:
    """The namespace in an audience; "" in one that is for those of all."""
    return (*audience.split("/"), "", "")[2]


def anywhere(audience: str) -> str:
    """An audience without its place."""
    return "/".join(audience.split("/")[:3])


def place_of(audience: str) -> ClientPlace:
    """The place in a full audience."""
    zone, node = ("" if part == NOWHERE else part for part in (*audience.split("/")[3:], "", "")[:2])
    return ClientPlace(zone, node)


def dialect_of(audience: str) -> str:
    """`grpc` or `envoy`: who shares listeners, routes and clusters."""
    return audience.partition("/")[0]


def kind_of(audience: str) -> str:
    """Who shares endpoint assignments: `grpc/core`, `grpc/plain`, `grpc/quiet` or `envoy`."""
    return ENVOY if dialect_of(audience) == ENVOY else "/".join(audience.split("/")[:2])


def keeps_draining(kind: str) -> bool:
    """Whether clients of this kind can make use of endpoints that are draining."""
    return kind not in (GRPC_PLAIN, GRPC_QUIET)


def _claims(node: bytes) -> base_pb2.Node:
    """What a client says of itself; nothing for bytes that are no Node."""
    try:
        return base_pb2.Node.FromString(node)
    except DecodeError:
        return base_pb2.Node()


def _kind(node: base_pb2.Node) -> str:
    name = node.user_agent_name.lower()
    if name.startswith("envoy"):
        return f"{ENVOY}/all"
    # "gRPC C-core linux" and, in wrapped languages, "gRPC C-core linux Python".
    if name.startswith("grpc c-core"):
        return GRPC_CORE
    leaks = name.startswith("grpc node") and _version(node.user_agent_version) < _NODE_MENDED
    return GRPC_QUIET if leaks else GRPC_PLAIN


def _version(text: str) -> tuple[int, int]:
    """Major and minor of `1.14.1`; (0, 0) when it is none."""
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _namespace(node: base_pb2.Node) -> str:
    for key in _NAMESPACE_KEYS:
        if key in node.metadata.fields:
            value: str = node.metadata.fields[key].string_value
            if _LABEL.fullmatch(value):
                return value
    return ""
