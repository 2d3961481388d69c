"""What is to be done with the traffic of a service or a route, in the mesh's own words.

A `Policy` has sections, each of which is set or not (None). Several objects may set one section; the most specific
object counts (`merged_over`): a route's own fields, then policies attached to the route, then those attached to a
port, to the Service, its annotations, and what Kubernetes' own fields of the Service imply. `sources` names the object
that set each section.

Times are seconds, shares are fractions of 1. Nothing here knows what a client can do: that is translate's.
"""

import enum
from dataclasses import dataclass, fields, replace


class ZoneMode(enum.Enum):
    """How endpoints are prioritized by zone; see TrafficPolicy's `zones.mode`."""

    SPILL = "Spill"
    FAILOVER = "Failover"
    STRICT = "Strict"
    FAVOR = "Favor"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class Zones:
    """`overload_factor`: times its fair share that an endpoint may get (SPILL). `demand`: (zone, weight) of where
    requests come from; empty: from each zone that has endpoints alike. `favor_weight`: of the own zone (FAVOR)."""

    mode: ZoneMode
    overload_factor: float = 1.4
    demand: tuple[tuple[str, float], ...] = ()
    favor_weight: int = 1000


@dataclass(frozen=True, slots=True)
class Subset:
    """Of n endpoints each client sees `max(minimum, share * n)`, rounded up."""

    minimum: int = 5
    share: float = 1 / 3


class Algorithm(enum.Enum):
    """How a client chooses among endpoints of equal priority."""

    ROUND_ROBIN = "RoundRobin"
    LEAST_REQUEST = "LeastRequest"
    RING_HASH = "RingHash"
    WEIGHTED_ROUND_ROBIN = "WeightedRoundRobin"
    PICK_FIRST = "PickFirst"
    RANDOM = "Random"


class HashSource(enum.Enum):
    """What requests with an equal hash have in common."""

    HEADER = "header"
    COOKIE = "cookie"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class HashKey:
    """`name` is that of the header or cookie. `ttl_seconds` None: a cookie of the session."""

    source: HashSource
    name: str = ""
    path: str = ""
    ttl_seconds: float | None = None


CHANNEL = HashKey(HashSource.CHANNEL)


@dataclass(frozen=True, slots=True)
class OrcaWeights:
    """Client-side weighted round robin by load reports of the endpoints (gRFC A58)."""

    out_of_band: bool = False
    reporting_seconds: float = 10.0
    blackout_seconds: float = 10.0
    expiration_seconds: float = 180.0
    update_seconds: float = 1.0
    error_penalty: float = 1.0


DEFAULT_ORCA = OrcaWeights()


@dataclass(frozen=True, slots=True)
class SlowStart:
    window_seconds: float
    minimum_share: float = 0.1


@dataclass(frozen=True, slots=True)
class Balancing:
    """`choices` is for LEAST_REQUEST, `hash_on` and the sizes of the ring for RING_HASH, `orca` for
    WEIGHTED_ROUND_ROBIN."""

    algorithm: Algorithm
    choices: int = 2
    hash_on: tuple[HashKey, ...] = ()
    minimum_ring: int = 1024
    maximum_ring: int = 4096
    orca: OrcaWeights = DEFAULT_ORCA
    slow_start: SlowStart | None = None


@dataclass(frozen=True, slots=True)
class Ejection:
    """When an endpoint counts as an outlier. `factor`: standard deviations (success rate) or the share of failures
    (failure percentage)."""

    factor: float
    enforcing: float = 1.0
    minimum_hosts: int = 5
    request_volume: int = 100


@dataclass(frozen=True, slots=True)
class OutlierDetection:
    """gRFC A50."""

    interval_seconds: float = 10.0
    base_seconds: float = 30.0
    maximum_seconds: float = 300.0
    maximum_share: float = 0.1
    success_rate: Ejection | None = None
    failure_percentage: Ejection | None = None


class WhenEmpty(enum.Enum):
    """What clients get of a service without a ready endpoint."""

    FAIL = "Fail"
    KEEP_LAST = "KeepLast"
    USE_UNREADY = "UseUnready"


@dataclass(frozen=True, slots=True)
class Safety:
    """What happens when endpoints go missing. Shares of 0 are off."""

    when_empty: WhenEmpty = WhenEmpty.FAIL
    panic_share: float = 0.0
    minimum_healthy_share: float = 0.0
    hold_down_seconds: float = 60.0

    @property
    def wants_unready(self) -> bool:
        """Whether endpoints that are not ready may be used."""
        return self.when_empty is WhenEmpty.USE_UNREADY or self.panic_share > 0


@dataclass(frozen=True, slots=True)
class HealthCheck:
    service: str = ""
    interval_seconds: float = 10.0
    timeout_seconds: float = 1.0
    unhealthy_threshold: int = 3
    healthy_threshold: int = 1


MOST_RETRIES = 4
"""Of gRPC clients, which make five attempts at most, the first included (gRFC A6, A44)."""


@dataclass(frozen=True, slots=True)
class Retry:
    """`codes` are gRPC status codes as xDS names them (`unavailable`); `attempts` counts retries, not the first call.
    `statuses` are HTTP status codes, for clients of HTTP."""

    codes: tuple[str, ...]
    attempts: int = 1
    base_seconds: float = 0.025
    maximum_seconds: float | None = None
    statuses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A cookie, or where `header` is given a header, that names the endpoint."""

    cookie: str
    path: str = ""
    ttl_seconds: float | None = None
    header: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Shares of calls that are held up, and that end with a gRPC status code."""

    delay_seconds: float = 0.0
    delay_share: float = 0.0
    abort_code: int = 0
    abort_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The sections; None for one that is not set. `timeout_seconds` of 0: no limit."""

    zones: Zones | None = None
    subset: Subset | None = None
    balancing: Balancing | None = None
    outlier_detection: OutlierDetection | None = None
    maximum_requests: int | None = None
    safety: Safety | None = None
    health_check: HealthCheck | None = None
    timeout_seconds: float | None = None
    retry: Retry | None = None
    session: Session | None = None
    fault: Fault | None = None
    sources: tuple[tuple[str, str], ...] = ()
    """(section, the object that sets it), sorted."""

    def merged_over(self, other: "Policy") -> "Policy":
        """Both; this one has precedence where both set a section."""
        if other is NOTHING or self == other:
            return self
        if self is NOTHING:
            return other
        values = {name: getattr(self, name) for name in SECTIONS}
        missing = {name: getattr(other, name) for name, value in values.items() if value is None}
        sources = {**dict(other.sources), **dict(self.sources)}
        return replace(self, **missing, sources=tuple(sorted(sources.items())))

    @classmethod
    def from_object(cls, where: str, **sections: object) -> "Policy":
        """The policy that an object sets; sections that are None are not set."""
        sources = tuple(sorted((name, where) for name, value in sections.items() if value is not None))
        return cls(**sections, sources=sources) if sources else NOTHING  # type: ignore[arg-type]


SECTIONS = tuple(field.name for field in fields(Policy) if field.name != "sources")
NOTHING = Policy()
