"""What the admin server reads: the stages behind an AdminView."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from steerway.admin.view import AdminView, Phase
from steerway.catalog.federation import Federation
from steerway.config import Settings
from steerway.control.admission import StreamAdmission
from steerway.control.classifier import Classifier
from steerway.control.local_cluster import LocalCluster
from steerway.control.remote_cluster import RemoteCluster
from steerway.control.server import http_limits
from steerway.control.source import default_namespace
from steerway.control.view.inventory import make_details, make_inventory, make_targets
from steerway.engine.engine import Engine
from steerway.engine.loads import LoadsCollector
from steerway.engine.stats import StatsCollector
from steerway.explain import Explainer, Question, access
from steerway.explain.subscriber import Subscribers
from steerway.inventory.problem import ProblemView
from steerway.journal.journal import Journal
from steerway.runtime.replica import replica_name
from steerway.sources.kubernetes import InformerStatus
from steerway.translate.protobuf.render import to_json
from steerway.translate.translator import Translator


class Stage(Protocol):
    """A part that skips bad input and reports it."""

    def problems(self) -> Sequence[ProblemView]: ...


def problems_of(stages: Iterable[Stage]) -> Sequence[ProblemView]:
    """The problems of all stages, in the order of the data flow."""
    return [problem for stage in stages for problem in stage.problems()]


def admin_view(
    *,
    settings: Settings,
    phase: Callable[[], Phase],
    problems: Callable[[], Sequence[ProblemView]],
    local: LocalCluster,
    remotes: Sequence[RemoteCluster],
    federation: Federation,
    translator: Translator,
    engine: Engine,
    classifier: Classifier,
    admission: StreamAdmission,
    journal: Journal,
) -> AdminView:
    explainer = _explainer(settings, local, federation, translator)
    inventory = make_inventory(settings, local, federation, engine, admission.clients, problems, classifier)
    return AdminView(
        engine=engine,
        store=local.store,
        phase=phase,
        informers=partial(_informers, local, remotes),
        problems=problems,
        locality=classifier.pod,
        identity=admission.identity,
        render=to_json,
        subscribers=lambda: Subscribers(
            federation.peek, settings.cluster_domain, federation.ids(), local.server_configuration
        ),
        explain=lambda parameters: explainer.explain(Question(**parameters)),
        service_count=lambda: len(federation.ids()),
        inventory=inventory,
        details=make_details(settings, local, federation, engine, inventory, journal, classifier),
        targets=make_targets(settings, local, federation, translator, classifier),
        journal=journal,
        replica=replica_name(),
        max_event_streams=min(
            settings.admin_max_event_streams,
            http_limits(settings, settings.admin_max_connections).connections // 2,
        ),
        collectors=(StatsCollector(engine), LoadsCollector(engine)),
    )


def _informers(local: LocalCluster, remotes: Iterable[RemoteCluster]) -> Sequence[InformerStatus]:
    return [*local.status(), *(status for remote in remotes for status in remote.status())]


def _explainer(
    settings: Settings, local: LocalCluster, federation: Federation, translator: Translator
) -> Explainer:
    return Explainer(
        find=federation.service,
        known=lambda: federation,
        metadata=partial(local.catalog.metadata, local.store.get),
        preview=translator.preview,
        topology=settings.topology,
        domain=settings.cluster_domain,
        namespace=default_namespace(settings),
        buckets=settings.subset_buckets,
        access=access.of_catalog(local.catalog, local.store.get),
        left_out=federation.left_out,
    )
