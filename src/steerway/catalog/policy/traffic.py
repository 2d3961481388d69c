"""From objects to `Policy` sections: a TrafficPolicy, and Kubernetes' own fields of a Service.

Between the two come the annotations of the Service, see `annotation`.
"""

from collections.abc import Callable
from typing import Any

from steerway.catalog.model.policy import (
    CHANNEL,
    NOTHING,
    Algorithm,
    Balancing,
    Ejection,
    Fault,
    HashKey,
    HashSource,
    HealthCheck,
    OrcaWeights,
    OutlierDetection,
    Policy,
    Retry,
    Safety,
    Session,
    SlowStart,
    Subset,
    WhenEmpty,
    ZoneMode,
    Zones,
)
from steerway.sources.objects.core import Service
from steerway.sources.policy import traffic_policy as facts
from steerway.sources.policy.duration import seconds

_CODES = {
    "Cancelled": ("cancelled", 1),
    "Unknown": ("unknown", 2),
    "InvalidArgument": ("invalid-argument", 3),
    "DeadlineExceeded": ("deadline-exceeded", 4),
    "NotFound": ("not-found", 5),
    "AlreadyExists": ("already-exists", 6),
    "PermissionDenied": ("permission-denied", 7),
    "ResourceExhausted": ("resource-exhausted", 8),
    "FailedPrecondition": ("failed-precondition", 9),
    "Aborted": ("aborted", 10),
    "OutOfRange": ("out-of-range", 11),
    "Unimplemented": ("unimplemented", 12),
    "Internal": ("internal", 13),
    "Unavailable": ("unavailable", 14),
    "DataLoss": ("data-loss", 15),
    "Unauthenticated": ("unauthenticated", 16),
}
"""gRPC's status codes: as Go and TrafficPolicy write them → as xDS does, and the number."""
DEFAULT_HASH = (CHANNEL,)


def of_object(policy: facts.TrafficPolicy) -> Policy:
    """The sections of a TrafficPolicy."""
    spec = policy.spec
    return Policy.from_object(
        str(policy.key),
        zones=_map(spec.zones, _zones),
        subset=_map(spec.subset, lambda s: Subset(s.min, s.percent / 100)),
        balancing=_map(spec.balancing, _balancing),
        outlier_detection=_map(spec.outlier_detection, _outlier_detection),
        maximum_requests=_map(spec.limits, lambda limits: limits.max_requests),
        safety=_map(spec.safety, _safety),
        health_check=_map(spec.health_check, _health_check),
        timeout_seconds=_map(spec.timeout, lambda timeout: seconds(timeout.request)),
        retry=_map(spec.retry, _retry),
        session=_map(spec.session, lambda s: Session(s.cookie.name, s.cookie.path or "", _ttl(s.cookie.ttl))),
        fault=_map(spec.fault, _fault),
    )


def _map(section: Any, build: Callable[[Any], Any]) -> Any:
    return None if section is None else build(section)


def _ttl(duration: str | None) -> float | None:
    return None if duration is None else seconds(duration)


def _zones(section: facts.ZonesSection) -> Zones:
    demand = tuple(sorted({entry.zone: float(entry.weight) for entry in section.demand or ()}.items()))
    return Zones(ZoneMode(section.mode), section.overload_percent / 100, demand, section.favor_weight)


def _balancing(section: facts.BalancingSection) -> Balancing:
    ring = section.ring_hash or facts.RingHashSection()
    hashed = section.policy == Algorithm.RING_HASH.value
    weighted = section.weighted_round_robin or facts.WeightedSection()
    return Balancing(
        Algorithm(section.policy),
        choices=(section.least_request or facts.LeastRequestSection()).choices,
        hash_on=(tuple(map(_hash_key, ring.hash_on or ())) or DEFAULT_HASH) if hashed else (),
        minimum_ring=ring.min_size,
        maximum_ring=ring.max_size,
        orca=OrcaWeights(
            weighted.out_of_band,
            seconds(weighted.reporting_period),
            seconds(weighted.blackout_period),
            seconds(weighted.expiration_period),
            seconds(weighted.update_period),
            weighted.error_penalty_percent / 100,
        ),
        slow_start=_map(section.slow_start, lambda s: SlowStart(seconds(s.window), s.min_percent / 100)),
    )


def _hash_key(key: facts.HashKey) -> HashKey:
    if key.header is not None:
        return HashKey(HashSource.HEADER, key.header.lower())
    if key.cookie is not None:
        return HashKey(HashSource.COOKIE, key.cookie.name, key.cookie.path or "", _ttl(key.cookie.ttl))
    return CHANNEL


def _outlier_detection(section: facts.OutlierSection) -> OutlierDetection:
    rate, failures = section.success_rate, section.failure_percentage
    if rate is None and failures is None:
        rate = facts.SuccessRateSection()
    return OutlierDetection(
        seconds(section.interval),
        seconds(section.base_ejection_time),
        seconds(section.max_ejection_time),
        section.max_ejection_percent / 100,
        _map(
            rate,
            lambda r: Ejection(
                r.stdev_factor_percent / 100, r.enforcing_percent / 100, r.minimum_hosts, r.request_volume
            ),
        ),
        _map(
            failures,
            lambda f: Ejection(
                f.threshold / 100, f.enforcing_percent / 100, f.minimum_hosts, f.request_volume
            ),
        ),
    )


def _safety(section: facts.SafetySection) -> Safety:
    return Safety(
        WhenEmpty(section.when_empty),
        section.panic_percent / 100,
        section.min_healthy_percent / 100,
        seconds(section.hold_time),
    )


def _health_check(section: facts.HealthCheckSection) -> HealthCheck:
    return HealthCheck(
        section.service,
        seconds(section.interval),
        seconds(section.timeout),
        section.unhealthy_threshold,
        section.healthy_threshold,
    )


def _retry(section: facts.RetrySection) -> Retry:
    codes = tuple(sorted({_CODES[code][0] for code in section.codes}))
    backoff = section.backoff or facts.Backoff()
    return Retry(codes, section.attempts, seconds(backoff.base), _ttl(backoff.max))


def _fault(section: facts.FaultSection) -> Fault:
    delay, abort = section.delay, section.abort
    return Fault(
        seconds(delay.duration) if delay else 0.0,
        delay.percent / 100 if delay else 0.0,
        _CODES[abort.code][1] if abort else 0,
        abort.percent / 100 if abort else 0.0,
    )


def of_kubernetes(fact: Service) -> Policy:
    """What Kubernetes' own fields imply. `trafficDistribution` is not among them: with topology hints it is a matter of
    `reach`, where no policy sets zones."""
    if fact.spec.session_affinity != "ClientIP":
        return NOTHING
    return Policy.from_object(
        f"{fact.key} sessionAffinity", balancing=Balancing(Algorithm.RING_HASH, hash_on=DEFAULT_HASH)
    )
