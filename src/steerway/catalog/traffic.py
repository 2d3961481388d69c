"""What is said of the traffic of a Service or route, by whom: to `Policy` sections.

Three voices, from the most specific: TrafficPolicy objects, annotations of the Service for those who may not install
a CRD, and Kubernetes' own fields of the Service. An annotation that means nothing is a problem, and as if it were not
there.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from steerway.catalog.model import Problem
from steerway.catalog.policy import (
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
from steerway.sources import traffic_policy as facts
from steerway.sources.duration import DURATION, seconds
from steerway.sources.objects import Service

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
RETRIED = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")
"""Codes after which gRPC clients can try again (gRFC A44)."""
DEFAULT_HASH = (CHANNEL,)


def of_object(found: facts.TrafficPolicy) -> Policy:
    """The sections of a TrafficPolicy."""
    spec = found.spec
    return Policy.by(
        str(found.key),
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


def _zones(found: facts.ZonesSection) -> Zones:
    demand = tuple(sorted({each.zone: float(each.weight) for each in found.demand or ()}.items()))
    return Zones(ZoneMode(found.mode), found.overload_percent / 100, demand, found.favor_weight)


def _balancing(found: facts.BalancingSection) -> Balancing:
    ring = found.ring_hash or facts.RingHashSection()
    hashed = found.policy == Algorithm.RING_HASH.value
    weighted = found.weighted_round_robin or facts.WeightedSection()
    return Balancing(
        Algorithm(found.policy),
        choices=(found.least_request or facts.LeastRequestSection()).choices,
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
        slow_start=_map(found.slow_start, lambda s: SlowStart(seconds(s.window), s.min_percent / 100)),
    )


def _hash_key(found: facts.HashKey) -> HashKey:
    if found.header is not None:
        return HashKey(HashSource.HEADER, found.header.lower())
    if found.cookie is not None:
        return HashKey(HashSource.COOKIE, found.cookie.name, found.cookie.path or "", _ttl(found.cookie.ttl))
    return CHANNEL


def _outlier_detection(found: facts.OutlierSection) -> OutlierDetection:
    rate, failures = found.success_rate, found.failure_percentage
    if rate is None and failures is None:
        rate = facts.SuccessRateSection()
    return OutlierDetection(
        seconds(found.interval),
        seconds(found.base_ejection_time),
        seconds(found.max_ejection_time),
        found.max_ejection_percent / 100,
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


def _safety(found: facts.SafetySection) -> Safety:
    return Safety(
        WhenEmpty(found.when_empty),
        found.panic_percent / 100,
        found.min_healthy_percent / 100,
        seconds(found.hold_time),
    )


def _health_check(found: facts.HealthCheckSection) -> HealthCheck:
    return HealthCheck(
        found.service,
        seconds(found.interval),
        seconds(found.timeout),
        found.unhealthy_threshold,
        found.healthy_threshold,
    )


def _retry(found: facts.RetrySection) -> Retry:
    codes = tuple(sorted({_CODES[code][0] for code in found.codes}))
    backoff = found.backoff or facts.Backoff()
    return Retry(codes, found.attempts, seconds(backoff.base), _ttl(backoff.max))


def _fault(found: facts.FaultSection) -> Fault:
    delay, abort = found.delay, found.abort
    return Fault(
        seconds(delay.duration) if delay else 0.0,
        delay.percent / 100 if delay else 0.0,
        _CODES[abort.code][1] if abort else 0,
        abort.percent / 100 if abort else 0.0,
    )


def of_kubernetes(fact: Service) -> Policy:
    """What Kubernetes' own fields imply. `trafficDistribution` is not among them: with topology hints it is a matter of
    `reach`, where no policy speaks of zones."""
    if fact.spec.session_affinity != "ClientIP":
        return NOTHING
    return Policy.by(
        f"{fact.key} sessionAffinity", balancing=Balancing(Algorithm.RING_HASH, hash_on=DEFAULT_HASH)
    )


PREFIX = "steerway.io/"
_ALIASES = {
    "xds.lmwn.com/retry-status": "retry",
    "xds.lmwn.com/retry-count": "retry-attempts",
    "xds.lmwn.com/retry-backoff": "retry-backoff",
}
"""Annotations of wongnai/xds that mean the same."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_|~]{1,128}")


def is_annotation(name: str) -> bool:
    """Whether an annotation is one of those that are read."""
    return name.startswith(PREFIX) or name in _ALIASES


class _MeaninglessError(ValueError):
    """The name of an annotation without the prefix, its value, and what that should be."""


def of_annotations(fact: Service, problems: list[Problem]) -> Policy:
    """What the Service's annotations say; one that means nothing goes to `problems`."""
    annotations = fact.metadata.annotations
    if not annotations:
        return NOTHING
    names = {alias: name for name, alias in _ALIASES.items() if name in annotations}
    names |= {name.removeprefix(PREFIX): name for name in annotations if name.startswith(PREFIX)}
    words = {word: annotations[name].strip() for word, name in names.items()}
    found: dict[str, Any] = {}
    for section, read in _READERS.items():
        while True:
            try:
                found[section] = read(words)
                break
            except _MeaninglessError as error:
                word, value, wanted = error.args
                reason = f"annotation {names[word]}: {value!r} is not {wanted}; it is ignored"
                problems.append(Problem.of(fact.key, reason, f"write {wanted}"))
                del words[word]
    return Policy.by(f"{fact.key} annotations", **found)


def _read_zones(words: Mapping[str, str]) -> Zones | None:
    if (value := words.get("zones")) is None:
        return None
    modes = {mode.value.lower(): mode for mode in ZoneMode}
    if value.lower() not in modes:
        raise _MeaninglessError("zones", value, f"one of {', '.join(modes)}")
    return Zones(modes[value.lower()])


def _read_subset(words: Mapping[str, str]) -> Subset | None:
    minimum = _number(words, "subset-min", range(1, 100_001))
    percent = _number(words, "subset-percent", range(101))
    if minimum is None and percent is None:
        return None
    default = facts.SubsetSection()
    return Subset(minimum or default.min, (default.percent if percent is None else percent) / 100)


def _read_balancing(words: Mapping[str, str]) -> Balancing | None:
    header = words.get("hash-header")
    if header is not None and not _TOKEN.fullmatch(header):
        raise _MeaninglessError("hash-header", header, "the name of a header")
    value = words.get("balancing", Algorithm.RING_HASH.value if header else None)
    if value is None:
        return None
    algorithms = {algorithm.value.lower(): algorithm for algorithm in Algorithm}
    algorithm = algorithms.get(value.lower().replace("_", "").replace("-", ""))
    if algorithm is None:
        raise _MeaninglessError("balancing", value, f"one of {', '.join(each.value for each in Algorithm)}")
    if algorithm is not Algorithm.RING_HASH:
        return Balancing(algorithm)
    keys = (HashKey(HashSource.HEADER, header.lower()),) if header else DEFAULT_HASH
    return Balancing(algorithm, hash_on=keys)


def _read_retry(words: Mapping[str, str]) -> Retry | None:
    value = words.get("retry")
    if value is None:
        return None
    codes = {code.strip().lower() for code in value.split(",")}
    if not codes <= set(RETRIED):
        raise _MeaninglessError("retry", value, f"a list of {', '.join(RETRIED)}")
    attempts = _number(words, "retry-attempts", range(1, 5)) or 1
    base, _, longest = words.get("retry-backoff", "25ms").partition(",")
    first = _duration("retry-backoff", base)
    last = _duration("retry-backoff", longest) if longest else None
    if first <= 0 or (last is not None and last < first):
        raise _MeaninglessError(
            "retry-backoff", words["retry-backoff"], "25ms or 25ms,250ms, the shorter one first"
        )
    return Retry(tuple(sorted(codes)), attempts, first, last)


def _read_timeout(words: Mapping[str, str]) -> float | None:
    value = words.get("timeout")
    return None if value is None else _duration("timeout", value)


def _number(words: Mapping[str, str], name: str, allowed: range) -> int | None:
    if (value := words.get(name)) is None:
        return None
    if not _NUMBER.fullmatch(value) or int(value) not in allowed:
        raise _MeaninglessError(name, value, f"a whole number from {allowed[0]} to {allowed[-1]}")
    return int(value)


def _duration(name: str, value: str) -> float:
    if not re.fullmatch(DURATION, value.strip()):
        raise _MeaninglessError(name, value, "a duration such as 250ms or 10s")
    return seconds(value)


_READERS: dict[str, Callable[[Mapping[str, str]], Any]] = {
    "zones": _read_zones,
    "subset": _read_subset,
    "balancing": _read_balancing,
    "maximum_requests": lambda words: _number(words, "max-requests", range(1, 2**31)),
    "retry": _read_retry,
    "timeout_seconds": _read_timeout,
}
"""Section → how it is read from the Service's annotations, by their names without the prefix."""
