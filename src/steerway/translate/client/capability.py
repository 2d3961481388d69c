"""Which client it is, and what clients of its kind can do.

A client says its library and version in its Node. What it cannot do is left out of what it is told, or stands where it
passes it over, and is reported: nothing may be sent that it refuses.

Versions: doc/grpc_xds_features.md of gRPC and the gRFCs, and what the released libraries were seen to do (grpc-go 1.85,
grpcio 1.85, grpc-java 1.85, grpc-js-xds 1.14).
"""

import enum
import re
from typing import NamedTuple

from envoy.config.core.v3 import base_pb2

from steerway.errors import TranslateError

Version = tuple[int, int]


class Library(enum.Enum):
    """Values are parts of audiences."""

    CORE = "core"
    GO = "go"
    JAVA = "java"
    NODE = "node"
    UNKNOWN = "unknown"
    ENVOY = "envoy"


class Feature(enum.Enum):
    """What a client may be able to do, with the words for people."""

    ROUTE = "routes (gRFC A28)"
    EXTERNAL_NAME = "type ExternalName (gRFC A37)"
    TIMEOUT = "timeouts (gRFC A31)"
    LIMITS = "limits of requests (gRFC A32)"
    FAULT = "fault injection (gRFC A33)"
    RETRY = "retries (gRFC A44)"
    STATUS_RETRY = "retries by HTTP status"
    RING_HASH = "ring_hash (gRFC A42)"
    LEAST_REQUEST = "least_request (gRFC A48)"
    OUTLIER_DETECTION = "outlier detection (gRFC A50)"
    POLICY_LIST = "load_balancing_policy (gRFC A52)"
    MANY_RETRIES = "retries after the fourth (retry.attempts)"
    ATTEMPT_TIMEOUT = "timeouts of single attempts (timeouts.backendRequest)"
    SESSION = "sessions by cookie (gRFC A55)"
    HEADER_SESSION = "sessions by header (sessionPersistence)"
    WEIGHTED_ROUND_ROBIN = "weighted_round_robin by load reports (gRFC A58)"
    PICK_FIRST = "pick_first (gRFC A62)"
    RANDOM = "random balancing"
    COOKIE_HASH = "hashing by a cookie"
    SLOW_START = "slow start"
    HEALTH_CHECK = "checks of health by the client"
    HEADER_CHANGES = "changes of headers"
    MIRROR = "mirrors of requests"
    REWRITE = "rewrites of URLs"
    REDIRECT = "redirects"
    HOSTNAMES = "hostnames"
    HTTP_MATCH = "matches by HTTP method or query parameter"
    BINARY_HEADER_MATCH = "matches by binary headers"


_CORE, _JAVA, _GO, _NODE = Library.CORE, Library.JAVA, Library.GO, Library.NODE
_ENVOY_ALONE: dict[Library, Version] = {}
_SINCE: dict[Feature, dict[Library, Version]] = {
    Feature.ROUTE: {_CORE: (1, 31), _JAVA: (1, 31), _GO: (1, 31), _NODE: (1, 3)},
    Feature.EXTERNAL_NAME: {_CORE: (1, 47), _JAVA: (1, 39), _GO: (1, 52), _NODE: (1, 9)},
    Feature.TIMEOUT: {_CORE: (1, 37), _JAVA: (1, 37), _GO: (1, 37), _NODE: (1, 4)},
    Feature.LIMITS: {_CORE: (1, 37), _JAVA: (1, 37), _GO: (1, 37), _NODE: (1, 4)},
    Feature.FAULT: {_CORE: (1, 37), _JAVA: (1, 37), _GO: (1, 37), _NODE: (1, 4)},
    Feature.RETRY: {_CORE: (1, 40), _JAVA: (1, 40), _GO: (1, 41), _NODE: (1, 8)},
    Feature.STATUS_RETRY: _ENVOY_ALONE,
    Feature.MANY_RETRIES: _ENVOY_ALONE,
    Feature.ATTEMPT_TIMEOUT: _ENVOY_ALONE,
    Feature.RING_HASH: {_CORE: (1, 40), _JAVA: (1, 40), _GO: (1, 41), _NODE: (1, 10)},
    Feature.LEAST_REQUEST: {_JAVA: (1, 48), _GO: (1, 73)},
    Feature.OUTLIER_DETECTION: {_CORE: (1, 51), _JAVA: (1, 49), _GO: (1, 50), _NODE: (1, 7)},
    Feature.POLICY_LIST: {_CORE: (1, 55), _JAVA: (1, 47), _GO: (1, 56), _NODE: (1, 10)},
    Feature.SESSION: {_CORE: (1, 61)},
    Feature.HEADER_SESSION: _ENVOY_ALONE,
    Feature.WEIGHTED_ROUND_ROBIN: {_CORE: (1, 55), _JAVA: (1, 54), _GO: (1, 56)},
    Feature.PICK_FIRST: {_CORE: (1, 58), _JAVA: (1, 58), _GO: (1, 56)},
    Feature.RANDOM: _ENVOY_ALONE,
    Feature.COOKIE_HASH: _ENVOY_ALONE,
    Feature.SLOW_START: _ENVOY_ALONE,
    Feature.HEALTH_CHECK: _ENVOY_ALONE,
    Feature.HEADER_CHANGES: _ENVOY_ALONE,
    Feature.MIRROR: _ENVOY_ALONE,
    Feature.REWRITE: _ENVOY_ALONE,
    Feature.REDIRECT: _ENVOY_ALONE,
    Feature.HOSTNAMES: _ENVOY_ALONE,
    Feature.HTTP_MATCH: _ENVOY_ALONE,
    Feature.BINARY_HEADER_MATCH: _ENVOY_ALONE,
}
"""Since which version of a library; one that is not there does not have it. Envoy has all but those of `_NOT_ENVOY`.
least_request was behind an environment variable of grpc-go before 1.73."""
_NOT_ENVOY = frozenset({Feature.PICK_FIRST})
_EVERY_LIBRARY = frozenset((_CORE, _JAVA, _GO, _NODE))
_HIDDEN_HEADERS: dict[str, frozenset[Library]] = {
    "content-type": frozenset((_GO,)),
    "grpc-accept-encoding": _EVERY_LIBRARY,
    "grpc-encoding": _EVERY_LIBRARY,
    "grpc-previous-rpc-attempts": _EVERY_LIBRARY,
    "grpc-timeout": _EVERY_LIBRARY - {_CORE},
    "host": _EVERY_LIBRARY,
    "te": _EVERY_LIBRARY,
    "user-agent": _EVERY_LIBRARY,
}
"""Headers that a library writes into a request after it has chosen the route, as seen in the released ones: a match by
one of them is never true."""
MOST_RETRIES = 4
"""gRFC A44: five attempts in all. Clients take a larger number for this one."""
_QUIET_BEFORE: Version = (1, 13)
"""grpc-js before this leaks a timer for each stream of load reports (grpc-node 2892)."""

_AGENTS = {
    "envoy": Library.ENVOY,
    "grpc c-core": Library.CORE,  # "gRPC C-core linux" and, in wrapped languages, "gRPC C-core linux Python"
    "grpc go": Library.GO,
    "grpc java": Library.JAVA,
    "grpc node": Library.NODE,
}
_NAMES = {
    "grpc-go": Library.GO,
    "grpc-java": Library.JAVA,
    "grpc-js": Library.NODE,
    "grpc-node": Library.NODE,
    "grpcio": Library.CORE,
    "grpc-python": Library.CORE,
    "grpc-c++": Library.CORE,
    "c-core": Library.CORE,
    "envoy": Library.ENVOY,
}
_SHOWN = {
    Library.CORE: "C-core (C++, Python, Ruby)",
    Library.GO: "grpc-go",
    Library.JAVA: "grpc-java",
    Library.NODE: "grpc-js",
    Library.ENVOY: "Envoy",
    Library.UNKNOWN: "a client that does not say what it is",
}
PROGRAM_SIZE_KEY = "steerway.io/re2-max-program-size"
"""Metadata key of an Envoy's Node: `re2.max_program_size.error_level` of its runtime, which a Node does not contain."""
DEFAULT_PROGRAM_SIZE = 100
LARGE_PROGRAM_SIZE = 32_768
"""Instructions of RE2 in one regular expression: what Envoy takes by itself, and with the bootstrap of the guide, which
is more than nearly all that is read (`sources.regular_expression`). There are two kinds of Envoys, and not one for each
number, since each kind has routes of its own."""
_VERSION = re.compile(r"(?:^|\s)(\d{1,4})\.(\d{1,4})")


class Client(NamedTuple):
    """A library, and its version: None for one that is not known. `program_size`: of an Envoy, see
    `PROGRAM_SIZE_KEY`."""

    library: Library = Library.UNKNOWN
    version: Version | None = None
    program_size: int = DEFAULT_PROGRAM_SIZE

    def can(self, feature: Feature) -> bool:
        """Whether the client has a feature. One of unknown version counts as current, one of an unknown library as able
        to do what all current ones can."""
        if self.library is Library.ENVOY:
            return feature not in _NOT_ENVOY
        since = _SINCE[feature]
        if self.library is Library.UNKNOWN:
            return len(since) == 4
        needed = since.get(self.library)
        return needed is not None and (self.version is None or self.version >= needed)

    def routes_by(self, header: str) -> bool:
        """Whether the client knows a header when it chooses the route. `header` is in lower case."""
        hidden = _HIDDEN_HEADERS.get(header, frozenset())
        return not hidden if self.library is Library.UNKNOWN else self.library not in hidden

    @property
    def is_grpc(self) -> bool:
        return self.library is not Library.ENVOY

    @property
    def level(self) -> str:
        """The newest of a few generations that the client belongs to: "" for current ones, `a42` for those that know
        ring_hash and no list of policies, `a27` for those before."""
        if self.library is Library.UNKNOWN or self.can(Feature.POLICY_LIST):
            return ""
        return "a42" if self.can(Feature.RING_HASH) else "a27"

    @property
    def leaks_when_it_reports(self) -> bool:
        """Whether it must not be asked for load reports. A grpc-js without a version may be such a one."""
        return self.library is Library.NODE and (self.version or (0, 0)) < _QUIET_BEFORE

    def __str__(self) -> str:
        shown = _SHOWN[self.library]
        return shown if self.version is None else f"{shown} {self.version[0]}.{self.version[1]}"


CURRENT = tuple(Client(library) for library in Library if library is not Library.UNKNOWN)
"""One of each kind, as they are released now."""


def of_node(node: base_pb2.Node) -> Client:
    """The client that a Node tells of."""
    name = node.user_agent_name.lower()
    library = next((known for agent, known in _AGENTS.items() if name.startswith(agent)), Library.UNKNOWN)
    text = node.user_agent_version
    # "C-core 58.0.0 Python 1.85.1": the last number is that of the release.
    versions = _VERSION.findall(text)[-1:] or []
    version = (int(versions[0][0]), int(versions[0][1])) if versions else None
    if version is None and node.HasField("user_agent_build_version"):
        build = node.user_agent_build_version.version
        version = (build.major_number, build.minor_number)
    return Client(library, version, _program_size(node) if library is Library.ENVOY else DEFAULT_PROGRAM_SIZE)


def _program_size(node: base_pb2.Node) -> int:
    """One of the two sizes, the larger one where a Node says at least as much, in a number or in text."""
    if PROGRAM_SIZE_KEY not in node.metadata.fields:
        return DEFAULT_PROGRAM_SIZE
    value = node.metadata.fields[PROGRAM_SIZE_KEY]
    text = value.string_value
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else value.number_value
    return LARGE_PROGRAM_SIZE if number >= LARGE_PROGRAM_SIZE else DEFAULT_PROGRAM_SIZE


def parse(text: str) -> Client:
    """`grpc-go/1.70`, `grpcio`, `envoy/1.40`. TranslateError says what there is."""
    name, slash, number = text.lower().partition("/")
    library = _NAMES.get(name)
    version = _VERSION.match(number)
    if library is None or (slash and version is None):
        known = ", ".join(sorted(_NAMES))
        raise TranslateError(f"{text!r} is no client: write NAME or NAME/MAJOR.MINOR, with one of {known}")
    return Client(library, (int(version[1]), int(version[2])) if version else None)
