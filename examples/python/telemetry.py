"""Metrics of gRPC (gRFC A66) and spans of calls, exported by OpenTelemetry.

OTEL_METRICS_EXPORTER and OTEL_TRACES_EXPORTER select the exporters: otlp, console or none. Unset is none.
OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry configure them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from grpc_observability import OpenTelemetryPlugin
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import client_interceptor, intercept_channel, server_interceptor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

_METRICS = {"otlp": OTLPMetricExporter, "console": ConsoleMetricExporter}
_TRACES = {"otlp": OTLPSpanExporter, "console": ConsoleSpanExporter}


@contextmanager
def metrics() -> Iterator[None]:
    """Record metrics of every channel and server made inside; export the rest at the end."""
    exporter = _exporter("OTEL_METRICS_EXPORTER", _METRICS)
    if exporter is None:
        yield
        return
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)])
    plugin = OpenTelemetryPlugin(meter_provider=provider)
    plugin.register_global()
    try:
        yield
    finally:
        plugin.deregister_global()
        provider.shutdown()


@contextmanager
def tracer_provider() -> Iterator[TracerProvider | None]:
    """The provider for the interceptors below, None when spans are not exported."""
    exporter = _exporter("OTEL_TRACES_EXPORTER", _TRACES)
    if exporter is None:
        yield None
        return
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider
    finally:
        provider.shutdown()


def traced(channel: grpc.Channel, provider: TracerProvider | None) -> grpc.Channel:
    """The channel, with a span for each call."""
    if provider is None:
        return channel
    return intercept_channel(channel, client_interceptor(provider))


def server_interceptors(provider: TracerProvider | None) -> list[grpc.ServerInterceptor]:
    """What makes a span for each call of a server."""
    return [] if provider is None else [server_interceptor(provider)]


def _exporter(variable, exporters):
    name = os.environ.get(variable) or "none"
    if name == "none":
        return None
    if name not in exporters:
        raise SystemExit(f"{variable} is {name}: use {', '.join(exporters)} or none")
    return exporters[name]()
