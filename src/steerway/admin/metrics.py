"""`/metrics`: the Prometheus exposition of all metrics, in the format that the scraper accepts."""

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

import steerway
from steerway import telemetry
from steerway.journal.entry import Example

CHANGES = "steerway_change_latency_seconds"
"""The histogram with exemplars: the time that a change takes to the clients, by step."""


class Exposition:
    """The product's registry, those of the stages, and the process's own memory, CPU and open files.

    `examples` returns changes, newest first: exemplars of their histogram.
    """

    def __init__(
        self, collectors: Sequence[Collector], examples: Callable[[], Sequence[Example]] = lambda: ()
    ) -> None:
        self._examples = examples
        telemetry.BUILD.labels(steerway.__version__, platform.python_version(), platform.machine()).set(1)
        self._collectors = (
            telemetry.REGISTRY,
            *collectors,
            ProcessCollector(registry=None),
            PlatformCollector(registry=CollectorRegistry()),
        )

    def collect(self) -> Iterable[Metric]:
        """All metrics, read now."""
        for collector in self._collectors:
            for metric in collector.collect():
                if metric.name == CHANGES:
                    add_exemplars(metric, self._examples())
                yield metric

    def encode(self, accept: str) -> tuple[bytes, str]:
        """The body and its content type; OpenMetrics, which has exemplars, for scrapers that accept it."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self), content_type


def add_exemplars(metric: Metric, examples: Iterable[Example]) -> None:
    """Give each bucket of a histogram by `step` the first example that was observed in it."""
    buckets: dict[str, list[tuple[float, int]]] = {}
    for index, sample in enumerate(metric.samples):
        if "le" in sample.labels:
            buckets.setdefault(sample.labels["step"], []).append((float(sample.labels["le"]), index))
    for example in examples:
        for step, seconds in example.seconds.items():
            bounds = buckets.get(step, [])
            # A bucket counts what is at most its bound.
            position = bisect_left(bounds, (seconds, -1))
            if position == len(bounds):
                continue
            index = bounds[position][1]
            sample = metric.samples[index]
            if sample.value and sample.exemplar is None:
                exemplar = Exemplar(dict(example.labels), seconds, example.time)
                metric.samples[index] = sample._replace(exemplar=exemplar)
