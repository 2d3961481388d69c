"""Runs single checks in the test's process, with those that they require."""

import asyncio
from pathlib import Path

from steerway.cli.cluster import lint
from steerway.kubecheck import plan, runner
from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Reader
from steerway.kubecheck.result import Level, Result, Section
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient


class Checker:
    """Checks of an installation in `namespace`, or of one that could be made there, as the user of a kubeconfig."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._kubeconfig = kubeconfig
        self._namespace = namespace

    def results(self, name: str, *, before: bool = False, injection: bool = False) -> list[Result]:
        """The results of a check."""
        return asyncio.run(self._results(name, before, injection))

    def failures(self, name: str, *, before: bool = False) -> list[Result]:
        """The errors of a check, of which there must be some."""
        errors = [result for result in self.results(name, before=before) if result.level is Level.ERROR]
        assert errors, f"{name} has no error"
        assert all(result.hint for result in errors)
        return errors

    def is_ok(self, name: str, *, before: bool = False) -> bool:
        results = self.results(name, before=before)
        return bool(results) and all(result.level is Level.OK for result in results)

    async def _results(self, name: str, before: bool, injection: bool) -> list[Result]:
        client = KubernetesClient(Access((self._kubeconfig,)))
        context = Context(Reader(client), self._namespace, "steerway", injection)
        sections = plan.BEFORE if before else plan.installed(lint.objects)
        try:
            outcomes = [outcome async for outcome in runner.run(_only(sections, name), context)]
        finally:
            await client.close()
        (wanted,) = (outcome for outcome in outcomes if outcome.check.name == name)
        return list(wanted.results)


def _only(sections: tuple[Section, ...], name: str) -> list[Section]:
    checks = {check.name: check for section in sections for check in section.checks}
    kept = {name, *checks[name].requires}
    return [
        Section(section.title, tuple(check for check in section.checks if check.name in kept))
        for section in sections
    ]
