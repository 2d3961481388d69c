"""Dispatch of the engine's events."""

import asyncio
import itertools
import re
import time
from collections.abc import Callable
from typing import Any

import structlog

from steerway.admin.api.type_name import short_name
from steerway.admin.grpc.call_service import CallService
from steerway.catalog.model.identity import ServiceId
from steerway.control.admission import StreamAdmission
from steerway.control.demand import Demands
from steerway.control.local_cluster import LocalCluster
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
from steerway.explain.subscribed_name import find_target
from steerway.inventory.client_index import ClientIndex
from steerway.journal.journal import Journal
from steerway.report.refusals import NackView, Refusals
from steerway.runtime.isolation import isolated
from steerway.runtime.replica import replica_name
from steerway.sources.objects.core import ObjectKey
from steerway.translate.client.audience import decode
from steerway.translate.xds import type_url

log = structlog.get_logger()

_MOST_AT_ONCE = 100
"""Events of one type, before the event loop runs others: a fleet that reconnects opens tens of thousands of streams."""

_CAUSES = frozenset({"Service", "GRPCRoute", "HTTPRoute", "BackendTLSPolicy", "TrafficPolicy"})
"""Objects whose owners look for Events. EndpointSlices are written by controllers."""


class RefusedObjects:
    """The objects of the local API server that a NACK is about: those of the refused change that concern the services
    of the refused names, else these services. Only the names that the client's error text contains, if it contains
    any: a response has all clusters of a client."""

    def __init__(self, cluster: LocalCluster, clients: ClientIndex, journal: Journal, domain: str) -> None:
        self._cluster = cluster
        self._clients = clients
        self._journal = journal
        self._domain = domain

    def client(self, stream: int) -> str:
        """The library and version of the client of a stream, which may have ended since."""
        known = self._clients.stream(stream)
        return "a client" if known is None else str(known.client)

    def objects(self, nack: NackView) -> frozenset[ObjectKey]:
        """See the class."""
        services = self._services(nack)
        if services is None:
            return frozenset()
        store, api_server = self._cluster.store, self._cluster.api_server
        changed = {
            key
            for key in self._journal.objects(nack.change)
            if key.kind in _CAUSES and services & {*self._cluster.catalog.owners(store.get, key)}
        }
        about = changed or {ObjectKey("Service", *service) for service in services}
        return frozenset(key for key in about if store.source_of(key) == api_server)

    def _services(self, nack: NackView) -> set[ServiceId] | None:
        """Those of the refused names; None where it is not known which of several names are meant."""
        known = self._clients.stream(nack.stream)
        namespace = "" if known is None else decode(known.audience).namespace
        names = list(nack.resources)
        named = [name for name in names if _mentions(nack.message, name)]
        if not named and len(names) > 1 and not nack.change:
            return None
        targets = (
            find_target(
                nack.type_url, name, namespace if nack.type_url == type_url.LISTENER else "", self._domain
            )
            for name in named or names
        )
        return {target.service for target in targets if target is not None}


def _mentions(text: str, name: str) -> bool:
    """Whether a text contains a name as a whole: `a.b:1` is in `cluster a.b:1: error`, and not in `x-a.b:10`."""
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None


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
        self._clients = admission.clients
        self._refusals: Refusals | None = None
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

    def gather_refusals(self, cluster: LocalCluster, domain: str) -> Refusals:
        """Gather NACKs about objects of the local API server from here on, to write them as Events of Kubernetes.
        `domain`: that of the cluster."""
        refused = RefusedObjects(cluster, self._clients, self._journal, domain)
        self._refusals = Refusals(refused.objects, refused.client, short_name, replica_name())
        return self._refusals

    async def run(self) -> None:
        """Handle events until cancelled."""
        async for events in self._engine.events(lambda: self._demands.batch_size):
            for kind, group in itertools.groupby(events, type):
                # Of demands the batch is limited already; smaller ones would be more publications.
                size = len(events) if kind is Demand else _MOST_AT_ONCE
                while some := list(itertools.islice(group, size)):
                    with isolated("engine_event", kind=kind.__name__):
                        self._handlers[kind](some)
                    if len(some) == _MOST_AT_ONCE:
                        await asyncio.sleep(0)

    def _take_nacks(self, nacks: list[Nack]) -> None:
        _log_nacks(nacks)
        self._journal.record_nacks(nacks)
        if self._refusals is not None:
            self._refusals.take(nacks, time.monotonic())

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
