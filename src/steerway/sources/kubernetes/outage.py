"""Failures of all informers of one API server, joined by cause: one problem, and one log line for each retry.

Each informer tries again by itself, after waits of its own. A round of retries begins with the first failure and
ends when an informer fails that has already failed in it; only the first failure of a round is logged.

Refusals of a single kind (403, 404) do not belong here: each has its own remedy, see `informer.py`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from steerway.sources.kubernetes.event import Failure
from steerway.sources.store import Batch, Problem

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A request of one informer. `subject`: what it follows (`services in all namespaces`); `verb`: list or watch;
    `hint`: what an operator can do."""

    subject: str
    verb: str
    failure: Failure
    hint: str
    retry_in_seconds: float
    silent_seconds: float


@dataclass(slots=True)
class _Outage:
    began: float
    subjects: set[str] = field(default_factory=set)
    round: set[str] = field(default_factory=set)


class Outages:
    """The present outages of one API server, at most one for each cause. `server` returns its URL, "" before it is
    known."""

    def __init__(
        self,
        apply: Callable[[Batch], None],
        server: Callable[[], str],
        log: Any,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._apply = apply
        self._server = server
        self._log = log
        self._clock = clock
        self._by_cause: dict[str, _Outage] = {}

    def add(self, request: FailedRequest) -> None:
        """A request failed. Replaces an earlier failure of the same informer."""
        cause = str(request.failure.status or request.failure.reason)
        self._leave(request.subject, unless=cause)
        outage = self._by_cause.setdefault(cause, _Outage(self._clock()))
        outage.subjects.add(request.subject)
        if not outage.round or request.subject in outage.round:
            outage.round.clear()
            self._log.warning(
                "api_server_failed",
                server=self._server(),
                reason=str(request.failure),
                hint=request.hint,
                retry_in_seconds=round(request.retry_in_seconds, 1),
                silent_seconds=round(request.silent_seconds, 1),
            )
        outage.round.add(request.subject)
        reason = f"cannot {request.verb} {listed(outage.subjects)}: {request.failure}"
        self._apply(Batch(problems={_key(cause): (Problem(self._where(), reason, request.hint),)}))

    def end(self, subject: str) -> None:
        """An informer was answered, or fails in a way of its own."""
        self._leave(subject)

    def _leave(self, subject: str, unless: str = "") -> None:
        for cause, outage in list(self._by_cause.items()):
            if cause == unless or subject not in outage.subjects:
                continue
            outage.subjects.discard(subject)
            if not outage.subjects:
                del self._by_cause[cause]
                self._apply(Batch(problems={_key(cause): ()}))
                self._log.info(
                    "api_server_answers", after=cause, seconds=round(self._clock() - outage.began, 1)
                )

    def _where(self) -> str:
        return f"kubernetes API server {self._server()}".rstrip()


def listed(subjects: set[str] | frozenset[str]) -> str:
    """Subjects in words, the first dozen of them by name."""
    names = sorted(subjects)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _key(cause: str) -> str:
    return f"kubernetes API server: {cause}"
