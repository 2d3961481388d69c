"""Audiences: the clients that share a resource.

An audience is a path from the widest part to the narrowest: dialect, kind (with its generation and provider),
namespace, zone, node, bucket and workload. The engine takes it as text,
`DIALECT/KIND[-GENERATION][+tls]/NAMESPACE[/ZONE[/NODE[/BUCKET[/WORKLOAD]]]]`, and looks for the exact one first, then
for each wider one, then for everybody, so that a resource is published once for all that share it. `encode` and
`decode` are the only places that know the text.

- `grpc/core/NS`, `grpc/go/NS`, `grpc/java/NS`, `grpc/node/NS`: the library, since each can do something else;
  `grpc/unknown/NS` for clients that do not name theirs;
- `grpc/core-a42/NS`, `grpc/core-a27/NS`: versions before gRFC A52, and before A42 (see `client.Client.level`);
- `grpc/no-lrs/NS`: grpc-js that must not be asked for load reports;
- `grpc/go+tls/NS`: clients whose bootstrap has the certificate provider that TLS resources name;
- `envoy/sidecar/NS`, `envoy/gateway/NS`, `envoy/raw/NS`: Envoy, by its role;
- `envoy/sidecar-re2/NS`, `envoy/gateway-re2/NS`: Envoys that take large regular expressions (see
  `metadata.PROGRAM_SIZE`).

The namespace is what a short name such as `xds:///backend` is looked up in. Zone and node are present where they are
known (`-` for an unknown one before a known part) and matter to the resources (`topology` in the settings), the bucket
where clients are divided (`subset_buckets`). The workload is what policies for servers apply to (`catalog.security`):
every stream of a gRPC client has it, `-` where it is not known, because a client sees what is published for a wider
audience until its own is answered, and the Listener of one server must never be that of another.
"""

import enum
import functools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from steerway.catalog.locality.traffic_distribution import UNKNOWN, ClientLocality
from steerway.translate.client.capability import (
    DEFAULT_PROGRAM_SIZE,
    LARGE_PROGRAM_SIZE,
    Feature,
    Restriction,
)
from steerway.translate.client.client import Client
from steerway.translate.client.library import Library
from steerway.translate.client.metadata import RAW, SIDECAR

GRPC = "grpc"
ENVOY = "envoy"
NO_LRS = "no-lrs"
_LARGE_EXPRESSIONS = "re2"
_GENERATIONS = ("a42", "a27", _LARGE_EXPRESSIONS)
_PROVIDER = "tls"
_UNDIVIDED = -1
_LOCALITY = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CACHED_AUDIENCES = 2**15


def _kinds(libraries: Iterable[Library]) -> frozenset[str]:
    """The kinds of audiences that clients of these libraries have."""
    kinds = {Library.NODE: (Library.NODE.value, NO_LRS)}
    return frozenset(kind for library in libraries for kind in kinds.get(library, (library.value,)))


_WITH_SESSIONS = _kinds(Feature.SESSION.value.since)
_WITH_RBAC = _kinds(Feature.RBAC.value.since)
_WITH_AUDIT = _kinds(Feature.AUDIT.value.since)
_KEEP_WITHDRAWN = _kinds(Restriction.KEEPS_WITHDRAWN.value.libraries)
_MISS_RETURNS = _kinds(Restriction.MISSES_RETURN.value.libraries)
_END_EARLY = _kinds(Restriction.EARLY_TIMEOUT.value.libraries)


class Width(enum.IntEnum):
    """How many parts of the path an audience has."""

    EVERYBODY = 0
    DIALECT = 1
    KIND = 2
    NAMESPACE = 3
    ZONE = 4
    NODE = 5
    BUCKET = 6
    WORKLOAD = 7


class Audience(NamedTuple):
    """The path; absent parts are "". The narrower parts of a wide audience are absent."""

    dialect: str = ""
    """`GRPC` or `ENVOY`."""
    kind: str = ""
    """The library of a gRPC client, or `NO_LRS`; the role of an Envoy."""
    generation: str = ""
    """"" for current clients; for gRPC see `client.Client.level`."""
    namespace: str = ""
    zone: str = ""
    """`UNKNOWN` for an unknown one before a narrower part."""
    node: str = ""
    bucket: int = _UNDIVIDED
    """From 0; -1 where clients are not divided."""
    workload: str = ""
    """`UNKNOWN` for a gRPC client whose workload is not known."""
    provider: bool = False
    """Whether the client has the certificate provider `metadata.CERTIFICATE_PROVIDER`."""

    @property
    def width(self) -> Width:
        """How many parts are present."""
        if self.workload:
            return Width.WORKLOAD
        if self.bucket != _UNDIVIDED:
            return Width.BUCKET
        if self.node:
            return Width.NODE
        if self.zone:
            return Width.ZONE
        if self.namespace:
            return Width.NAMESPACE
        if self.kind:
            return Width.KIND
        return Width.DIALECT if self.dialect else Width.EVERYBODY

    def widened(self, width: Width) -> "Audience":
        """The audience of the first parts; itself where it has no more."""
        return _widened(self, width)

    def parent(self) -> "Audience":
        """The audience without its narrowest part; everybody has none and is its own."""
        width = self.width
        return self.widened(Width(width - 1)) if width else self

    def widening(self) -> Iterator["Audience"]:
        """It and each wider one, the order in which the engine looks for an entry."""
        audience = self
        while audience != EVERYBODY:
            yield audience
            audience = audience.parent()
        yield EVERYBODY

    def covers(self, other: "Audience") -> bool:
        """Whether clients of the other audience are clients of this one."""
        return other.widened(self.width) == self

    @property
    def locality(self) -> ClientLocality:
        """Zone and node, "" for unknown ones."""
        return ClientLocality(
            "" if self.zone == UNKNOWN else self.zone, "" if self.node == UNKNOWN else self.node
        )

    @property
    def keeps_draining(self) -> bool:
        """Whether a client can make use of endpoints that are draining: for sessions (gRFC A55), and as Envoy does."""
        return self.dialect == ENVOY or self.kind in _WITH_SESSIONS

    @property
    def keeps_withdrawn(self) -> bool:
        """Whether a client with endpoints acknowledges an assignment without any and goes on calling the old ones: seen
        in grpc-java 1.85, whose new channels fail at once as others do."""
        return self.dialect == GRPC and self.kind in _KEEP_WITHDRAWN

    @property
    def misses_returns(self) -> bool:
        """Whether a client does not see that a Listener or Cluster which was removed is there again, when it returns as
        it was: grpc-js 1.14 keeps the removed copy and drops an equal one."""
        return self.dialect == GRPC and self.kind in _MISS_RETURNS

    @property
    def has_rbac(self) -> bool:
        """Whether servers of these clients' library authorize calls (gRFC A41). Older generations count as without."""
        return self.kind in _WITH_RBAC and not self.generation

    @property
    def audits(self) -> bool:
        """Whether such servers log what audit policies match (gRFC A59)."""
        return self.kind in _WITH_AUDIT and not self.generation

    @property
    def ends_early(self) -> bool:
        """Whether a client ends calls before the timeout of their route."""
        return self.dialect == GRPC and self.kind in _END_EARLY

    @property
    def reports_load(self) -> bool:
        """Whether a client may be asked for load reports."""
        return self.kind != NO_LRS

    @property
    def program_size(self) -> int:
        """The greatest regular expression that an Envoy takes, in instructions of RE2."""
        return LARGE_PROGRAM_SIZE if self.generation == _LARGE_EXPRESSIONS else DEFAULT_PROGRAM_SIZE


EVERYBODY = Audience()


@functools.lru_cache(maxsize=_CACHED_AUDIENCES)
def _widened(audience: Audience, width: Width) -> Audience:
    if width >= audience.width:
        return audience
    dialect, kind, generation, namespace, *_, provider = audience
    match width:
        case Width.EVERYBODY:
            return EVERYBODY
        case Width.DIALECT:
            return Audience(dialect)
        case Width.KIND:
            return Audience(dialect, kind, generation, provider=provider)
        case Width.NAMESPACE:
            return Audience(dialect, kind, generation, namespace, provider=provider)
        case Width.ZONE:
            return audience._replace(node="", bucket=_UNDIVIDED, workload="")
        case Width.NODE:
            return audience._replace(bucket=_UNDIVIDED, workload="")
        case _:
            return audience._replace(workload="")


def of_client(client: Client, namespace: str, role: str = SIDECAR, provider: bool = False) -> Audience:
    """The audience of clients of one library and version in a namespace, without a locality. `role`: of Envoys.
    `provider`: of gRPC clients."""
    if client.library is Library.ENVOY:
        large = client.program_size == LARGE_PROGRAM_SIZE and role != RAW
        return Audience(ENVOY, role, _LARGE_EXPRESSIONS if large else "", namespace)
    kind = NO_LRS if client.has(Restriction.LOAD_REPORT_LEAK) else client.library.value
    return Audience(GRPC, kind, client.level, namespace, provider=provider)


def at_locality(
    audience: Audience, locality: ClientLocality, bucket: int | None = None, workload: str = ""
) -> Audience:
    """The audience of a namespace with a locality, as far as it is known, a bucket, and a workload.

    Where nodes count, an unknown node is a part, too: what its clients get must never be a wider audience than those of
    a known node, which would see it until their own is answered. Where buckets count every client has one.
    """
    zone, node = locality.zone, locality.node
    if bucket is not None or workload:
        number = _UNDIVIDED if bucket is None else bucket
        return audience._replace(zone=zone or UNKNOWN, node=node or UNKNOWN, bucket=number, workload=workload)
    return audience._replace(zone=zone or UNKNOWN if node else zone, node=node)


def unlocated(audience: Audience) -> Audience:
    """The same without zone, node and bucket."""
    return audience._replace(zone="", node="", bucket=_UNDIVIDED)


def is_namespace(text: str) -> bool:
    """Whether it can be the name of a namespace, and so a part of an audience."""
    return _LABEL.fullmatch(text) is not None


def is_locality(text: str) -> bool:
    """Whether it can be the name of a zone or node, and so a part of an audience."""
    return _LOCALITY.fullmatch(text) is not None


@functools.lru_cache(maxsize=_CACHED_AUDIENCES)
def encode(audience: Audience) -> str:
    """The text for the engine."""
    dialect, kind, generation, namespace, zone, node, bucket, workload, provider = audience
    kind = f"{kind}-{generation}" if generation else kind
    kind = f"{kind}+{_PROVIDER}" if provider else kind
    parts = (dialect, kind, namespace, zone, node, UNKNOWN if bucket == _UNDIVIDED else str(bucket), workload)
    return "/".join(parts[: audience.width])


@functools.lru_cache(maxsize=_CACHED_AUDIENCES)
def decode(text: str) -> Audience:
    """The audience of a text from the engine. A text that `encode` never makes gives some audience, too."""
    dialect, kind, namespace, zone, node, bucket, workload = [*text.split("/"), *("",) * 7][:7]
    kind, _, flag = kind.partition("+")
    base, _, generation = kind.rpartition("-")
    if generation not in _GENERATIONS:
        base, generation = kind, ""
    number = int(bucket) if bucket.isascii() and bucket.isdecimal() else _UNDIVIDED
    return Audience(dialect, base, generation, namespace, zone, node, number, workload, flag == _PROVIDER)
