"""The objects of a cluster through the same pipeline as manifests of files."""

from collections.abc import AsyncIterator, Sequence

from steerway.cli.finding import Finding, Level, findings
from steerway.control.source import local_options
from steerway.kubecheck.context import Context
from steerway.kubecheck.permission import scopes
from steerway.kubecheck.reader import UnreadableError
from steerway.kubecheck.result import Result, error, ok, skipped, warning
from steerway.sources.files import Entry, LoadResult
from steerway.sources.files.entry import full_name, shown
from steerway.sources.kubernetes.decode import decode_page
from steerway.sources.kubernetes.event import Item
from steerway.sources.kubernetes.resource import AUTHENTICATING_PODS, NODES, PODS, Resource
from steerway.sources.kubernetes.source import followed_resources
from steerway.sources.store import Problem

_CLIENTS = (PODS, AUTHENTICATING_PODS, NODES)
"""About clients, and no part of what is served."""


async def objects(context: Context) -> Sequence[Result]:
    """A line for each finding that is no note. Raises UnreadableError."""
    entries = [entry async for entry in _entries(context)]
    result = LoadResult(
        objects=tuple(obj for entry in entries for obj in entry.objects),
        problems=tuple(entry.problem for entry in entries if entry.problem is not None),
        documents=tuple(entries),
    )
    reported = [
        _line(
            entry.problem.where, Finding(Level.ERROR, entry.where, entry.problem.reason, entry.problem.hint)
        )
        for entry in entries
        if entry.problem is not None
    ]
    notes = 0
    for about, listed in findings(result, context.installed.settings, complete=True).items():
        notes += sum(finding.level is Level.NOTE for finding in listed)
        reported += [_line(about, finding) for finding in listed if finding.level is not Level.NOTE]
    if reported:
        return reported
    if not entries:
        return [skipped("there is no Service in the namespaces that are served")]
    return [ok(f"{len(entries)} objects are served or left out as intended ({notes} notes)")]


def _line(about: str, finding: Finding) -> Result:
    text = f"{about}: {finding.reason.removeprefix(f'{about}: ')}"
    level = error if finding.level is Level.ERROR else warning
    return level(text, finding.hint)


async def _entries(context: Context) -> AsyncIterator[Entry]:
    installed = context.installed
    for namespace in scopes(installed.settings, installed.namespace):
        for kind in followed_resources(local_options(installed.settings), everywhere=namespace is None):
            if kind not in _CLIENTS:
                for page in await _pages(context, kind, namespace):
                    for item in decode_page(kind.kind, page).items:
                        yield _entry(kind, item)


async def _pages(context: Context, kind: Resource, namespace: str | None) -> Sequence[bytes]:
    """Of the first version that the API server has; none for a kind that is not installed."""
    for version in kind.versions:
        try:
            return await context.reader.raw_pages(version.path(namespace))
        except UnreadableError as failure:
            if failure.status != 404:
                raise
    return []


def _entry(kind: Resource, item: Item) -> Entry:
    name = shown(full_name(item.key)) if item.key is not None else ""
    where = f"{kind.kind} {name}".rstrip()
    if item.value is None:
        problem = Problem(where, item.reason, "correct the object")
        return Entry(where, kind.kind, name, item.key, problem=problem)
    return Entry(where, kind.kind, name, item.key, (item.value,))
