"""From annotations of a Service to `Policy` sections, for clusters without the CRD.

An invalid annotation is a problem, and is ignored.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from steerway.catalog.model.mesh import Problem
from steerway.catalog.model.policy import (
    MOST_RETRIES,
    NOTHING,
    Algorithm,
    Balancing,
    HashKey,
    HashSource,
    Policy,
    Retry,
    Subset,
    ZoneMode,
    Zones,
)
from steerway.catalog.policy import wongnai
from steerway.catalog.policy.traffic import DEFAULT_HASH
from steerway.catalog.policy.wongnai import RETRIED, go_seconds
from steerway.config.name import nearest
from steerway.config.unit import LABEL
from steerway.sources.objects.core import (
    ANNOTATION_PREFIX,
    ENABLED_ANNOTATION,
    EXPORT_ANNOTATION,
    PRIVATE_ANNOTATION,
    Namespace,
    Service,
)
from steerway.sources.policy import traffic_policy as facts
from steerway.sources.policy.duration import DURATION, seconds

PREFIX = ANNOTATION_PREFIX
_ALIASES = {
    "xds.lmwn.com/retry-status": "retry",
    "xds.lmwn.com/retry-count": "retry-attempts",
    "xds.lmwn.com/retry-backoff": "retry-backoff",
}
"""Annotations of wongnai/xds that mean the same."""
_REPORTED = (wongnai.GATEWAY_ANNOTATION, wongnai.GRPC_SERVICE_ANNOTATION)
"""Annotations of wongnai/xds that are not supported, and are reported."""
_WORDS = (
    "zones",
    "subset-min",
    "subset-percent",
    "balancing",
    "hash-header",
    "max-requests",
    "timeout",
    "retry",
    "retry-attempts",
    "retry-backoff",
)
_OF_OTHERS = (ENABLED_ANNOTATION, EXPORT_ANNOTATION, PRIVATE_ANNOTATION)
"""Annotations under the prefix that are about something else."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_|~]{1,128}")


def is_annotation(name: str) -> bool:
    """Whether an annotation is one of those that are read."""
    return name.startswith(PREFIX) or name in _ALIASES or name in _REPORTED


class _MeaninglessError(ValueError):
    """The name of an annotation without the prefix, its value, and what that should be."""


def of_annotations(fact: Service, problems: list[Problem]) -> Policy:
    """The sections of the Service's annotations; an invalid one is added to `problems`."""
    annotations = fact.metadata.annotations
    if not annotations:
        return NOTHING
    names = {alias: name for name, alias in _ALIASES.items() if name in annotations}
    names |= {name.removeprefix(PREFIX): name for name in annotations if name.startswith(PREFIX)}
    words = _words(fact, names, problems)
    if (unsupported := wongnai.unsupported(annotations)) is not None:
        problems.append(Problem(str(fact.key), *unsupported, fact.key, partial=True))
    for name, meant in _unknown(names):
        reason = f"annotation {name} is none that steerway knows, and is ignored{meant}"
        problems.append(
            Problem.of(fact.key, reason, f"write one of {', '.join(PREFIX + word for word in _WORDS)}")
        )
    values: dict[str, Any] = {}
    for section, read in _READERS.items():
        while True:
            try:
                values[section] = read(words)
                break
            except _MeaninglessError as error:
                word, value, wanted = error.args
                reason = f"annotation {names[word]}: {value!r} is not {wanted}; it is ignored"
                problems.append(Problem.of(fact.key, reason, f"write {wanted}"))
                del words[word]
    return Policy.from_object(f"{fact.key} annotations", **values)


def of_namespace(fact: Namespace) -> list[Problem]:
    """What is wrong with the annotations of a Namespace."""
    problems: list[Problem] = []
    exports(fact, problems)
    known = [option.removeprefix(PREFIX) for option in _OF_OTHERS]
    hint = f"write one of {', '.join(_OF_OTHERS)}"
    for name in sorted(fact.metadata.annotations or {}):
        word = name.removeprefix(PREFIX)
        if not name.startswith(PREFIX) or word in known:
            continue
        if word in _WORDS:
            reason, wanted = (
                f"annotation {name} is read on Services only, and is ignored",
                "write it on a Service",
            )
        else:
            meant = nearest(word, known)
            reason, wanted = f"annotation {name} is none that steerway knows, and is ignored{meant}", hint
        problems.append(Problem.of(fact.key, reason, wanted))
    return problems


def exports(fact: Service | Namespace, problems: list[Problem]) -> frozenset[str] | None:
    """The names of `NAMESPACE, NAMESPACE` in the annotation that exports; None when there is none. `*` is all, `.` the
    own one, as in Istio. What no namespace can be called is a problem, and left out."""
    value = (fact.metadata.annotations or {}).get(EXPORT_ANNOTATION)
    if value is None:
        return None
    names = {name for name in map(str.strip, value.split(",")) if name}
    wrong = sorted(name for name in names if name not in ("*", ".") and not re.fullmatch(LABEL, name))
    if wrong:
        reason = f"{EXPORT_ANNOTATION} names {', '.join(map(repr, wrong))}, which no namespace is called"
        problems.append(Problem.of(fact.key, reason, "list namespaces, or * for all, or . for the own one"))
    return frozenset(names.difference(wrong))


def _words(fact: Service, names: Mapping[str, str], problems: list[Problem]) -> dict[str, str]:
    """The values by their names without the prefix; those of wongnai/xds as steerway's own ones would have them."""
    annotations = fact.metadata.annotations or {}
    words = {}
    for word, name in names.items():
        value = annotations[name].strip()
        remarks: list[wongnai.Remark] = []
        converted = wongnai.convert(name, value, remarks)
        problems += (
            Problem.of(
                fact.key, f"annotation {name}: {remark.value!r} {remark.reason}", f"write {remark.wanted}"
            )
            for remark in remarks
        )
        if converted or not value:
            words[word] = converted
    return words


def _unknown(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Annotations under our prefix that mean nothing, each with what may be meant."""
    known = [*_WORDS, *(option.removeprefix(PREFIX) for option in _OF_OTHERS)]
    for word, name in names.items():
        if word not in known:
            yield name, nearest(word, known)


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
        raise _MeaninglessError(
            "balancing", value, f"one of {', '.join(choice.value for choice in Algorithm)}"
        )
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
    attempts = _number(words, "retry-attempts", range(MOST_RETRIES + 1))
    if attempts == 0:
        return Retry((), 0)
    base, _, longest = words.get("retry-backoff", "25ms").partition(",")
    first, last = go_seconds(base), go_seconds(longest) if longest else None
    if not first or (longest and (last is None or last < first)):
        raise _MeaninglessError(
            "retry-backoff", words["retry-backoff"], "25ms or 25ms,250ms, the shorter one first"
        )
    # gRFC A6: less than a millisecond counts as one.
    first = max(first, 0.001)
    return Retry(tuple(sorted(codes)), attempts or 1, first, None if last is None else max(last, first))


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
