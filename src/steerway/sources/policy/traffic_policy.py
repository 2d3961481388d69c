"""TrafficPolicy (steerway.io/v1alpha1): settings for the traffic of a Service or of a route.

These types are the one definition of the resource: they decode it, `crd.py` writes the manifest of the CRD
from them, and the same `RULES` are CEL for an API server and Python for files. A `Meta.description` is the field's
documentation in the CRD (`kubectl explain tp.spec`).

For a section that is left out the next less specific object counts, and then the default.
Which objects those are, and what the sections mean for clients, is the catalog's business.
"""

from typing import Annotated, Literal

from msgspec import Meta

from steerway.sources.objects.slim import AttachedMeta, ObjectKey, Slim
from steerway.sources.policy.duration import Duration, seconds
from steerway.sources.policy.gateway import GROUP
from steerway.sources.policy.rule import Rule, camel

ROUTE_KINDS = ("GRPCRoute", "HTTPRoute")

_TOKEN = r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+\Z"
"""A token of HTTP (RFC 9110, 5.6.2), which names of headers and cookies are."""
_GRPC_CODES = Literal[
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
]
_RETRIED = Literal["Cancelled", "DeadlineExceeded", "Internal", "ResourceExhausted", "Unavailable"]
Percent = Annotated[int, Meta(ge=0, le=100)]


class PolicyTarget(Slim, frozen=True):
    group: Annotated[
        Literal["", "gateway.networking.k8s.io"],
        Meta(description='API group of the target; "" for a Service.'),
    ]
    kind: Annotated[Literal["Service", "GRPCRoute", "HTTPRoute"], Meta(description="Kind of the target.")]
    name: Annotated[
        str,
        Meta(min_length=1, max_length=253, description="Name of the target, in the policy's own namespace."),
    ]
    section_name: Annotated[
        Annotated[str, Meta(min_length=1, max_length=253)] | None,
        Meta(
            description="A port of the Service by its name, or a rule of the route by its name. Without it: all."
        ),
    ] = None


class ZoneDemand(Slim, frozen=True):
    zone: Annotated[str, Meta(min_length=1, max_length=63, description="Name of a zone.")]
    weight: Annotated[
        int, Meta(ge=0, le=1_000_000, description="Its share of all requests, relative to the others.")
    ]


class ZonesSection(Slim, frozen=True):
    mode: Annotated[
        Literal["Spill", "Failover", "Strict", "Favor", "Disabled"],
        Meta(
            description="Spill: the own zone, and of what its endpoints cannot carry just that share elsewhere. "
            "Failover: the own zone, then its region, then the rest, each when none before can be reached. Strict: the "
            "own zone alone. Favor: all zones, the own one with a greater weight (k8s-xds). Disabled: all endpoints "
            "alike."
        ),
    ]
    overload_percent: Annotated[
        int,
        Meta(
            ge=100,
            le=1_000_000,
            description="Spill: how much of its fair share an endpoint may get before requests go to other zones.",
        ),
    ] = 140
    demand: Annotated[
        Annotated[list[ZoneDemand], Meta(max_length=64)] | None,
        Meta(
            description="Spill: where requests come from. Without it: from each zone that has endpoints, equally many.",
        ),
    ] = None
    favor_weight: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Favor: weight of the own zone; the others have 1.")
    ] = 1000


class SubsetSection(Slim, frozen=True):
    min: Annotated[int, Meta(ge=1, le=100_000, description="The fewest endpoints that a client sees.")] = 5
    percent: Annotated[
        int,
        Meta(ge=0, le=100, description="The share of all endpoints that a client sees, where it is more."),
    ] = 33


class HashCookie(Slim, frozen=True):
    name: Annotated[str, Meta(pattern=_TOKEN, max_length=128, description="Name of the cookie.")]
    path: Annotated[
        Annotated[str, Meta(max_length=1024)] | None,
        Meta(description="Path of the cookie, when Envoy makes it."),
    ] = None
    ttl: Annotated[
        Duration | None, Meta(description="Life of the cookie, when Envoy makes it. Without it: the session.")
    ] = None


class HashKey(Slim, frozen=True):
    header: Annotated[
        Annotated[str, Meta(pattern=_TOKEN, max_length=128)] | None,
        Meta(description="Requests with an equal value of this header."),
    ] = None
    cookie: Annotated[
        HashCookie | None, Meta(description="Requests with an equal cookie. gRPC clients leave this one out.")
    ] = None
    channel: Annotated[
        bool | None, Meta(description="All requests of a channel (gRPC) or of a connection (Envoy).")
    ] = None


class RingHashSection(Slim, frozen=True):
    hash_on: Annotated[
        Annotated[list[HashKey], Meta(min_length=1, max_length=8)] | None,
        Meta(
            description="What equal requests have in common. Without it: the channel.",
        ),
    ] = None
    min_size: Annotated[int, Meta(ge=1, le=8_388_608, description="Least size of the ring.")] = 1024
    max_size: Annotated[int, Meta(ge=1, le=8_388_608, description="Greatest size of the ring.")] = 4096


class LeastRequestSection(Slim, frozen=True):
    choices: Annotated[
        int,
        Meta(ge=2, le=100, description="Of how many endpoints, taken at random, the least busy one is used."),
    ] = 2


class WeightedSection(Slim, frozen=True):
    """Reports come with each response unless `out_of_band`."""

    out_of_band: Annotated[bool, Meta(description="Ask endpoints for reports on a stream of their own.")] = (
        False
    )
    reporting_period: Annotated[Duration, Meta(description="Between two such reports.")] = "10s"
    blackout_period: Annotated[Duration, Meta(description="Until reports of a new endpoint count.")] = "10s"
    expiration_period: Annotated[Duration, Meta(description="For how long a report counts.")] = "3m"
    update_period: Annotated[Duration, Meta(description="Between two computations of weights.")] = "1s"
    error_penalty_percent: Annotated[
        int,
        Meta(ge=0, le=10_000, description="How much errors lower a weight: errors per request times this."),
    ] = 100


class SlowStartSection(Slim, frozen=True):
    window: Annotated[Duration, Meta(description="How long a new endpoint takes to get its full share.")]
    min_percent: Annotated[Percent, Meta(description="Its share at the start.")] = 10


class BalancingSection(Slim, frozen=True):
    policy: Annotated[
        Literal["RoundRobin", "LeastRequest", "RingHash", "WeightedRoundRobin", "PickFirst", "Random"],
        Meta(description="How a client chooses among endpoints of equal priority."),
    ]
    ring_hash: Annotated[RingHashSection | None, Meta(description="With RingHash.")] = None
    least_request: Annotated[LeastRequestSection | None, Meta(description="With LeastRequest.")] = None
    weighted_round_robin: Annotated[
        WeightedSection | None,
        Meta(description="With WeightedRoundRobin: load reports of the endpoints (ORCA)."),
    ] = None
    slow_start: Annotated[
        SlowStartSection | None,
        Meta(description="Where a client can: Envoy, with RoundRobin and LeastRequest."),
    ] = None


class SuccessRateSection(Slim, frozen=True):
    stdev_factor_percent: Annotated[
        int, Meta(ge=0, le=1_000_000, description="How many standard deviations below the mean, in percent.")
    ] = 190
    enforcing_percent: Annotated[
        Percent, Meta(description="The share of such endpoints that are ejected.")
    ] = 100
    minimum_hosts: Annotated[
        int, Meta(ge=0, le=1_000_000, description="With fewer endpoints it is not done.")
    ] = 5
    request_volume: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="Endpoints with fewer requests in an interval do not count."),
    ] = 100


class FailurePercentageSection(Slim, frozen=True):
    threshold: Annotated[
        Percent, Meta(description="The share of failed requests above which one is ejected.")
    ] = 85
    enforcing_percent: Annotated[
        Percent, Meta(description="The share of such endpoints that are ejected.")
    ] = 100
    minimum_hosts: Annotated[
        int, Meta(ge=0, le=1_000_000, description="With fewer endpoints it is not done.")
    ] = 5
    request_volume: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="Endpoints with fewer requests in an interval do not count."),
    ] = 50


class OutlierSection(Slim, frozen=True):
    interval: Annotated[Duration, Meta(description="Between two looks at the endpoints.")] = "10s"
    base_ejection_time: Annotated[
        Duration, Meta(description="How long one is ejected the first time; longer each time.")
    ] = "30s"
    max_ejection_time: Annotated[Duration, Meta(description="How long one is ejected at the most.")] = "5m"
    max_ejection_percent: Annotated[Percent, Meta(description="How many may be ejected at a time.")] = 10
    success_rate: Annotated[
        SuccessRateSection | None, Meta(description="Eject those that are worse than the others.")
    ] = None
    failure_percentage: Annotated[
        FailurePercentageSection | None, Meta(description="Eject those of which too many requests fail.")
    ] = None


class LimitsSection(Slim, frozen=True):
    max_requests: Annotated[
        int,
        Meta(
            ge=1,
            le=2_147_483_647,
            description="Requests that a client has under way to the Service; more fail at once with Unavailable.",
        ),
    ]


class TimeoutSection(Slim, frozen=True):
    request: Annotated[
        Duration,
        Meta(description="Longest time of a call, streams too; it never lengthens a client's own deadline."),
    ]


class Backoff(Slim, frozen=True):
    base: Annotated[Duration, Meta(description="Before the first retry, at random up to this.")] = "25ms"
    max: Annotated[Duration | None, Meta(description="The longest. Without it: ten times the base.")] = None


class RetrySection(Slim, frozen=True):
    codes: Annotated[
        list[_RETRIED],
        Meta(min_length=1, max_length=5, description="gRPC status codes after which to try again."),
    ]
    attempts: Annotated[
        int,
        Meta(
            ge=1,
            le=4,
            description="How often to try again. gRPC makes five attempts at the most, the first too.",
        ),
    ] = 1
    backoff: Annotated[Backoff | None, Meta(description="How long to wait before.")] = None


class SessionSection(Slim, frozen=True):
    cookie: Annotated[
        HashCookie,
        Meta(description="The cookie that names the endpoint, which a client sends back to stay with it."),
    ]


class FaultDelay(Slim, frozen=True):
    duration: Annotated[Duration, Meta(description="How long a call is held up.")]
    percent: Annotated[Percent, Meta(description="Of how many calls.")] = 100


class FaultAbort(Slim, frozen=True):
    code: Annotated[_GRPC_CODES, Meta(description="The gRPC status code that calls end with.")]
    percent: Annotated[Percent, Meta(description="How many calls.")] = 100


class FaultSection(Slim, frozen=True):
    delay: Annotated[FaultDelay | None, Meta(description="Hold calls up.")] = None
    abort: Annotated[FaultAbort | None, Meta(description="End calls without sending them.")] = None


class SafetySection(Slim, frozen=True):
    when_empty: Annotated[
        Literal["Fail", "KeepLast", "UseUnready"],
        Meta(
            description="Without a ready endpoint. Fail: calls fail at once. KeepLast: the last ones are kept. "
            "UseUnready: those that are not ready are used."
        ),
    ] = "Fail"
    panic_percent: Annotated[
        Percent,
        Meta(
            description="With a smaller share of ready endpoints, those that are not ready are used, too. 0: never."
        ),
    ] = 0
    min_healthy_percent: Annotated[
        Percent,
        Meta(
            description="An update that leaves a smaller share of the endpoints is held back for holdTime. 0: none is."
        ),
    ] = 0
    hold_time: Annotated[Duration, Meta(description="How long such an update is delayed.")] = "60s"


class HealthCheckSection(Slim, frozen=True):
    service: Annotated[
        str,
        Meta(
            max_length=253, description='Service name in the request (grpc.health.v1). "": the whole server.'
        ),
    ] = ""
    interval: Annotated[Duration, Meta(description="Between two checks.")] = "10s"
    timeout: Annotated[Duration, Meta(description="Of one check.")] = "1s"
    unhealthy_threshold: Annotated[
        int, Meta(ge=1, le=100, description="Failures until one is taken out.")
    ] = 3
    healthy_threshold: Annotated[int, Meta(ge=1, le=100, description="Successes until one is taken in.")] = 1


class TrafficPolicySpec(Slim, frozen=True):
    target_refs: Annotated[
        list[PolicyTarget], Meta(min_length=1, max_length=16, description="What the policy is attached to.")
    ]
    zones: Annotated[
        ZonesSection | None, Meta(description="Endpoints in the zone of the client and in other zones.")
    ] = None
    subset: Annotated[SubsetSection | None, Meta(description="How many endpoints each client sees.")] = None
    balancing: Annotated[BalancingSection | None, Meta(description="How a client chooses an endpoint.")] = (
        None
    )
    outlier_detection: Annotated[
        OutlierSection | None, Meta(description="Endpoints that fail are left out.")
    ] = None
    limits: Annotated[LimitsSection | None, Meta(description="Circuit breaking.")] = None
    safety: Annotated[SafetySection | None, Meta(description="When endpoints go missing.")] = None
    health_check: Annotated[
        HealthCheckSection | None, Meta(description="Active health checks, by Envoy only.")
    ] = None
    timeout: Annotated[TimeoutSection | None, Meta(description="How long calls may take.")] = None
    retry: Annotated[RetrySection | None, Meta(description="Which failed calls are tried again.")] = None
    session: Annotated[
        SessionSection | None, Meta(description="Clients stay with an endpoint, by a cookie (gRFC A55).")
    ] = None
    fault: Annotated[FaultSection | None, Meta(description="Faults on purpose, for tests (gRFC A33).")] = None


class TrafficPolicy(Slim, frozen=True):
    """Settings for the traffic of Services and routes."""

    metadata: AttachedMeta
    spec: TrafficPolicySpec

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("TrafficPolicy", self.metadata.namespace, self.metadata.name)


SERVICE_SECTIONS = (
    "zones",
    "subset",
    "balancing",
    "outlier_detection",
    "limits",
    "safety",
    "health_check",
)
"""Sections that are about the endpoints of a Service, and mean nothing for a route."""


def _with_policy(field: str, policy: str) -> Rule:
    return Rule(
        BalancingSection,
        f"!has(self.{camel(field)}) || self.policy == '{policy}'",
        f"{camel(field)} means something with policy {policy} only",
        lambda section: getattr(section, field) is None or section.policy == policy,
    )


_FOR_SERVICES = [f"has(self.{camel(name)})" for name in SERVICE_SECTIONS]

RULES: tuple[Rule, ...] = (
    Rule(
        PolicyTarget,
        "(self.kind == 'Service') == (self.group == '')",
        f'group is "" for a Service and {GROUP} for a route',
        lambda target: (target.kind == "Service") == (target.group == ""),
    ),
    Rule(
        TrafficPolicySpec,
        f"self.targetRefs.all(t, t.kind == 'Service') || !({' || '.join(_FOR_SERVICES)})",
        f"{', '.join(map(camel, SERVICE_SECTIONS))} are about endpoints: target a Service with them, not a route",
        lambda spec: (
            all(target.kind == "Service" for target in spec.target_refs)
            or all(getattr(spec, name) is None for name in SERVICE_SECTIONS)
        ),
    ),
    Rule(
        HashKey,
        "[has(self.header), has(self.cookie), has(self.channel) && self.channel].filter(x, x).size() == 1",
        "give one of header, cookie and channel: true",
        lambda key: [key.header is not None, key.cookie is not None, bool(key.channel)].count(True) == 1,
    ),
    Rule(
        RingHashSection,
        "self.minSize <= self.maxSize",
        "minSize is greater than maxSize",
        lambda ring: ring.min_size <= ring.max_size,
    ),
    _with_policy("ring_hash", "RingHash"),
    _with_policy("least_request", "LeastRequest"),
    _with_policy("weighted_round_robin", "WeightedRoundRobin"),
    Rule(
        Backoff,
        "duration(self.base) > duration('0s')",
        "base must be longer than 0s",
        lambda backoff: seconds(backoff.base) > 0,
    ),
    Rule(
        Backoff,
        "!has(self.max) || duration(self.max) >= duration(self.base)",
        "max is shorter than base",
        lambda backoff: backoff.max is None or seconds(backoff.max) >= seconds(backoff.base),
    ),
    Rule(
        FaultSection,
        "has(self.delay) || has(self.abort)",
        "give delay or abort",
        lambda fault: fault.delay is not None or fault.abort is not None,
    ),
    Rule(
        OutlierSection,
        "duration(self.interval) > duration('0s') && duration(self.baseEjectionTime) > duration('0s')",
        "interval and baseEjectionTime must be longer than 0s",
        lambda section: seconds(section.interval) > 0 and seconds(section.base_ejection_time) > 0,
    ),
    Rule(
        OutlierSection,
        "duration(self.maxEjectionTime) >= duration(self.baseEjectionTime)",
        "maxEjectionTime is shorter than baseEjectionTime",
        lambda section: seconds(section.max_ejection_time) >= seconds(section.base_ejection_time),
    ),
    Rule(
        HealthCheckSection,
        "duration(self.interval) > duration('0s') && duration(self.timeout) > duration('0s')",
        "interval and timeout must be longer than 0s",
        lambda section: seconds(section.interval) > 0 and seconds(section.timeout) > 0,
    ),
    Rule(
        SlowStartSection,
        "duration(self.window) > duration('0s')",
        "window must be longer than 0s",
        lambda section: seconds(section.window) > 0,
    ),
)
"""Of the structs of a TrafficPolicy."""
