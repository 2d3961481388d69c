"""Status of routes and policies, and Events about objects: evaluation, and what to write to the API server."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Sized
from functools import partial

import structlog

import steerway
from steerway.catalog.federation import Federation
from steerway.config import Settings
from steerway.control.engine_events import EngineEvents
from steerway.control.local_cluster import LocalCluster
from steerway.explain import limitation
from steerway.inventory.inventory import Inventory
from steerway.journal.journal import Journal
from steerway.report import lease
from steerway.report.events import AboutObject
from steerway.report.reporter import Reporter, ReporterOptions, Writer
from steerway.report.status_entry import Covers, Subject
from steerway.report.status_writer import subjects
from steerway.runtime.isolation import isolated
from steerway.sources.objects.core import ObjectKey
from steerway.status.evaluation import StatusEvaluator
from steerway.status.reference_resolver import ReferenceResolver

log = structlog.get_logger()

_EVALUATE_SECONDS = 1.0
"""How often changed routes and policies are looked for."""
_EVALUATED_AT_ONCE = 50
"""Routes and policies; some milliseconds of work."""


def make_resolver(cluster: LocalCluster, federation: Federation) -> ReferenceResolver:
    """The resolver of references from routes and policies of the local cluster."""
    catalog = cluster.catalog
    return ReferenceResolver(
        cluster.store.get,
        catalog.attachments,
        catalog.service,
        federation.service,
        limitation.stated,
        cluster.absence,
        partial(catalog.outside, cluster.store.get),
    )


async def evaluate(evaluator: StatusEvaluator, changing: asyncio.Lock) -> None:
    """Evaluate routes and policies that changed, or whose targets changed, a few at a time, until cancelled."""
    while True:
        async with changing:
            with isolated("status"):
                for problem in evaluator.evaluate(_EVALUATED_AT_ONCE):
                    log.info("not_accepted", where=problem.where, reason=problem.reason, hint=problem.hint)
        await asyncio.sleep(0 if evaluator.unfinished else _EVALUATE_SECONDS)


def report_start(
    journal: Journal, inventory: Inventory, federation: Federation, local: LocalCluster, problems: Sized
) -> None:
    """Note in the log, the journal and the inventory that clients are served from now on, with these problems.
    Filters that match no Service are logged."""
    inventory.start()
    services, count = len(local.catalog), len(problems)
    log.info("serving", services=services, problems=count)
    version = steerway.__version__
    numbers = f"{services} service{_s(services)}, with {count} problem{_s(count)}"
    journal.record_start(f"steerway {version} serves {numbers}")
    for problem in federation.unmatched():
        log.warning("filter_matches_nothing", where=problem.where, reason=problem.reason, hint=problem.hint)


def _s(count: int) -> str:
    return "" if count == 1 else "s"


class LocalReport:
    """What is to be written about objects that came from the local API server, which is in `cluster`.

    `covers`: whether an object is in the scope of this installation.
    """

    def __init__(self, cluster: LocalCluster, evaluator: StatusEvaluator, covers: Covers) -> None:
        self.cluster = cluster
        self._evaluator = evaluator
        self.covers = covers

    def problems(self) -> Iterable[AboutObject]:
        """For Events."""
        store, api_server = self.cluster.store, self.cluster.api_server
        for problem in store.problems_of(api_server):
            # A Service outside the scope is reported by the installation that serves it.
            if problem.about is None or problem.about.kind != "Service" or self.covers(problem.about):
                yield problem
        for unserved in self.cluster.catalog.problems():
            if unserved.about is not None and store.source_of(unserved.about) == api_server:
                yield unserved

    def subjects(self) -> Mapping[ObjectKey, Subject]:
        """The status of routes and policies."""
        store, api_server = self.cluster.store, self.cluster.api_server
        own = {
            key: object_status
            for key, object_status in self._evaluator.object_statuses.items()
            if store.source_of(key) == api_server
        }
        return subjects(own, store.problems_of(api_server))


def reporters(
    settings: Settings, report: LocalReport, writers: Sequence[Writer], events: EngineEvents
) -> list[Reporter]:
    """The writer of Events and statuses, with other `writers`; none without an API server, or with all turned off.
    `events`: of the engine, whose NACKs are written, too."""
    kubernetes = settings.kubernetes
    problems = report.problems if kubernetes.events else None
    statuses = report.subjects if kubernetes.status and kubernetes.policies else None
    if not kubernetes.enabled or (problems is None and statuses is None and not writers):
        return []
    options = ReporterOptions(
        kubernetes.kubeconfig, kubernetes.context, kubernetes.lease_namespace, lease_name(settings)
    )
    refusals = events.gather_refusals(report.cluster, settings.cluster_domain) if kubernetes.events else None
    return [Reporter(options, problems, statuses, report.covers, writers, refusals)]


def lease_name(settings: Settings) -> str:
    """The name that is set, or one derived from the scope: replicas of one installation share it."""
    filters = {
        "upstream_services": sorted(settings.upstream_services),
        "service_selector": settings.service_selector,
        "namespace_selector": settings.namespace_selector,
        "kubernetes.namespaces": sorted({*settings.kubernetes.namespaces} - {"all"}),
    }
    scope = {setting: value for setting, value in filters.items() if value}
    return settings.kubernetes.lease_name or lease.name_of(scope)
