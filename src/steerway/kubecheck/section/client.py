"""Connected clients: libraries that lack features which current releases have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from steerway.kubecheck.context import Context
from steerway.kubecheck.result import Result, ok, skipped, warning
from steerway.translate.client import library as libraries
from steerway.translate.client.capability import Feature
from steerway.translate.client.client import Client
from steerway.translate.client.library import Library, Version

_LIMIT = "1000"
_LISTED = 3


async def old_libraries(context: Context) -> Sequence[Result]:
    """A line for each library and version, with the workloads that have it."""
    if context.replicas is None:
        return [skipped("the admin servers of the replicas were not asked")]
    streams: Counter[str] = Counter()
    workloads: dict[str, set[str]] = {}
    for client in await _clients(context):
        for name, count in (client.get("libraries") or {}).items():
            streams[name] += int(count)
            workloads.setdefault(name, set()).add(str(client["id"]))
    results = [
        _old(name, lacking, streams[name], sorted(workloads[name]))
        for name in sorted(streams)
        if (lacking := lacks(name))
    ]
    if not streams:
        return results or [skipped("no client is connected")]
    return results or [ok(f"libraries of {sum(streams.values())} streams are up to date")]


async def _clients(context: Context) -> list[Mapping[str, Any]]:
    assert context.replicas is not None
    answers = await context.replicas.get("/api/v1/clients", limit=_LIMIT, fields="libraries")
    return [
        item for answer in answers.values() if not isinstance(answer, Exception) for item in answer["items"]
    ]


def lacks(name: str) -> tuple[list[str], Version] | None:
    """The features that a client such as `grpc-go 1.40` lacks and a newer release of its library has, with the
    release that has all of them; None if there are none, or the client is unknown."""
    client = _client(name)
    if client is None or client.version is None:
        return None
    newer = [
        (feature.value.subject, since)
        for feature in Feature
        if (since := feature.value.since.get(client.library)) is not None and not client.can(feature)
    ]
    if not newer:
        return None
    return [subject for subject, _ in newer], max(since for _, since in newer)


def _client(name: str) -> Client | None:
    """`grpc-go 1.80`, or `C-core (C++, Python, Ruby) 1.80`."""
    title, _, number = name.rpartition(" ")
    library = libraries.BY_NAME.get(title.lower()) or next(
        (library for library in Library if str(library) == title), None
    )
    major, dot, minor = number.partition(".")
    if library is None or not (dot and major.isdecimal() and minor.isdecimal()):
        return None
    return Client(library, (int(major), int(minor)))


def _old(name: str, lacking: tuple[list[str], Version], streams: int, workloads: Sequence[str]) -> Result:
    features, (major, minor) = lacking
    more = f" and {len(features) - _LISTED} more" if len(features) > _LISTED else ""
    lost = ", ".join(features[:_LISTED])
    having = ", ".join(workloads[:_LISTED]) + (" and others" if len(workloads) > _LISTED else "")
    reason = f"{streams} streams of {having} have {name}, which lacks {lost}{more}"
    return warning(
        reason, f"upgrade it to {major}.{minor} or newer; steerway explain shows what a client lacks"
    )
