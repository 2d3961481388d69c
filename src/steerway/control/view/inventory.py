"""Construction of the inventory: rows of services and clients for operators."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from steerway.catalog.federation import Federation
from steerway.catalog.model.mesh import Service
from steerway.config import Settings
from steerway.control.classifier import Classifier
from steerway.control.local_cluster import LocalCluster
from steerway.control.source import default_namespace
from steerway.engine.engine import Engine
from steerway.explain import Explainer, access
from steerway.explain.subscriber import Subscribers
from steerway.explain.target import Targets
from steerway.inventory.client_index import ClientIndex
from steerway.inventory.inventory import Inventory
from steerway.inventory.problem import ProblemView
from steerway.inventory.service_detail import ServiceDetails
from steerway.inventory.service_table import ServiceTable
from steerway.journal.journal import Journal
from steerway.translate.translator import Translator


def make_inventory(
    settings: Settings,
    local: LocalCluster,
    federation: Federation,
    engine: Engine,
    clients: ClientIndex,
    problems: Callable[[], Iterable[ProblemView]],
    classifier: Classifier,
) -> Inventory:
    """Follows the services of all clusters from here on."""
    slices = partial(local.catalog.endpoint_slices, local.store.get)
    table = ServiceTable(federation.peek, slices)
    local.catalog.listen(table.touch)
    federation.listen(table.change)
    domain = settings.cluster_domain
    return Inventory(
        engine,
        clients,
        table,
        problems,
        classifier.pod,
        lambda: Subscribers(federation.peek, domain, federation.ids(), local.server_configuration),
        domain,
    )


def make_details(
    settings: Settings,
    local: LocalCluster,
    federation: Federation,
    engine: Engine,
    inventory: Inventory,
    journal: Journal,
    classifier: Classifier,
) -> ServiceDetails:
    """Details of single services, for threads."""
    return ServiceDetails(
        inventory,
        federation.peek,
        partial(local.catalog.endpoint_slices, local.store.get),
        classifier.pod_at,
        engine.loads,
        journal.rows,
        settings.cluster_domain,
    )


def make_targets(
    settings: Settings,
    local: LocalCluster,
    federation: Federation,
    translator: Translator,
    classifier: Classifier,
) -> Targets:
    """Endpoints of targets, for threads: services are looked up without keeping them."""

    def known() -> Iterator[Service]:
        services = map(federation.peek, federation.ids())
        return (service for service in services if service is not None)

    explainer = Explainer(
        find=federation.peek,
        known=known,
        metadata=partial(local.catalog.metadata, local.store.get),
        preview=translator.preview_in_threads(federation.peek, known),
        topology=settings.topology,
        domain=settings.cluster_domain,
        namespace=default_namespace(settings),
        buckets=settings.subset_buckets,
        access=access.of_catalog(local.catalog, local.store.get),
        left_out=federation.left_out,
    )
    return Targets(explainer, partial(local.catalog.endpoint_slices, local.store.get), classifier.pod_at)
