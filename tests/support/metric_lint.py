"""The rules of `promtool check metrics` (Prometheus, util/promlint), for the families of an OpenMetrics scrape."""

import re
from collections.abc import Iterable, Iterator

from prometheus_client import Metric

_UNITS = {
    "milliseconds": "seconds",
    "microseconds": "seconds",
    "nanoseconds": "seconds",
    "minutes": "seconds",
    "hours": "seconds",
    "days": "seconds",
    "weeks": "seconds",
    "kilobytes": "bytes",
    "megabytes": "bytes",
    "gigabytes": "bytes",
    "kibibytes": "bytes",
    "mebibytes": "bytes",
    "bits": "bytes",
    "percent": "ratio",
    "milligrams": "grams",
    "kilometers": "meters",
    "celsius_degrees": "celsius",
}
_ABBREVIATIONS = {"s", "sec", "ms", "us", "ns", "m", "min", "h", "hr", "d", "b", "kb", "mb", "gb", "tb", "pb"}
_TYPES = frozenset({"counter", "gauge", "histogram", "summary"})
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_ENDINGS = ("_total", "_bucket", "_count", "_sum", "_created")


def problems(families: Iterable[Metric]) -> list[str]:
    """What is wrong, as `NAME: REASON`."""
    return [f"{family.name}: {reason}" for family in families for reason in _problems(family)]


def _problems(family: Metric) -> Iterator[str]:
    if not family.documentation:
        yield "HELP is missing"
    if not _NAME.match(family.name) or "__" in family.name:
        yield "the name is not in snake case"
    if family.name.endswith(_ENDINGS):
        yield "the name of the family has the ending of a sample"
    words = family.name.split("_")
    for word in words:
        if word in _UNITS:
            yield f"use {_UNITS[word]}, the base unit, instead of {word}"
        if word in _ABBREVIATIONS:
            yield f"{word} is an abbreviation of a unit"
        if word in _TYPES:
            yield f"the name has its type, {word}"
    if family.type in ("histogram", "summary") and words[-1] not in ("seconds", "bytes", "changes"):
        yield "a histogram ends with its unit"
    for sample in family.samples:
        if family.type == "counter" and not sample.name.endswith(("_total", "_created")):
            yield f"{sample.name} of a counter does not end with _total"
        if family.type != "histogram" and "le" in sample.labels:
            yield f"{sample.name} has the label le, which is that of histograms"
        for label in sample.labels:
            if not _NAME.match(label) or label.startswith("__"):
                yield f"the label {label} of {sample.name} is not in snake case"
