"""`/metrics`: the Prometheus exposition of all metrics, in the format that the scraper accepts."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from steerway.telemetry import REGISTRY


class Exposition:
    """The product's registry, those of the stages, and the process's own memory, CPU and open files."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._collectors = (
            REGISTRY,
            *collectors,
            ProcessCollector(registry=None),
            PlatformCollector(registry=CollectorRegistry()),
        )

    def collect(self) -> Iterable[Metric]:
        """All metrics, read now."""
        for collector in self._collectors:
            yield from collector.collect()

    def encode(self, accept: str) -> tuple[bytes, str]:
        """The body and its content type; OpenMetrics for scrapers that accept it."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self), content_type
