"""Runs the checks of a plan, in order by section; checks of one section run at the same time."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from steerway.errors import SourceError
from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import UnreadableError
from steerway.kubecheck.result import Check, Outcome, Result, Section, error, skipped, warning


async def run(sections: Sequence[Section], context: Context) -> AsyncIterator[Outcome]:
    """The outcome of each check, as soon as its section is done."""
    failed: set[str] = set()
    for section in sections:
        pending = list(section.checks)
        while pending:
            names = {check.name for check in pending}
            batch = [check for check in pending if not names & set(check.requires)]
            pending = [check for check in pending if check not in batch]
            results = await asyncio.gather(*(_run(check, context, failed) for check in batch))
            for check, (lines, blocked) in zip(batch, results, strict=True):
                outcome = Outcome(section.title, check, tuple(lines), blocked)
                if outcome.failed or blocked:
                    failed.add(check.name)
                yield outcome


async def _run(check: Check, context: Context, failed: set[str]) -> tuple[Sequence[Result], bool]:
    """The results, and whether the check did not run."""
    for name in check.requires:
        if name in failed:
            return [skipped(f"{check.name}: not checked, since {name} failed")], True
    try:
        return await check.run(context), False
    except UnreadableError as failure:
        # What the user of the check may not read is no failure of the installation.
        level = warning if failure.status == 403 else error
        return [level(f"{check.name}: not checked: {failure}", failure.hint)], False
    except SourceError as failure:
        return [error(f"{check.name}: not checked: {failure}", failure.hint)], False
