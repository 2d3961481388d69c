"""The metrics of a running control plane: names, units and help texts as Prometheus expects them."""

from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from testbed.manifest import Files
from testbed.process.deadline import PATIENCE_SECONDS
from tests.support import metric_lint
from tests.unit.test_app import Running, assignments, settings

OPEN_METRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


async def scrape(directory: Path) -> list[Metric]:
    """The families of a control plane with a client; the parser refuses clashing names and samples without order."""
    manifests = Files(directory)
    manifests.publish(["127.0.0.2:1"])
    running = Running(settings(files=(manifests.directory,)))
    address, admin = await running.started()
    try:
        async with admin, aclosing(assignments(address)) as received:
            await anext(received)
            answer = await admin.get("/metrics", headers=OPEN_METRICS, timeout=PATIENCE_SECONDS)
            return list(text_string_to_metric_families(answer.text))
    finally:
        running.task.cancel()


async def test_metrics_of_a_running_control_plane_pass_the_lint(tmp_path: Path) -> None:
    families = await scrape(tmp_path)
    assert len(families) > 50
    assert metric_lint.problems(families) == []
    assert value(families, "steerway_services") == 1
    assert 0 <= value(families, "steerway_config_age_seconds") < PATIENCE_SECONDS
    build = next(family for family in families if family.name == "steerway_build_info")
    assert build.samples[0].labels.keys() == {"version", "python", "architecture"}


def test_the_lint_finds_bad_names() -> None:
    """Each rule; otherwise an empty list means nothing."""
    counter = Metric("steerway_wait_ms", "", "counter")
    counter.add_sample("steerway_wait_ms", {"le": "1", "Bad": "x"}, 1)
    histogram = Metric("steerway_size_histogram", "Size.", "histogram")
    unit = Metric("steerway_age_milliseconds_count", "Age.", "gauge")
    complaints = metric_lint.problems([counter, histogram, unit])
    assert complaints == [
        "steerway_wait_ms: HELP is missing",
        "steerway_wait_ms: ms is an abbreviation of a unit",
        "steerway_wait_ms: steerway_wait_ms of a counter does not end with _total",
        "steerway_wait_ms: steerway_wait_ms has the label le, which is that of histograms",
        "steerway_wait_ms: the label Bad of steerway_wait_ms is not in snake case",
        "steerway_size_histogram: the name has its type, histogram",
        "steerway_size_histogram: a histogram ends with its unit",
        "steerway_age_milliseconds_count: the name of the family has the ending of a sample",
        "steerway_age_milliseconds_count: use seconds, the base unit, instead of milliseconds",
    ]


def value(families: Iterable[Metric], name: str) -> float:
    return next(sample.value for family in families for sample in family.samples if sample.name == name)
