"""The objects of a cluster, read once, as `steerway serve` reads them."""

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from steerway.config import Settings
from steerway.control.source import Source, local_sources
from steerway.errors import SourceError
from steerway.sources.kubernetes import resource
from steerway.sources.kubernetes.access import Access, RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.objects.core import Object, ObjectKey
from steerway.sources.store import ObjectStore, Problem

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_RESOURCES = {
    entry.kind: entry
    for entry in (
        resource.NAMESPACES,
        resource.SERVICES,
        resource.ENDPOINT_SLICES,
        resource.GRPC_ROUTES,
        resource.HTTP_ROUTES,
        resource.REFERENCE_GRANTS,
        resource.BACKEND_TLS_POLICIES,
        resource.TRAFFIC_POLICIES,
    )
}
_REQUESTS = 8
"""At the same time."""


class Live(NamedTuple):
    """`problems`: what could not be read, as a kind that is forbidden."""

    objects: dict[ObjectKey, Object]
    problems: Sequence[Problem]


def read(settings: Settings, seconds: float) -> Live:
    """List everything that a control plane with these settings follows. SourceError: not within so many seconds, with
    the reasons, or there is no kubeconfig."""
    return asyncio.run(_read(settings, seconds))


async def _read(settings: Settings, seconds: float) -> Live:
    store = ObjectStore()
    sources = local_sources(settings, store)
    tasks = [asyncio.create_task(_run(source)) for source in sources]
    synced = asyncio.create_task(store.until_synced())
    done, _ = await asyncio.wait((*tasks, synced), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, synced):
        task.cancel()
    await asyncio.gather(*tasks, synced, return_exceptions=True)
    for task in done:
        task.result()  # raises what ended a source
    problems = store.problems()
    if not store.synced:
        causes = "; ".join(dict.fromkeys(f"{problem.where}: {problem.reason}" for problem in problems))
        hints = "; ".join(dict.fromkeys(problem.hint for problem in problems if problem.hint))
        raise SourceError(f"the cluster was not read within {seconds:g} s: {causes or 'no answer'}", hints)
    return Live({obj.key: obj for obj in store.objects()}, problems)


async def _run(source: Source) -> None:
    """The first failure of a source in its task group, if it fails."""
    try:
        await source.run()
    except* SourceError as group:
        raise group.exceptions[0] from None


def last_applied(
    settings: Settings, keys: Iterable[ObjectKey]
) -> Mapping[ObjectKey, Mapping[str, frozenset[str]]]:
    """By object the labels and annotations that the last `kubectl apply` set; nothing of objects of other writers."""
    return asyncio.run(_last_applied(settings, list(keys)))


async def _last_applied(
    settings: Settings, keys: Sequence[ObjectKey]
) -> dict[ObjectKey, dict[str, frozenset[str]]]:
    client = KubernetesClient(Access.find(settings.kubernetes.kubeconfig, settings.kubernetes.context))
    turns = asyncio.Semaphore(_REQUESTS)
    try:
        texts = await asyncio.gather(*(_annotation(client, key, turns) for key in keys))
    finally:
        await client.close()
    return {key: _names(text) for key, text in zip(keys, texts, strict=True) if text}


async def _annotation(client: KubernetesClient, key: ObjectKey, turns: asyncio.Semaphore) -> str:
    kind = _RESOURCES.get(key.kind)
    if kind is None:
        return ""
    async with turns:
        for version in kind.versions:
            with contextlib.suppress(RequestError):  # gone meanwhile, or another version
                body = await client.get(f"{version.path(key.namespace or None)}/{key.name}", {})
                annotations = json.loads(body)["metadata"].get("annotations") or {}
                return str(annotations.get(_LAST_APPLIED, ""))
    return ""


def _names(text: str) -> dict[str, frozenset[str]]:
    try:
        metadata = json.loads(text)["metadata"]
        return {field: frozenset(metadata.get(field) or ()) for field in ("labels", "annotations")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
