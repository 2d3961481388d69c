"""`steerway check`: would these manifests be served, and what is to be mended if not?

It reads files as `steerway serve --files` does and takes each object as far as bytes, without a server, a
cluster or a network. What a client would find absent only because it asks for another name cannot be seen
here.
"""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steerway.cli import terminal
from steerway.cli.terminal import ExitCode, Mark
from steerway.errors import SettingsError, SourceError, TranslateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from steerway.catalog.catalog import Catalog
    from steerway.catalog.condition import Judgement
    from steerway.catalog.model import Problem as CatalogProblem
    from steerway.config import Settings
    from steerway.sources.files import Entry, LoadResult
    from steerway.sources.objects import ObjectKey
    from steerway.sources.store import Problem

    AnyProblem = Problem | CatalogProblem


@click.command(short_help="Validate manifests offline.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Settings to check, with the certificates and tokens that they name; without PATH their manifests, too",
)
@click.option(
    "--default-namespace",
    metavar="NS",
    default="default",
    show_default=True,
    help="Namespace of manifests that name none",
)
@click.option("-v", "--verbose", is_flag=True, help="Also the documents that steerway does not read")
def check(paths: tuple[Path, ...], file: Path | None, default_namespace: str, verbose: bool) -> int:
    """Validate manifests offline: files, and directories of *.yaml, *.yml and *.json.

    One line per object: ✓ it would be served, ✗ it would be skipped, with what to do about it. Exit code 1
    when anything is wrong, also when there is nothing to serve at all.
    """
    from steerway.sources.files import load

    if not paths and file is None:
        raise click.UsageError("nothing to check: give a PATH, or --config FILE")
    marks: Counter[Mark] = Counter()
    if file is not None:
        settings = _check_settings(file, marks)
        if not paths and settings is not None:
            paths, default_namespace = settings.files, settings.default_namespace
    result = load(paths, default_namespace)
    catalog = _catalog(result)
    judgements, refused = _judged(result, catalog)
    unserved = _unserved(result, catalog, refused)
    for entry in result.documents:
        unfit = (unserved[str(found.key)] for found in entry.objects if str(found.key) in unserved)
        judged = [judgements[found.key] for found in entry.objects if found.key in judgements]
        problem = entry.problem or next(unfit, None)
        unused = bool(judged) and not any(each.verdicts for each in judged)
        mark = Mark.FAIL if problem else Mark.SKIP if entry.ignored or unused else Mark.PASS
        marks[mark] += 1
        if mark is not Mark.SKIP or unused or verbose:
            _tell(mark, entry, problem, judged)
    return _conclude(marks, verbose)


def _check_settings(file: Path, marks: Counter[Mark]) -> "Settings | None":
    """Tell of a settings file and what it names. None when it cannot be read as settings."""
    from steerway import config
    from steerway.access.guard import Guard
    from steerway.engine.engine import Engine

    settings = None
    try:
        settings = config.load(file, {}, {})
        Guard(settings, Engine(listen="127.0.0.1:0", identifier="check", tls=True).set_tls)
    except SettingsError as error:
        for line in str(error).splitlines():
            marks[Mark.FAIL] += 1
            terminal.item(Mark.FAIL, line)
        return settings
    except SourceError as error:
        terminal.note(f"not checked without an API server: {error}")
    marks[Mark.PASS] += 1
    terminal.item(Mark.PASS, f"{file}: settings")
    return settings


def _catalog(result: "LoadResult") -> "Catalog":
    """What would be served of the manifests, without any filter."""
    from steerway.catalog.catalog import Catalog

    known = {found.key: found for found in result.objects}
    catalog = Catalog()
    catalog.update(known.get, known)
    return catalog


def _unserved(
    result: "LoadResult", catalog: "Catalog", refused: "Iterable[CatalogProblem]"
) -> "Mapping[str, AnyProblem]":
    """What is right in itself and still would not reach a client, by the object's key as text."""
    found: dict[str, AnyProblem] = {}
    for problem in (*catalog.problems(), *refused, *_strays(result), *_unparsed(result)):
        found.setdefault(problem.where, problem)
    return found


def _judged(
    result: "LoadResult", catalog: "Catalog"
) -> "tuple[Mapping[ObjectKey, Judgement], list[CatalogProblem]]":
    """What is said of routes and policies, and those that are not used, or not all of them. What is broken itself is
    reported as such."""
    from steerway.catalog.evidence import Evidence
    from steerway.catalog.verdict import Verdicts
    from steerway.sources.objects import ObjectKey

    known = {found.key: found for found in result.objects}
    named = {entry.subject for entry in result.documents}

    def absent(key: ObjectKey) -> str:
        return "is broken" if key in named else "is not in these files"

    service = catalog.service
    outside = partial(catalog.outside, known.get)
    verdicts = Verdicts(Evidence(known.get, catalog.attachments, service, service, absent, outside))
    verdicts.judge(len(known))
    return verdicts.judgements, verdicts.problems()


def _strays(result: "LoadResult") -> "Iterator[AnyProblem]":
    """EndpointSlices that belong to no Service. A broken Service is told as such, and its slices are not."""
    from steerway.sources.objects import SERVICE_NAME_LABEL, EndpointSlice, ObjectKey
    from steerway.sources.store import Problem

    named = {entry.subject for entry in result.documents}
    for found in result.objects:
        if isinstance(found, EndpointSlice):
            owner = (found.metadata.labels or {}).get(SERVICE_NAME_LABEL)
            if not owner:
                yield Problem(
                    str(found.key),
                    f"no label {SERVICE_NAME_LABEL} says which Service it belongs to",
                    f"add the label {SERVICE_NAME_LABEL} with the name of the Service",
                )
            elif ObjectKey("Service", found.metadata.namespace, owner) not in named:
                yield Problem(
                    str(found.key),
                    f"its Service {found.metadata.namespace}/{owner} is not in these files",
                    f"add that Service, or correct the label {SERVICE_NAME_LABEL}",
                )


def _unparsed(result: "LoadResult") -> "Iterator[AnyProblem]":
    """Raw xDS resources that are no messages of their type."""
    from steerway.sources.objects import XdsResource
    from steerway.sources.store import Problem
    from steerway.translate import raw

    for found in result.objects:
        if isinstance(found, XdsResource):
            try:
                raw.parse(found.type_url, found.body, found.ttl)
            except TranslateError as error:
                cure = "see the type's reference in Envoy's API documentation"
                yield Problem(str(found.key), str(error), cure)


def _tell(
    mark: Mark, entry: "Entry", problem: "AnyProblem | None", judged: "Iterable[Judgement]" = ()
) -> None:
    what = f"{entry.kind} {entry.name}".strip()
    if problem is None:
        notes = [each.message for judgement in judged for each in judgement.ignored]
        notes += ["not a kind that steerway reads"] if entry.ignored else []
        notes += ["it is attached to nothing"] if mark is Mark.SKIP and not notes else []
        remark = f": {'; '.join(notes)}" if notes else ""
        terminal.item(mark, f"{entry.where}: {what}{remark}")
    else:
        reason = problem.reason.removeprefix(f"{entry.subject}: ")
        terminal.item(mark, f"{entry.where}: {what}{': ' if what else ''}{reason}", problem.cure)


def _conclude(marks: Counter[Mark], verbose: bool) -> int:
    totals = f"{marks[Mark.PASS]} good, {marks[Mark.FAIL]} broken"
    if marks[Mark.SKIP]:
        totals += f", {marks[Mark.SKIP]} not read" + ("" if verbose else " (-v lists them)")
    terminal.say(totals)
    if not marks[Mark.PASS] and not marks[Mark.FAIL]:
        terminal.fail("nothing to serve was found: no Service, EndpointSlice, xDS resource or mapping")
        return ExitCode.FAILURE
    return ExitCode.FAILURE if marks[Mark.FAIL] else ExitCode.OK
