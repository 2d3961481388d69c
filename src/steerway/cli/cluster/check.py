"""`steerway check --kubernetes`: runs the checks, and prints them as `linkerd check` does."""

import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

from steerway.cli import terminal
from steerway.cli.cluster import lint
from steerway.cli.replica.connection import connect
from steerway.cli.replica.options import Where
from steerway.cli.replica.replicas import Replicas
from steerway.cli.terminal import ExitCode, Mark
from steerway.errors import SteerwayError
from steerway.kubecheck import plan, runner
from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Reader
from steerway.kubecheck.result import Level, Outcome, Result
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient

FORMATS = ("table", "short", "json")
NAMESPACE = "steerway-system"
"""The namespace of the guide, for `--pre`."""
RELEASE = "steerway"
_MARKS = {Level.OK: Mark.PASS, Level.WARNING: Mark.WARN, Level.ERROR: Mark.FAIL, Level.SKIPPED: Mark.SKIP}


async def run(where: Where, form: str, *, before: bool, release: str, injection: bool) -> int:
    """Print the outcome of every check. `before`: of those before an installation. Raises SourceError when there is no
    kubeconfig."""
    client = KubernetesClient(Access.find(where.kubeconfig, where.context))
    report = _Report(form)
    try:
        async with _replicas(where, before=before) as replicas:
            namespace = where.namespace or (NAMESPACE if before else "")
            context = Context(Reader(client), namespace, release, injection, replicas)
            sections = plan.BEFORE if before else plan.installed(lint.objects)
            async for outcome in runner.run(sections, context):
                report.add(outcome)
    finally:
        await client.close()
    return report.conclude()


async def document(context: Context) -> Mapping[str, Any]:
    """The outcome of every check of an installation, as `-o json` has it."""
    report = _Report("json")
    async for outcome in runner.run(plan.installed(lint.objects), context):
        report.add(outcome)
    return report.document()


@contextlib.asynccontextmanager
async def _replicas(where: Where, *, before: bool) -> AsyncIterator[Replicas | None]:
    """The admin servers; None where there are none. Why they do not answer is the result of a check."""
    if before:
        yield None
        return
    async with contextlib.AsyncExitStack() as stack:
        replicas = None
        with contextlib.suppress(SteerwayError):
            replicas = await stack.enter_async_context(connect(where))
        yield replicas


class _Report:
    def __init__(self, form: str) -> None:
        self._form = form
        self._outcomes: list[Outcome] = []
        self._section = ""

    def add(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if self._form == "json" or outcome.blocked:
            return
        for result in outcome.results:
            if self._form == "short" and result.level in (Level.OK, Level.SKIPPED):
                continue
            if self._section != outcome.section:
                terminal.write(("\n" if self._section else "") + terminal.style(outcome.section, "cyan"))
                self._section = outcome.section
            _print(outcome, result)

    def conclude(self) -> int:
        failed = any(outcome.failed for outcome in self._outcomes)
        if self._form == "json":
            terminal.write(json.dumps(self.document(), indent=2, ensure_ascii=False))
        else:
            done = [outcome for outcome in self._outcomes if not outcome.blocked]
            counts = Counter(result.level for outcome in done for result in outcome.results)
            signs = [f"{counts[level]} {mark.value[0]}" for level, mark in _MARKS.items() if counts[level]]
            if blocked := len(self._outcomes) - len(done):
                signs.append(f"{blocked} checks did not run, since those that they require have failed")
            terminal.write(("\n" if self._section else "") + ", ".join(signs))
        return ExitCode.FAILURE if failed else ExitCode.OK

    def document(self) -> Mapping[str, Any]:
        sections: dict[str, list[dict[str, Any]]] = {}
        for outcome in self._outcomes:
            results = [
                {
                    "level": result.level.value,
                    "text": result.text,
                    "hint": result.hint,
                    "manifest": result.manifest,
                }
                for result in outcome.results
            ]
            check = {"name": outcome.check.name, "link": outcome.check.link, "results": results}
            sections.setdefault(outcome.section, []).append(check)
        return {
            "ok": not any(outcome.failed for outcome in self._outcomes),
            "sections": [{"title": title, "checks": checks} for title, checks in sections.items()],
        }


def _print(outcome: Outcome, result: Result) -> None:
    hint = result.hint.replace("\n", "\n      ")
    terminal.item(_MARKS[result.level], result.text, hint)
    if result.level in (Level.WARNING, Level.ERROR):
        terminal.write(f"      {terminal.style(outcome.check.link, 'bright_black')}")
