"""Settings of load reports (LRS)."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from steerway.config.unit import Switch


@dataclass(frozen=True, kw_only=True)
class LoadReportingSettings:
    """Load reports of clients (LRS): number and result of requests per cluster and locality."""

    enabled: Annotated[Switch, Meta(title="Request load reports from gRPC clients")] = False
    """Whether gRPC clients are configured to send [load reports](admin.md#load-reports). Off by default, because each
    client then opens a second stream and sends a message per interval, and traffic does not depend on it. Clients with
    a known leak (grpc-js before 1.13) are excluded. Reports that clients send on their own, such as those of Envoy, are
    always accepted."""

    interval_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=86400,
            title="Time between two load reports of a client",
            description="a number of seconds from 1 to 86400",
            extra={"metavar": "SECONDS"},
        ),
    ] = 10.0
    """Seconds between two load reports of a client. gRPC clients support 1 and more. 10 is about the scrape interval
    of Prometheus."""
