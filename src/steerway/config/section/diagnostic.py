"""Settings of the log, the journal of changes and their traces."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from steerway.config.unit import Switch, whole


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """Format and level of log lines.

    Log lines are written to stderr. stdout carries the bound addresses only.
    """

    log_format: Annotated[Literal["text", "json"], Meta(title="Format of log lines")] = "text"
    """`text` for people, `json` (one object per line) for machines. Text by default, because the first start is usually
    in a terminal."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(title="Lowest level of log lines")
    ] = "info"
    """Lowest level of log lines that are written. `info` writes at most one line per client and per commit."""


@dataclass(frozen=True, kw_only=True)
class JournalSettings:
    """The journal of changes: what this replica published, and what its clients refused.

    The admin server [shows it](admin.md#changes).
    """

    max_entries: Annotated[int, whole(16, 100_000), Meta(title="Entries of the journal of changes")] = 1000
    """Number of entries that the journal keeps; the oldest one is dropped for a new one. A quarter of them is for
    refusals and limits, so that clients do not displace changes. An entry takes 1 to 2 kB for most changes; the memory
    of all is limited to 16 MiB."""


@dataclass(frozen=True, kw_only=True)
class TracingSettings:
    """Traces of changes by OpenTelemetry, exported over OTLP/HTTP.

    A [trace](admin.md#traces) shows how long each step of a change took, from the event in the cluster to the last
    acknowledgement. They need the packages of `steerway[otel]`. The environment variables of OpenTelemetry apply, for
    example `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_RESOURCE_ATTRIBUTES`.
    """

    enabled: Annotated[Switch, Meta(title="Export traces of changes")] = False
    """Whether traces of changes are exported. Off by default, because they need a collector, and packages that nothing
    else needs."""

    endpoint: Annotated[
        Annotated[str, Meta(pattern=r"^https?://[^/\s]+(/\S*)?\Z")] | None,
        Meta(
            title="URL of the collector of traces",
            description="an http:// or https:// URL",
            extra={
                "metavar": "URL",
                "unset": "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else a collector on this host",
            },
        ),
    ] = None
    """URL to which traces are posted, with the path: `http://collector.monitoring:4318/v1/traces`. Without it, the
    variables `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and `OTEL_EXPORTER_OTLP_ENDPOINT` apply, and
    `http://localhost:4318/v1/traces`."""

    sample_ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            title="Share of changes with a trace",
            description="a number from 0 to 1",
            extra={"metavar": "RATIO"},
        ),
    ] = 1.0
    """Share of changes that have a trace, from 0 to 1. A change has up to seven spans, whatever the number of clients,
    so all changes fit for most clusters."""
