"""Load reports of clients as Prometheus metrics, read from the engine at a scrape.

Clusters, localities and drop categories are those of the store; all others are `other`.
"""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from steerway.engine.engine import Engine, LocalityLoad


class LoadsCollector(Collector):
    """Register it once per engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """The metrics of one scrape. The assignments of a cluster are summed up."""
        loads = self._engine.loads()
        yield GaugeMetricFamily("steerway_load_reporters", "Clients that report load.", loads.reporters)
        yield CounterMetricFamily("steerway_load_reports", "Load reports of clients.", loads.reports)
        text = "Rows of load reports for clusters that are not in the store."
        yield CounterMetricFamily("steerway_load_ignored_rows", text, loads.ignored)
        issued, ended, running = (
            Counter[tuple[str, str]](),
            Counter[tuple[str, str, str]](),
            Counter[tuple[str, str]](),
        )
        for load in loads.localities:
            target = load.cluster, locality(load)
            issued[target] += load.issued
            ended[*target, "success"] += load.successful
            ended[*target, "error"] += load.errors
            running[target] += load.in_progress
        labels = ["cluster", "locality"]
        requests = CounterMetricFamily(
            "steerway_load_requests", "Finished requests of clients.", labels=[*labels, "outcome"]
        )
        begun = CounterMetricFamily(
            "steerway_load_issued_requests", "Requests that clients started.", labels=labels
        )
        open_requests = GaugeMetricFamily(
            "steerway_load_requests_in_progress", "Requests of clients in progress.", labels=labels
        )
        dropped = CounterMetricFamily(
            "steerway_load_dropped_requests", "Requests that clients dropped.", labels=["cluster", "category"]
        )
        drops = Counter[tuple[str, str]]()
        for drop in loads.dropped:
            drops[drop.cluster, drop.category] += drop.count
        for family, values in (
            (requests, ended),
            (begun, issued),
            (open_requests, running),
            (dropped, drops),
        ):
            for key, value in sorted(values.items()):
                family.add_metric(list(key), value)
            yield family


def locality(load: LocalityLoad) -> str:
    """`region/zone/sub_zone` without empty parts at either end; a zone alone is `eu-1a`."""
    return f"{load.region}/{load.zone}/{load.sub_zone}".strip("/")
