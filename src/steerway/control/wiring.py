"""Construction of stages from settings."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from steerway.admin.api.type_name import short_name
from steerway.catalog.catalog import Catalog
from steerway.catalog.federation import Federation
from steerway.catalog.locality.pod_index import PodIndex
from steerway.catalog.model.mesh import Service
from steerway.catalog.model.security import TlsMode
from steerway.catalog.security.precedence import ServerDefaults
from steerway.catalog.service.scope import Followed, Selection
from steerway.config import Settings
from steerway.engine.engine import Engine, EngineOptions
from steerway.journal.journal import Journal
from steerway.journal.row import Rows
from steerway.journal.trace_id import TraceIds
from steerway.journal.tracing import Tracing, set_up
from steerway.runtime.isolation import or_else
from steerway.runtime.replica import replica_name
from steerway.sources.committed import Committed
from steerway.sources.debounce import Debouncer
from steerway.sources.store import ObjectStore
from steerway.sources.window import Delay, Window
from steerway.translate.client import metadata
from steerway.translate.destination import Find
from steerway.translate.dialect.base import Configuration, unrestricted
from steerway.translate.dialect.envoy import Addresses
from steerway.translate.resource_name import LeftOut
from steerway.translate.translator import Translator


def make_catalog(
    settings: Settings,
    followed: Followed = lambda: None,
    remote: bool = False,
    pods: PodIndex | None = None,
) -> Catalog:
    """`followed`: the namespaces whose Services are known, None: all. `pods`: those of the cluster."""
    only = frozenset(settings.upstream_services)
    selection = Selection(only, settings.service_selector, settings.namespace_selector, followed)
    return Catalog(
        selection,
        nodes_known=settings.topology == "node",
        named_elsewhere=remote,
        server_defaults=server_defaults(settings),
        pods=pods,
    )


def server_defaults(settings: Settings) -> ServerDefaults:
    """What xDS servers without a policy get."""
    servers = settings.xds_servers
    return ServerDefaults(
        settings.identity.trust_domain,
        TlsMode[servers.tls_mode.upper()],
        servers.authorization == "deny",
        servers.unsupported == "serve",
    )


def make_debouncer(
    settings: Settings, catalog: Catalog, store: ObjectStore, committed: Committed
) -> Debouncer:
    """The debouncer of one cluster; `catalog` links its objects to commit groups."""
    debounce = settings.debounce
    window = Window(
        or_else("window", partial(catalog.owners, store.get), lambda key: (key,)),
        or_else("window", partial(catalog.references, store.get), lambda _: ()),
        or_else("window", partial(catalog.keeps_endpoints, committed.get, store.get), lambda _: True),
        endpoints=Delay(debounce.endpoint_quiet_seconds, debounce.endpoint_max_seconds),
        others=Delay(debounce.quiet_seconds, debounce.max_seconds),
    )
    return Debouncer(window, committed, partial=lambda: store.partial)


def make_translator(
    settings: Settings,
    federation: Federation,
    configuration: Configuration = unrestricted,
    *,
    scope_all: bool,
) -> Translator:
    """`configuration`: of xDS servers. `scope_all`: authorization rules restrict subscriptions, so that every resource
    has a scope."""
    return translator_of(
        settings,
        federation.service,
        lambda: federation,
        federation.left_out,
        configuration,
        scope_all=scope_all,
    )


def translator_of(
    settings: Settings,
    find: Find,
    services: Callable[[], Iterable[Service]],
    left_out: LeftOut,
    configuration: Configuration = unrestricted,
    *,
    scope_all: bool = False,
) -> Translator:
    """Of services by identity, of all in the scope, of what leaves a service out, and of xDS servers."""
    return Translator(
        find,
        cluster_domain=settings.cluster_domain,
        scope_all=scope_all,
        load_reporting=settings.load_reporting.enabled,
        buckets=settings.subset_buckets,
        services=services,
        listen=Addresses(settings.envoy.listen, settings.envoy.gateway_listen),
        left_out=left_out,
        configuration=configuration,
        system_ca_file=settings.envoy.system_ca_file,
    )


def make_engine(settings: Settings) -> Engine:
    """Raises EngineError for an option that is out of range."""
    tls = settings.tls.certificate is not None
    return Engine(EngineOptions.from_settings(settings, tls=tls, node_metadata=metadata.KEYS))


def make_journal(settings: Settings, engine: Engine) -> tuple[Journal, Sequence[Tracing]]:
    """The journal of this replica, and the export of its traces; none without `tracing.enabled`. SettingsError: its
    packages are not installed."""
    rows = Rows(replica_name(), short_name)
    if not settings.tracing.enabled:
        return Journal(settings.journal.max_entries, rows, engine.propagations), ()
    ids = TraceIds(settings.tracing.sample_ratio)
    journal = Journal(settings.journal.max_entries, rows, engine.propagations, trace_id=ids.of)
    return journal, (Tracing(journal, ids, set_up(settings.tracing.endpoint, replica_name())),)
