"""A policy in the terms of TrafficPolicy: the sections, their values, and their sources."""

from collections.abc import Callable, Mapping
from typing import Any

from steerway.catalog.model.policy import (
    SECTIONS,
    Algorithm,
    Balancing,
    Ejection,
    Fault,
    HashKey,
    HashSource,
    HealthCheck,
    OutlierDetection,
    Policy,
    Retry,
    Safety,
    Session,
    Subset,
    ZoneMode,
    Zones,
)


def sections(policy: Policy) -> list[dict[str, Any]]:
    """Every section: `source` is None for one that is not set, whose value is the default."""
    sources = dict(policy.sources)
    rows = []
    for section in SECTIONS:
        name, default, words = _SECTIONS[section]
        value = getattr(policy, section)
        metadata = default if value is None else words(value)
        rows.append(
            {"section": name, "value": metadata, "source": None if value is None else sources.get(section)}
        )
    return rows


def spoken(policy: Policy) -> list[dict[str, Any]]:
    """Only the sections that are set."""
    return [section for section in sections(policy) if section["source"] is not None]


def _zones(zones: Zones) -> str:
    parts: list[object] = ["mode", zones.mode.value]
    if zones.mode is ZoneMode.SPILL:
        parts += ["overloadPercent", _percent(zones.overload_factor)]
        if zones.demand:
            parts += ["demand", " ".join(f"{zone}={weight:g}" for zone, weight in zones.demand)]
    if zones.mode is ZoneMode.FAVOR:
        parts += ["favorWeight", zones.favor_weight]
    return _pairs(*parts)


def _subset(subset: Subset) -> str:
    return _pairs("min", subset.minimum, "percent", _percent(subset.share))


def _balancing(balancing: Balancing) -> str:
    parts: list[object] = ["policy", balancing.algorithm.value]
    match balancing.algorithm:
        case Algorithm.LEAST_REQUEST:
            parts += ["choices", balancing.choices]
        case Algorithm.RING_HASH:
            parts += ["hashOn", " then ".join(map(_key, balancing.hash_on))]
            parts += ["minSize", balancing.minimum_ring, "maxSize", balancing.maximum_ring]
        case Algorithm.WEIGHTED_ROUND_ROBIN:
            orca = balancing.orca
            parts += ["outOfBand", str(orca.out_of_band).lower()]
            parts += ["expirationPeriod", time(orca.expiration_seconds)]
            parts += ["errorPenaltyPercent", _percent(orca.error_penalty)]
    if (start := balancing.slow_start) is not None:
        parts += [
            "slowStart",
            f"window {time(start.window_seconds)} minPercent {_percent(start.minimum_share)}",
        ]
    return _pairs(*parts)


def _key(key: HashKey) -> str:
    return "channel" if key.source is HashSource.CHANNEL else f"{key.source.value} {key.name}"


def _outlier_detection(detection: OutlierDetection) -> str:
    parts: list[object] = ["interval", time(detection.interval_seconds)]
    parts += ["baseEjectionTime", time(detection.base_seconds)]
    parts += ["maxEjectionPercent", _percent(detection.maximum_share)]
    for name, factor, ejection in (
        ("successRate", "stdevFactorPercent", detection.success_rate),
        ("failurePercentage", "threshold", detection.failure_percentage),
    ):
        if ejection is not None:
            parts += [name, _ejection(factor, ejection)]
    return _pairs(*parts)


def _ejection(factor: str, ejection: Ejection) -> str:
    return f"{factor} {_percent(ejection.factor)} enforcingPercent {_percent(ejection.enforcing)}"


def _safety(safety: Safety) -> str:
    parts: list[object] = ["whenEmpty", safety.when_empty.value]
    if safety.panic_share:
        parts += ["panicPercent", _percent(safety.panic_share)]
    if safety.minimum_healthy_share:
        parts += ["minHealthyPercent", _percent(safety.minimum_healthy_share)]
        parts += ["holdTime", time(safety.hold_down_seconds)]
    return _pairs(*parts)


def _health_check(check: HealthCheck) -> str:
    named = ["service", check.service] if check.service else []
    return _pairs(*named, "interval", time(check.interval_seconds), "timeout", time(check.timeout_seconds))


def _retry(retry: Retry) -> str:
    statuses = ["HTTP statuses", " ".join(map(str, retry.statuses))] if retry.statuses else []
    codes = " ".join(retry.codes) or "none"
    backoff = f"base {time(retry.base_seconds)}"
    if retry.maximum_seconds is not None:
        backoff += f" max {time(retry.maximum_seconds)}"
    return _pairs("codes", codes, "attempts", retry.attempts, "backoff", backoff, *statuses)


def _session(session: Session) -> str:
    if session.header:
        return _pairs("header", session.header)
    life = "session" if session.ttl_seconds is None else time(session.ttl_seconds)
    return _pairs("cookie", session.cookie, "path", session.path or "/", "ttl", life)


def _fault(fault: Fault) -> str:
    parts: list[object] = []
    if fault.delay_share:
        parts += ["delay", f"{time(fault.delay_seconds)} percent {_percent(fault.delay_share)}"]
    if fault.abort_share:
        parts += ["abort", f"gRPC code {fault.abort_code} percent {_percent(fault.abort_share)}"]
    return _pairs(*parts) if parts else "nothing"


def _pairs(*parts: object) -> str:
    """`name value, name value`."""
    return ", ".join(f"{name} {value}" for name, value in zip(parts[::2], parts[1::2], strict=True))


def _percent(share: float) -> str:
    return f"{round(share * 100, 2):g}"


def time(seconds: float) -> str:
    """As the Gateway API writes durations."""
    return f"{seconds:g}s" if seconds == int(seconds) else f"{seconds * 1000:g}ms"


_SECTIONS: Mapping[str, tuple[str, str, Callable[[Any], str]]] = {
    "zones": ("zones", "trafficDistribution and hints of the Service, else all alike", _zones),
    "subset": ("subset", "every endpoint", _subset),
    "balancing": ("balancing", "policy RoundRobin", _balancing),
    "outlier_detection": ("outlierDetection", "none", _outlier_detection),
    "maximum_requests": ("limits", "none", lambda most: f"maxRequests {most}"),
    "safety": ("safety", "whenEmpty Fail", _safety),
    "health_check": ("healthCheck", "none", _health_check),
    "timeout_seconds": ("timeout", "none", lambda seconds: f"request {time(seconds)}"),
    "retry": ("retry", "none", _retry),
    "session": ("session", "none", _session),
    "fault": ("fault", "none", _fault),
}
"""Section → its name in a TrafficPolicy, its default, and its value as text."""
