"""The engine's counters as Prometheus metrics, read at a scrape: the hot path has only atomics.

Types are labelled by the name of their message (`ClusterLoadAssignment`), as in logs.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from steerway.engine.engine import Engine, Stats


class StatsCollector(Collector):
    """Register it once per engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """The metrics of one scrape."""
        stats = self._engine.stats()
        yield GaugeMetricFamily("steerway_connections", "Open client connections.", stats.connections)
        yield _gauges("steerway_streams", "Open discovery streams.", "protocol", stats.streams)
        yield _gauges(
            "steerway_subscriptions",
            "Subscribed names, over all streams.",
            "type",
            _named(stats.subscriptions),
        )
        yield _gauges(
            "steerway_absent_subscriptions",
            "Subscribed names without a resource, over all streams.",
            "type",
            _named(self._engine.absences().counts),
        )
        text = "Streams whose client refused the last response of a type."
        yield _gauges("steerway_refused_streams", text, "type", _named(stats.refused_now))
        text = "Age of the oldest response that its client has not answered; 0: all are answered."
        yield GaugeMetricFamily("steerway_oldest_unacked_seconds", text, stats.oldest_unacked_seconds or 0.0)
        yield _gauges("steerway_resources", "Resources in the store.", "type", _named(stats.resources))
        yield from _totals(stats)
        yield CounterMetricFamily("steerway_sent_bytes", "Bytes of all responses.", stats.bytes_sent)
        text = "Streams that ended by a panic of the engine."
        yield CounterMetricFamily("steerway_panics", text, stats.panics)
        yield CounterMetricFamily("steerway_commits", "Batches published to the store.", stats.commits)
        yield CounterMetricFamily(
            "steerway_denied", "Resources withheld because the client may not see them.", stats.denied
        )
        yield _latency(stats)
        yield _change_latency(stats)


def _totals(stats: Stats) -> Iterator[Metric]:
    per_type = (
        ("steerway_requests", "Requests from clients.", stats.requests),
        ("steerway_responses", "Responses to clients.", stats.responses),
        ("steerway_resources_sent", "Resources in all responses.", stats.resources_sent),
        ("steerway_acks", "Responses that a client accepted.", stats.acks),
        ("steerway_nacks", "Responses that a client refused.", stats.nacks),
        ("steerway_stale_requests", "Requests ignored for an old nonce.", stats.stale),
    )
    for name, text, values in per_type:
        yield _counters(name, text, "type", _named(values))
    text = "Streams that the server ended for a bad request or a missing permission."
    yield _counters("steerway_streams_rejected", text, "status", stats.rejected)
    text = "Failed handshakes, by reason."
    yield _counters("steerway_handshake_failures", text, "reason", stats.handshake_failures)
    yield _counters("steerway_refused", "Clients refused, by limit.", "limit", stats.refused)
    yield _counters("steerway_delayed", "Clients delayed, by limit.", "limit", stats.delayed)


def _latency(stats: Stats) -> Metric:
    return HistogramMetricFamily(
        "steerway_ack_latency_seconds",
        "Time from a response to its ACK.",
        buckets=_buckets(stats.ack_latency_bounds, stats.ack_latency_counts),
        sum_value=stats.ack_latency_sum,
    )


def _change_latency(stats: Stats) -> Metric:
    family = HistogramMetricFamily(
        "steerway_change_latency_seconds",
        "Duration of each step of a change from the cluster to a client that had the resource.",
        labels=["step"],
    )
    for step, counts, total in stats.change_latency:
        family.add_metric([step], _buckets(stats.change_latency_bounds, counts), total)
    return family


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Cumulative counts per bucket; `counts` has one element more than `bounds`."""
    return list(zip([*map(str, bounds), "+Inf"], itertools.accumulate(counts), strict=True))


def _named(by_url: Mapping[str, int]) -> dict[str, int]:
    return {url.rpartition(".")[2]: value for url, value in by_url.items()}


def _gauges(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family
