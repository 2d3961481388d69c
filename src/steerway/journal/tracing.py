"""Traces of changes by the SDK of OpenTelemetry, exported over OTLP/HTTP.

The times of a change are those of its entry in the journal, so its spans are made at its end: when no client is pending
any more, or after `MAX_SECONDS`. The paths of changes and clients do not know of traces.
"""

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import steerway
from steerway.errors import SettingsError
from steerway.journal import span
from steerway.journal.entry import Entry
from steerway.journal.journal import Journal
from steerway.journal.trace_id import TraceIds
from steerway.runtime.daemon_thread import in_daemon_thread
from steerway.runtime.isolation import isolated

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class NextTrace:
    """An IdGenerator of the SDK: the next trace has the id of its change."""

    trace_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return secrets.randbelow((1 << 64) - 1) + 1

    def is_trace_id_random(self) -> bool:
        return True


class Sdk(NamedTuple):
    """The SDK of OpenTelemetry, set up."""

    provider: "TracerProvider"
    next_trace: NextTrace


LOOK_SECONDS = 1.0
"""Period of reads of the journal."""
MAX_SECONDS = 60.0
"""The trace of a change ends after this time, whatever its clients do."""
_FLUSH_SECONDS = 3.0
"""For the last traces at the end of the process."""
_NANOSECONDS = 1_000_000_000


class Tracing:
    """Exports the changes of a journal."""

    name = "traces"

    def __init__(self, journal: Journal, ids: TraceIds, sdk: Sdk) -> None:
        self._journal = journal
        self._ids = ids
        self._sdk = sdk
        self._cursor = 0
        self._open: dict[int, Entry] = {}

    async def run(self) -> None:
        """Export until cancelled, then what is left."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                with isolated("trace"):
                    await asyncio.to_thread(self.look)
        finally:
            with isolated("trace"):
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await in_daemon_thread(self._finish, "traces")

    def look(self, longest_seconds: float = MAX_SECONDS) -> None:
        """Pass changes that have ended to the SDK, and those that are older than `longest_seconds`."""
        for entry in self._journal.entries(self._cursor):
            self._cursor = max(self._cursor, entry.revision)
            if entry.kind == "change" and not entry.traced:
                self._open[entry.id] = entry
        for entry in list(self._open.values()):
            if entry.settled or self._journal.age_seconds(entry) >= longest_seconds:
                del self._open[entry.id]
                entry.traced = True
                if (id_ := self._ids.of(entry.id)) is not None:
                    self._export(entry, id_)

    def _finish(self) -> None:
        self.look(longest_seconds=0.0)
        self._sdk.provider.shutdown()

    def _export(self, entry: Entry, id_: int) -> None:
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        self._sdk.next_trace.trace_id = id_
        tracer = self._sdk.provider.get_tracer("steerway", steerway.__version__)
        whole = span.whole(entry)
        root = tracer.start_span(whole.name, start_time=_ns(whole.start), attributes=span.attributes(entry))
        for refusal in entry.refusals:
            about = {"node": refusal.node, "type": refusal.type_url, "message": refusal.message}
            root.add_event("nack", about, _ns(refusal.time))
        if entry.clients.nacked or entry.refusals:
            root.set_status(Status(StatusCode.ERROR, "clients refused the change"))
        context = set_span_in_context(root)
        for step in span.steps(entry):
            tracer.start_span(step.name, context, start_time=_ns(step.start)).end(_ns(step.end))
        root.end(_ns(whole.end))


def set_up(endpoint: str | None, replica: str) -> Sdk:
    """The SDK with an exporter to `endpoint`; None: by the environment variables of OpenTelemetry. SettingsError: its
    packages are not installed."""
    try:
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    except ImportError as error:
        reason = f"tracing.enabled needs the packages of OpenTelemetry ({error})"
        raise SettingsError(f"{reason}: install steerway[otel], or set it to false") from None

    resource = Resource.create(
        {
            "service.name": "steerway",
            "service.version": steerway.__version__,
            "service.instance.id": replica,
        }
    )
    next_trace = NextTrace()
    # The sample was taken by the id of the change: exemplars of metrics name only traces that exist.
    provider = TracerProvider(
        ALWAYS_ON, resource, shutdown_on_exit=False, id_generator=cast("Any", next_trace)
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    return Sdk(provider, next_trace)


def _ns(seconds: float) -> int:
    return int(seconds * _NANOSECONDS)
