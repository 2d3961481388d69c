"""Every metric, declared once. Native engine counters are read from it at scrape time (`engine/stats.py`).

Names end with their unit; counters end in `_total` (the Prometheus client adds it).
"""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
"""The product's own registry: nothing is registered by import side effects of other libraries."""

BUILD = Gauge(
    "steerway_build_info",
    "1, with the versions of steerway and Python, and the architecture of the machine.",
    ["version", "python", "architecture"],
    registry=REGISTRY,
)
INFORMER_EVENTS = Counter(
    "steerway_informer_events",
    "Objects that a source added, changed or deleted.",
    ["source", "kind", "event"],  # source: kubernetes, files; event: put, delete
    registry=REGISTRY,
)
INFORMER_RELISTS = Counter(
    "steerway_informer_relists",
    "Full lists taken from the API server, by what made them necessary.",
    ["kind", "reason"],  # reason: start, expired, error, silent, went_back
    registry=REGISTRY,
)
INFORMER_SYNCED = Gauge(
    "steerway_source_synced",
    "1 once the source has given its first full state.",
    ["source"],
    registry=REGISTRY,
)
INFORMER_LAST_CONTACT = Gauge(
    "steerway_informer_last_contact_timestamp_seconds",
    "When the API server last answered or sent an event or bookmark.",
    ["kind"],
    registry=REGISTRY,
)
INFORMER_SILENT = Gauge(
    "steerway_informer_silent_seconds",
    "Time since the API server last answered or sent an event or bookmark; the longest of all namespaces.",
    ["kind"],
    registry=REGISTRY,
)
FILES_RESTORED_AGE = Gauge(
    "steerway_files_restored_age_seconds",
    "Age of the oldest objects that are served from the state directory; 0 when none are.",
    registry=REGISTRY,
)
CLUSTER_IN_USE = Gauge(
    "steerway_cluster_in_use",
    "1 while the endpoints of a remote cluster are used; 0 before all are known and after it was dropped.",
    ["cluster"],
    registry=REGISTRY,
)
LEASE_HELD = Gauge(
    "steerway_lease_held", "1 while this replica is the one that writes to Kubernetes.", registry=REGISTRY
)
EVENTS = Counter(
    "steerway_events_written",
    "Events about objects that are not served, and about refused changes, by what became of them.",
    ["result"],  # created, counted, object_gone, dropped, failed
    registry=REGISTRY,
)
STATUSES = Counter(
    "steerway_statuses_written",
    "Statuses of routes and policies, by what became of them.",
    ["result"],  # written, unchanged, object_gone, superseded, failed
    registry=REGISTRY,
)
CLIENT_STREAMS = Gauge(
    "steerway_client_streams",
    "Open streams by library and version of the client.",
    [
        "library",
        "version",
    ],  # library: core, go, java, node, envoy, unknown; version: unknown, other beyond 100
    registry=REGISTRY,
)
TASKS = Gauge("steerway_asyncio_tasks", "Tasks of the event loop, running or waiting.", registry=REGISTRY)
PROBLEMS = Gauge("steerway_problems", "Objects and documents that are skipped now.", registry=REGISTRY)
SERVICES = Gauge("steerway_services", "Services that clients can subscribe to.", registry=REGISTRY)
CONFIG_AGE = Gauge(
    "steerway_config_age_seconds",
    "Time since a change of an object was published, or all objects at the start; 0 before.",
    registry=REGISTRY,
)
INTERNAL_ERRORS = Counter(
    "steerway_internal_errors",
    "Unexpected errors that were kept to the part of the input that caused them. Above 0: report a defect.",
    ["part"],  # each of runtime.isolation.Part
    registry=REGISTRY,
)
LOG_LINES_SUPPRESSED = Counter(
    "steerway_log_lines_suppressed",
    "Log lines that the limits of lines left out, by event.",
    ["event"],  # each of log_limit.CLIENT_EVENTS; library: those of other libraries' loggers
    registry=REGISTRY,
)
TRANSLATE_SECONDS = Histogram(
    "steerway_translate_seconds",
    "Time to turn one batch of changes or demands into resources.",
    ["trigger"],  # change, demand
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
    registry=REGISTRY,
)
for _trigger in ("change", "demand"):
    TRANSLATE_SECONDS.labels(_trigger)  # from the first scrape on, so that rates count the first batch
DEBOUNCE_SECONDS = Histogram(
    "steerway_debounce_seconds",
    "Time from the first change of a batch to its translation.",
    buckets=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
    registry=REGISTRY,
)
DEBOUNCED_CHANGES = Histogram(
    "steerway_debounced_changes",
    "Object changes that were merged into one batch.",
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 10000),
    registry=REGISTRY,
)
HTTP_CONNECTIONS = Gauge(
    "steerway_http_connections",
    "Open connections of an HTTP listener.",
    ["server"],  # admin, rest, injection
    registry=REGISTRY,
)
HTTP_REFUSED = Counter(
    "steerway_http_refused",
    "Connections closed and requests refused by a limit of an HTTP listener.",
    ["server", "limit"],
    # limit: connections, open_files, requests, request_timeout, response_timeout, body_bytes, host, tls_handshake
    registry=REGISTRY,
)
INJECTIONS = Counter(
    "steerway_injections",
    "Pods that the injection webhook was asked about.",
    [
        "result"
    ],  # injected, unchanged, not_injected, failed (internal error), invalid (not the creation of a pod)
    registry=REGISTRY,
)
INJECTION_SECONDS = Histogram(
    "steerway_injection_seconds",
    "Time to decode and answer a request of the injection webhook.",
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1),
    registry=REGISTRY,
)
AUTHENTICATIONS = Counter(
    "steerway_authentications",
    "Streams by authentication method.",
    ["method", "outcome"],  # method: certificate, service_account, pod_address, token, unix_socket, none
    # outcome: accepted, refused, unavailable, denied (authenticated, but its claim is not permitted)
    registry=REGISTRY,
)
TOKEN_REVIEW_SECONDS = Histogram(
    "steerway_token_review_seconds",
    "Time of a TokenReview at the API server, waiting for a turn included.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
    registry=REGISTRY,
)
CERTIFICATE_EXPIRY = Gauge(
    "steerway_certificate_expiry_timestamp_seconds",
    "When a certificate of a server expires.",
    ["file"],  # the Secret of the injection webhook: Secret NAMESPACE/NAME
    registry=REGISTRY,
)
SIGNER_REQUESTS = Counter(
    "steerway_signer_requests",
    "Decisions about PodCertificateRequests; one that stays pending is decided again.",
    ["result"],  # issued, denied, pending, failed
    registry=REGISTRY,
)
SIGNER_PENDING = Gauge(
    "steerway_signer_pending_requests",
    "PodCertificateRequests without a certificate and without a denial.",
    registry=REGISTRY,
)
SIGNER_LATENCY = Histogram(
    "steerway_signer_latency_seconds",
    "Time from the arrival of a PodCertificateRequest to its certificate.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
SIGNER_CA_EXPIRY = Gauge(
    "steerway_signer_ca_expiry_timestamp_seconds",
    "When the CA of workload certificates expires: the first of its certificates.",
    registry=REGISTRY,
)


def follow_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Set `TASKS` to the number of tasks of a loop, at each scrape."""
    TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
