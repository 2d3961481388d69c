"""Dispatch of the engine's events."""

import itertools
from collections.abc import Callable
from typing import Any

import structlog

from steerway.admin.grpc.call_service import CallService
from steerway.control.admission import StreamAdmission
from steerway.control.demand import Demands
from steerway.engine.engine import (
    Call,
    Closed,
    Demand,
    Engine,
    HandshakeFailed,
    Limited,
    Nack,
    Opened,
    Panicked,
    Withdrawn,
)
from steerway.journal.journal import Journal
from steerway.runtime.isolation import isolated

log = structlog.get_logger()


class EngineEvents:
    """Passes events to their handlers, in the engine's order; consecutive events of one type in one call."""

    def __init__(
        self,
        engine: Engine,
        admission: StreamAdmission,
        demands: Demands,
        calls: CallService,
        journal: Journal,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._demands = demands
        self._handlers: dict[type, Callable[[list[Any]], None]] = {
            Opened: admission.open,
            Closed: admission.close_streams,
            Demand: demands.answer,
            Withdrawn: demands.withdraw,
            Call: calls.answer,
            Nack: self._take_nacks,
            HandshakeFailed: _log_handshakes,
            Limited: self._take_limits,
            Panicked: _log_panics,
        }

    async def run(self) -> None:
        """Handle events until cancelled."""
        async for events in self._engine.events(lambda: self._demands.batch_size):
            for kind, group in itertools.groupby(events, type):
                with isolated("engine_event", kind=kind.__name__):
                    self._handlers[kind](list(group))

    def _take_nacks(self, nacks: list[Nack]) -> None:
        _log_nacks(nacks)
        self._journal.record_nacks(nacks)

    def _take_limits(self, limits: list[Limited]) -> None:
        _log_limits(limits)
        self._journal.record_limits(limits)


def _log_nacks(nacks: list[Nack]) -> None:
    for nack in nacks:
        log.warning(
            "nack",
            node=nack.node_id,
            peer=nack.peer,
            type=nack.type_url.rpartition(".")[2],
            resources=nack.resources,
            refused=nack.refused,
            version=nack.version,
            message=nack.message,
            suppressed=nack.suppressed,
        )


def _log_handshakes(failed: list[HandshakeFailed]) -> None:
    for failure in failed:
        log.warning(
            "handshake_failed",
            peer=failure.peer,
            reason=failure.reason,
            message=failure.message,
            suppressed=failure.suppressed,
        )


def _log_limits(limits: list[Limited]) -> None:
    for limit in limits:
        effect = "delayed" if limit.delayed else "refused"
        log.warning("limit_reached", limit=limit.limit, effect=effect, count=limit.count, peer=limit.peer)


def _log_panics(panics: list[Panicked]) -> None:
    for panic in panics:
        log.error("engine_fault", message=panic.message, location=panic.location, peer=panic.peer)
