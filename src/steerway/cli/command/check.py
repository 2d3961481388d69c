"""`steerway check`: would these manifests be served, and what is to be corrected if not? With `--kubernetes`: is an
installation healthy?

It reads files as `steerway serve --files` does and takes each object as far as bytes, without a server, a
cluster or a network. What a client would find absent only because it asks for another name cannot be seen
here.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steerway.cli import terminal
from steerway.cli.parameter import ManifestPath, require
from steerway.cli.replica.options import Where, replica_options
from steerway.cli.terminal import ExitCode, Mark
from steerway.config import Settings
from steerway.errors import SettingsError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from steerway.cli.finding import Finding
    from steerway.sources.files import Entry
    from steerway.sources.store import Problem

_MARKS = {"error": Mark.FAIL, "warning": Mark.WARN, "note": Mark.SKIP}
"""By the value of a finding's level."""
_UNUSED = "unused"
_OF_CLUSTERS = (
    *("pre", "release", "injection", "form"),
    *("addresses", "token_file", "kubeconfig", "context", "steerway_namespace", "selector", "admin_port"),
)
"""Parameters of `--kubernetes`."""


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=ManifestPath())
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
    help="Namespace of manifests that name none  [default: that of the settings, else default]",
)
@click.option("-v", "--verbose", is_flag=True, help="Also the documents that steerway does not read")
@click.option(
    "--kubernetes", is_flag=True, help="Check a cluster and the installation in it, instead of files"
)
@click.option("--pre", is_flag=True, help="The same before the installation: what it needs")
@click.option(
    "--release", metavar="NAME", default="steerway", show_default=True, help="With --pre: name of the release"
)
@click.option("--injection", is_flag=True, help="With --pre: the webhook is to be installed, too")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["table", "short", "json"]),
    default="table",
    show_default=True,
    help="With --kubernetes: all lines, those that are no ✓, or JSON",
)
@replica_options()
def check(
    paths: tuple[Path, ...],
    file: Path | None,
    default_namespace: str | None,
    verbose: bool,
    kubernetes: bool,
    where: Where,
    **options: Any,
) -> int:
    """Validate manifests offline, or check a cluster.

    Files, and directories of *.yaml, *.yml and *.json: one line per object that would be served (✓), and one for each
    finding, with what to do about it: an error (✗), a part that would not be served or is a mistake; a warning (!), a
    part that would be served and fails, as a Service without endpoints; a note (-), a consequence that may be intended,
    as an annotation that leaves a Service out.

    --kubernetes: API server, replicas, permissions, definitions, webhook, certificates, network, clients, and then the
    objects of the cluster as those of files. Each failure has its fix. --pre checks what an installation needs.

    Exit code 1 for errors, and when there is nothing to serve at all; 0 with warnings and notes alone.
    """
    from steerway.log import setup

    setup.configure("text", "warning")  # without it lines go to stdout, which is the report's
    if kubernetes:
        if paths or file is not None:
            raise click.UsageError("--kubernetes checks a cluster, not files: remove PATH and --config")
        return _check_cluster(where, **options)
    for parameter in _OF_CLUSTERS:
        require(parameter, "--kubernetes", used=False)
    return _check_files(paths, file, default_namespace, verbose)


def _check_cluster(where: Where, *, form: str, pre: bool, release: str, injection: bool) -> int:
    import asyncio

    from steerway.cli.cluster.check import run

    for parameter in ("release", "injection"):
        require(parameter, "--pre", used=pre)
    return asyncio.run(run(where, form, before=pre, release=release, injection=injection))


def _check_files(
    paths: tuple[Path, ...], file: Path | None, default_namespace: str | None, verbose: bool
) -> int:
    from steerway.cli.finding import findings
    from steerway.control.source import default_namespace as namespace_of
    from steerway.sources.files import load

    if not paths and file is None:
        raise click.UsageError("nothing to check: give a PATH, --config FILE, or --kubernetes")
    marks: Counter[Mark | str] = Counter()
    settings = None
    if file is not None:
        settings = _check_settings(file, marks)
        if not paths and settings is not None:
            paths = settings.files
    result = load(paths, default_namespace or namespace_of(settings or Settings()))
    by_object = findings(result, settings)
    for entry in result.documents:
        _report(entry, _of_entry(entry, by_object), marks, verbose)
    return _conclude(marks, verbose)


def _check_settings(file: Path, marks: Counter[Mark | str]) -> "Settings | None":
    """Report a settings file and the files that it names. None for one that cannot be read as settings."""
    from steerway import config
    from steerway.access.authenticators import Authenticators
    from steerway.catalog.locality.pod_index import PodIndex
    from steerway.engine.engine import Engine, EngineOptions

    settings = None
    warnings: list[Problem] = []
    try:
        settings = config.load(file, {}, {})
        engine = Engine(EngineOptions.from_settings(config.Settings(), tls=True))
        warnings = Authenticators(settings, engine.set_tls, PodIndex(), lambda _: None).warnings()
    except SettingsError as error:
        for line in str(error).splitlines():
            marks[Mark.FAIL] += 1
            terminal.item(Mark.FAIL, line)
        return settings
    except SourceError as error:
        terminal.note(f"not checked without an API server: {error}")
    marks[Mark.WARN if warnings else Mark.PASS] += 1
    for warning in warnings:
        terminal.item(Mark.WARN, f"{file}: settings: {warning.where}: {warning.reason}", warning.hint)
    if not warnings:
        terminal.item(Mark.PASS, f"{file}: settings")
    return settings


def _of_entry(entry: "Entry", by_object: "Mapping[str, Sequence[Finding]]") -> "list[Finding]":
    """What is to be reported of an entry, the worst first."""
    from steerway.cli.finding import Finding, Level
    from steerway.sources.files.entry import shown

    if entry.problem is not None:
        reason = entry.problem.reason.removeprefix(f"{shown(str(entry.subject))}: ")
        return [Finding(Level.ERROR, entry.where, reason, entry.problem.hint)]
    keys = [str(obj.key) for obj in entry.objects] or [str(entry.subject)]
    order = list(Level)
    about = [finding for key in keys for finding in by_object.get(key, ())]
    return sorted(about, key=lambda finding: order.index(finding.level))


def _report(entry: "Entry", about: "Sequence[Finding]", marks: Counter[Mark | str], verbose: bool) -> None:
    """The lines of one entry, counted as what the worst of them is."""
    what = f"{entry.where}: {f'{entry.kind} {entry.name}'.strip()}".removesuffix(" ").removesuffix(":")
    lines = [(_MARKS[finding.level.value], finding) for finding in about]
    worst = lines[0][0] if lines else Mark.SKIP
    if worst is not Mark.SKIP:
        marks[worst] += 1
    elif entry.ignored:
        marks[Mark.SKIP] += 1
        if verbose:
            terminal.item(Mark.SKIP, f"{what}: not a kind that steerway reads")
    elif any(finding.unused for finding in about):
        marks[_UNUSED] += 1
    else:
        marks[Mark.PASS] += 1
        terminal.item(Mark.PASS, what)
    for mark, finding in lines:
        terminal.item(mark, f"{what}: {finding.reason.removeprefix(f'{finding.about}: ')}", finding.hint)


def _conclude(marks: Counter[Mark | str], verbose: bool) -> int:
    totals = f"{marks[Mark.PASS]} good, {marks[Mark.FAIL]} broken"
    if marks[Mark.WARN]:
        totals += f", {marks[Mark.WARN]} with warnings"
    if marks[_UNUSED]:
        totals += f", {marks[_UNUSED]} not used"
    if marks[Mark.SKIP]:
        totals += f", {marks[Mark.SKIP]} not read" + ("" if verbose else " (-v lists them)")
    terminal.write(totals)
    if not marks[Mark.PASS] and not marks[Mark.FAIL] and not marks[Mark.WARN]:
        terminal.fail(
            "nothing to serve: no Service, EndpointSlice, xDS resource or mapping in these files; check the PATH"
        )
        return ExitCode.FAILURE
    return ExitCode.FAILURE if marks[Mark.FAIL] else ExitCode.OK
