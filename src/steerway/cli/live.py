"""The objects of a cluster, read once, as `steerway serve` reads them."""

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from steerway.config import Settings
from steerway.control.source import Source, local_sources
from steerway.errors import SourceError
from steerway.sources.files.loader import read_bytes
from steerway.sources.files.scan import scan
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


class Written(NamedTuple):
    """A live object as the API server has it: names of labels and annotations that the last `kubectl apply` set (none
    for objects of other writers), and its `spec`."""

    applied: Mapping[str, frozenset[str]]
    spec: Mapping[str, Any]


def written(settings: Settings, keys: Iterable[ObjectKey]) -> Mapping[ObjectKey, Written]:
    """These objects; those that are gone meanwhile are left out."""
    return asyncio.run(_written(settings, list(keys)))


async def _written(settings: Settings, keys: Sequence[ObjectKey]) -> dict[ObjectKey, Written]:
    client = KubernetesClient(Access.find(settings.kubernetes.kubeconfig, settings.kubernetes.context))
    turns = asyncio.Semaphore(_REQUESTS)
    try:
        objects = await asyncio.gather(*(_get(client, key, turns) for key in keys))
    finally:
        await client.close()
    return {
        key: Written(_names(obj), obj.get("spec") or {})
        for key, obj in zip(keys, objects, strict=True)
        if obj is not None
    }


async def _get(client: KubernetesClient, key: ObjectKey, turns: asyncio.Semaphore) -> dict[str, Any] | None:
    kind = _RESOURCES.get(key.kind)
    if kind is None:
        return None
    async with turns:
        for version in kind.versions:
            with contextlib.suppress(RequestError):  # gone meanwhile, or another version
                obj: dict[str, Any] = json.loads(
                    await client.get(f"{version.path(key.namespace or None)}/{key.name}", {})
                )
                return obj
    return None


def _names(obj: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    text = (obj["metadata"].get("annotations") or {}).get(_LAST_APPLIED, "")
    try:
        metadata = json.loads(text)["metadata"]
        return {field: frozenset(metadata.get(field) or ()) for field in ("labels", "annotations")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def service_specs(paths: Sequence[Path], namespace: str) -> dict[ObjectKey, Mapping[str, Any]]:
    """`spec` of each Service in files that were loaded without a problem. `namespace`: of manifests without one."""
    specs: dict[ObjectKey, Mapping[str, Any]] = {}
    for file in scan(tuple(paths)).files:
        for document in yaml.load_all(read_bytes(file), yaml.CSafeLoader):
            for manifest in _manifests(document):
                if (manifest.get("apiVersion"), manifest.get("kind")) == ("v1", "Service"):
                    metadata = manifest["metadata"]
                    key = ObjectKey("Service", metadata.get("namespace") or namespace, metadata["name"])
                    specs[key] = manifest.get("spec") or {}
    return specs


def _manifests(document: Any) -> Iterable[dict[str, Any]]:
    """The document itself, or the items of a List."""
    if not isinstance(document, dict):
        return ()
    items = document.get("items") if str(document.get("kind", "")).endswith("List") else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else [document]
