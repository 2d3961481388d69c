"""What each client library and Envoy supports: the only table of it.

`Feature` has the version since which a library has a feature, `Restriction` what libraries do otherwise than their
documentation. The form of resources (`Client.can`, `Client.has`), conditions of routes and policies, `steerway check`,
`steerway explain`, the streams of the admin server and docs/conformance.md derive from it.

To add a client limitation: a row here, the objects that it concerns in `explain/limitation.py`, an example in
`tests/unit/cli/test_limitations_agree.py`, and `make capability-doc`.

Sources: doc/grpc_xds_features.md of gRPC, the gRFCs, and the observed behaviour of grpc-go 1.85, grpcio 1.85, grpc-java
1.85, grpc-js-xds 1.14 and Envoy 1.40.
"""

import enum
from collections.abc import Collection, Mapping
from typing import NamedTuple

from steerway.catalog.model.policy import MOST_RETRIES
from steerway.translate.client.library import Library, Version

DEFAULT_PROGRAM_SIZE = 100
LARGE_PROGRAM_SIZE = 32_768
"""Instructions of RE2 in one regular expression: the limits of Envoy by default, and with the bootstrap of the guide,
which is above nearly all expressions that are read (`sources.regular_expression`). There are two kinds of Envoys, not
one for each number, since each kind has its own routes."""
ALWAYS: Version = (0, 0)
"""In every version of a library that supports xDS."""
_CORE, _GO, _JAVA, _NODE = Library.CORE, Library.GO, Library.JAVA, Library.NODE


class Capability(NamedTuple):
    """A row of the table. `subject` begins the sentence about clients without the feature, `instead` ends it: what
    happens; it is "" where those clients get another form of the same. Both may have fields (`{name}`)."""

    subject: str
    instead: str
    since: Mapping[Library, Version]
    """By library of gRPC; a library that is absent has it in no version."""
    envoy: bool = True

    @property
    def sentence(self) -> str:
        """With the field `client`, except where no client has the feature."""
        verb = "are" if self.subject.split()[0].endswith("s") else "is"
        if not self.since and not self.envoy:
            return f"{self.subject} {verb} supported by no client: {self.instead}"
        return f"{self.subject} {verb} not supported by {{client}}: {self.instead}"


def _since(core: str = "", go: str = "", java: str = "", node: str = "") -> Mapping[Library, Version]:
    """MAJOR.MINOR by library, "" for never."""
    columns = {_CORE: core, _GO: go, _JAVA: java, _NODE: node}
    rows = {library: text.partition(".") for library, text in columns.items() if text}
    return {library: (int(major), int(minor)) for library, (major, _, minor) in rows.items()}


def _except(*libraries: Library) -> Mapping[Library, Version]:
    return {library: ALWAYS for library in (_CORE, _GO, _JAVA, _NODE) if library not in libraries}


_ENVOY_ONLY: Mapping[Library, Version] = {}
_GRPC_ONLY = _except()
_ROUND_ROBIN = "it falls back to round_robin"
_UNCONNECTED = "no connection is made, and calls fail"
_AS_IT_IS = "gRPC clients send the request as it is"
_NEVER_MATCH = "they never match, and calls go to the next rule that matches"
_WRITTEN_LATE = f"the header is written after the route is chosen, so that {_NEVER_MATCH}"


def _header(name: str, *hidden_in: Library) -> Capability:
    """A header that these libraries write into a request after they have chosen the route."""
    return Capability(f"matches by the header {name}", _WRITTEN_LATE, _except(*hidden_in))


@enum.unique
class Feature(enum.Enum):
    """The columns of `_since`: C-core, Go, Java, Node (`@grpc/grpc-js-xds`)."""

    ROUTE = Capability(
        "routes (gRFC A28)", "it uses the last rule only", _since("1.31", "1.31", "1.31", "1.3")
    )
    HTTP_MATCH = Capability(
        "matches by HTTP method or query parameter", "they never match a gRPC call", _ENVOY_ONLY
    )
    BINARY_HEADER_MATCH = Capability("matches by binary headers", _NEVER_MATCH, _ENVOY_ONLY)
    CONTENT_TYPE_MATCH = _header("content-type", _GO)
    GRPC_TIMEOUT_MATCH = _header("grpc-timeout", _GO, _JAVA, _NODE)
    GRPC_ENCODING_MATCH = _header("grpc-encoding", _CORE, _GO, _JAVA, _NODE)
    GRPC_ACCEPT_ENCODING_MATCH = _header("grpc-accept-encoding", _CORE, _GO, _JAVA, _NODE)
    PREVIOUS_ATTEMPTS_MATCH = _header("grpc-previous-rpc-attempts", _CORE, _GO, _JAVA, _NODE)
    HOST_MATCH = _header("host", _CORE, _GO, _JAVA, _NODE)
    TE_MATCH = _header("te", _CORE, _GO, _JAVA, _NODE)
    USER_AGENT_MATCH = _header("user-agent", _CORE, _GO, _JAVA, _NODE)
    HOSTNAMES = Capability("hostnames", "rules apply to every name that is dialled", _ENVOY_ONLY)
    HEADER_CHANGES = Capability("changes of headers", _AS_IT_IS, _ENVOY_ONLY)
    REWRITE = Capability("rewrites of URLs", _AS_IT_IS, _ENVOY_ONLY)
    MIRROR = Capability("mirrors of requests", "gRPC clients send the request once", _ENVOY_ONLY)
    REDIRECT = Capability("redirects", "calls fail with UNAVAILABLE", _ENVOY_ONLY)
    OTHER_FILTER = Capability("filter {name}", "calls fail with UNAVAILABLE", {}, envoy=False)
    BACKEND_FILTER = Capability("{name} of a backend", "requests are sent without it", {}, envoy=False)
    BACKEND_PATH = Capability(
        "URLRewrite of the path for one of several backends", "the path is not changed", {}, envoy=False
    )
    TIMEOUT = Capability(
        "timeouts (gRFC A31)",
        "calls last as long as their callers wait",
        _since("1.37", "1.37", "1.37", "1.4"),
    )
    ATTEMPT_TIMEOUT = Capability(
        "timeouts of single attempts (timeouts.backendRequest)",
        "all attempts together have the time of the call",
        _ENVOY_ONLY,
    )
    RETRY = Capability(
        "retries (gRFC A44)", "failed calls are not tried again", _since("1.40", "1.41", "1.40", "1.8")
    )
    STATUS_RETRY = Capability(
        "retries by HTTP status {statuses}",
        "calls that fail with it are not tried again",
        _ENVOY_ONLY,
    )
    MANY_RETRIES = Capability(  # gRFC A44: a larger number counts as this one.
        "retries after the fourth (retry.attempts)",
        f"calls are tried again {MOST_RETRIES} times at most",
        _ENVOY_ONLY,
    )
    SESSION = Capability("sessions by cookie (gRFC A55)", "calls go to any endpoint", _since(core="1.61"))
    HEADER_SESSION = Capability(
        "sessions by header (sessionPersistence)", "calls go to any endpoint", _ENVOY_ONLY
    )
    SESSION_TYPE = Capability(
        "sessionPersistence of type {name}", "calls go to any endpoint", {}, envoy=False
    )
    IDLE_TIMEOUT = Capability(
        "sessionPersistence.idleTimeout", "idle sessions do not expire", {}, envoy=False
    )
    ABSOLUTE_TIMEOUT = Capability(
        "sessionPersistence.absoluteTimeout without cookieConfig.lifetimeType Permanent",
        "sessions do not expire",
        {},
        envoy=False,
    )
    FAULT = Capability(
        "fault injection (gRFC A33)", "calls proceed without faults", _since("1.37", "1.37", "1.37", "1.4")
    )
    LIMITS = Capability(
        "limits of requests (gRFC A32)", "requests are not limited", _since("1.37", "1.37", "1.37", "1.4")
    )
    OUTLIER_DETECTION = Capability(
        "outlier detection (gRFC A50)", "no endpoint is ejected", _since("1.51", "1.50", "1.49", "1.7")
    )
    HEALTH_CHECK = Capability(
        "checks of health by the client", "the readiness that Kubernetes reports applies", _ENVOY_ONLY
    )
    RING_HASH = Capability("ring_hash (gRFC A42)", _ROUND_ROBIN, _since("1.40", "1.41", "1.40", "1.10"))
    COOKIE_HASH = Capability("ring_hash by cookie", "it hashes by {keys}", _ENVOY_ONLY)
    BINARY_HEADER_HASH = Capability(
        "ring_hash by the binary header {header}", "it ignores the header", _ENVOY_ONLY
    )
    # Behind an environment variable of grpc-go before 1.73 (its internal/envconfig).
    LEAST_REQUEST = Capability("least_request (gRFC A48)", _ROUND_ROBIN, _since(go="1.73", java="1.48"))
    WEIGHTED_ROUND_ROBIN = Capability(
        "weighted_round_robin by load reports (gRFC A58)", _ROUND_ROBIN, _since("1.55", "1.56", "1.54")
    )
    PICK_FIRST = Capability(
        "pick_first (gRFC A62)", _ROUND_ROBIN, _since("1.58", "1.56", "1.58"), envoy=False
    )
    RANDOM = Capability("random balancing", _ROUND_ROBIN, _ENVOY_ONLY)
    SLOW_START = Capability("slow start", "a new endpoint gets its full share at once", _ENVOY_ONLY)
    POLICY_LIST = Capability("load_balancing_policy (gRFC A52)", "", _since("1.55", "1.56", "1.47", "1.10"))
    EXTERNAL_NAME = Capability(
        "type ExternalName (gRFC A37)",
        "it refuses the cluster, and calls fail",
        _since("1.47", "1.52", "1.39", "1.9"),
    )
    # What decides by port is `catalog.service.connection`.
    BACKEND_TLS = Capability("TLS to backends", _UNCONNECTED, _ENVOY_ONLY)
    OTHER_TLS = Capability("TLS without a BackendTLSPolicy", _UNCONNECTED, _GRPC_ONLY, envoy=False)
    SERVER_TLS = (
        Capability(  # A client without the provider refuses the cluster, so that it never gets one with TLS.
            "mTLS to gRPC servers (gRFC A29)",
            "connections are in plaintext, which servers with TLS refuse",
            _since("1.41", "1.41", "1.41", "1.13"),
            envoy=False,
        )
    )
    # Since 1.51 of C-core and 1.42 of grpc-go and grpc-java; audiences distinguish the versions of POLICY_LIST.
    # grpc-js has it behind an environment variable, which its Node does not contain.
    RBAC = Capability(
        "authorization at gRPC servers (gRFC A41)",
        "servers that it applies to get no Listener, or with `unsupported: Serve` one without it",
        _since("1.55", "1.56", "1.47"),
        envoy=False,
    )
    AUDIT = Capability(
        "audit mode of AuthorizationPolicy (gRFC A59)",
        "servers do not log what its rules match",
        _since(go="1.56"),
        envoy=False,
    )
    OTHER_PROTOCOL = Capability("protocols other than HTTP", _UNCONNECTED, _GRPC_ONLY, envoy=False)


HEADER_MATCHES: Mapping[str, Feature] = {
    "content-type": Feature.CONTENT_TYPE_MATCH,
    "grpc-timeout": Feature.GRPC_TIMEOUT_MATCH,
    "grpc-encoding": Feature.GRPC_ENCODING_MATCH,
    "grpc-accept-encoding": Feature.GRPC_ACCEPT_ENCODING_MATCH,
    "grpc-previous-rpc-attempts": Feature.PREVIOUS_ATTEMPTS_MATCH,
    "host": Feature.HOST_MATCH,
    "te": Feature.TE_MATCH,
    "user-agent": Feature.USER_AGENT_MATCH,
}
"""Headers in lower case that some library writes too late for its own routes."""


class Defect(NamedTuple):
    """Of these libraries, in versions before `before` (None: all known ones). `sentence`: with the field `client`; ""
    where resources avoid the defect, so that calls are as configured."""

    libraries: Collection[Library]
    sentence: str = ""
    before: Version | None = None


@enum.unique
class Restriction(enum.Enum):
    """What a library does otherwise than it should, or only under a condition."""

    EARLY_TIMEOUT = (
        Defect(  # grpc/grpc 34547, 40633: one to two seconds early; resources have two seconds more.
            (_CORE,), "exact timeouts are not supported by {client}: calls end up to a second late"
        )
    )
    LIMITS_WITH_LOAD_REPORTS = (
        Defect(  # grpc-java 1.85 counts requests where it counts its load, and there only.
            (_JAVA,),
            "{client} limits requests only where it is asked for load reports (load_reporting.enabled)",
        )
    )
    REGEX_LEAK = Defect(  # grpc-js-xds 1.14: re2-wasm frees nothing of its 16 MiB.
        (_NODE,),
        "{client} compiles the regular expression anew with each change of endpoints and never frees one: its process"
        " ends after some thousands of changes",
    )
    REGEX_SIZE = Defect(
        (Library.ENVOY,),
        "a regular expression is too large for {client} with re2.max_program_size.error_level {size}: requests that may"
        " match fail with 500; raise it in the bootstrap, as `steerway bootstrap"
        " --for envoy` does",
    )
    LOAD_REPORT_LEAK = Defect(
        (_NODE,), before=(1, 13)
    )  # grpc-node 2892: a timer for each stream of load reports.
    UNASKED_IDENTITY = Defect(  # grpc-go 1.85 asks for a certificate only where it requires one.
        (_GO,),
        "{client} servers do not ask clients for a certificate with tls.mode Permissive: rules with `from` match no"
        " call",
    )
    KEEPS_WITHDRAWN = Defect((_JAVA,))
    """grpc-java 1.85 acknowledges an assignment without endpoints and calls the old ones; new channels fail at once."""
    MISSES_RETURN = Defect((_NODE,))
    """grpc-js-xds 1.14 keeps the copy of a removed Listener or Cluster and drops an equal one that returns."""
