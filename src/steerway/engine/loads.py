"""Load reports of clients for Prometheus, read from the engine when somebody scrapes.

Clusters, localities and drop categories are those that are served; all others that clients name are `other`.
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
        """One scrape. The names of a cluster's assignments are summed up."""
        loads = self._engine.loads()
        yield GaugeMetricFamily("steerway_load_reporters", "Clients that report load.", loads.reporters)
        yield CounterMetricFamily("steerway_load_reports", "Load reports of clients.", loads.reports)
        text = "Rows of load reports that were not taken: of clusters that are not served."
        yield CounterMetricFamily("steerway_load_ignored_rows", text, loads.ignored)
        issued, ended, running = (
            Counter[tuple[str, str]](),
            Counter[tuple[str, str, str]](),
            Counter[tuple[str, str]](),
        )
        for load in loads.localities:
            place = load.cluster, locality(load)
            issued[place] += load.issued
            ended[*place, "success"] += load.successful
            ended[*place, "error"] += load.errors
            running[place] += load.in_progress
        labels = ["cluster", "locality"]
        requests = CounterMetricFamily(
            "steerway_load_requests", "Requests of clients that ended.", labels=[*labels, "outcome"]
        )
        begun = CounterMetricFamily(
            "steerway_load_issued_requests", "Requests that clients began.", labels=labels
        )
        open_requests = GaugeMetricFamily(
            "steerway_load_requests_in_progress", "Requests of clients that are under way.", labels=labels
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
    """`region/zone/sub_zone` without what is empty at either end; a zone alone is `eu-1a`."""
    return f"{load.region}/{load.zone}/{load.sub_zone}".strip("/")
