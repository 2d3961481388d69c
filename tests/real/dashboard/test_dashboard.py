"""Every expression of the dashboard returns data of real replicas."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.prometheus.prometheus import NAMESPACE, Prometheus, promtool
from tests.support.chart.kustomize_base import CHART

pytestmark = pytest.mark.needs("prometheus")

DASHBOARD: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text())
VARIABLES = {"$namespace": NAMESPACE, "$replica": "steerway-.*", "$__rate_interval": "1m"}
_LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)")


def targets() -> Iterator[Any]:
    """Each expression with its panel and its legend."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            name = f"{panel['title']} {target['refId']}"
            yield pytest.param(target["expr"], target["legendFormat"], id=name)


TARGETS = [*targets()]


def filled(expression: str) -> str:
    """As Grafana would send it."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


def test_the_dashboard_has_a_panel_for_each_question() -> None:
    """A scan that finds nothing passes without end."""
    assert len(TARGETS) > 35
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    positions = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(positions) == len(set(positions))
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {
        "datasource",
        "namespace",
        "replica",
    }


@pytest.mark.parametrize(("expression", "legend"), TARGETS)
def test_a_panel_shows_data(world: Prometheus, expression: str, legend: str) -> None:
    """Its legend uses labels that the samples have, except where nothing of the kind has happened."""
    samples = world.query(filled(expression))
    assert samples, expression
    if "or on() vector(0)" not in expression:
        labels = set(re.findall(r"{{(\w+)}}", legend))
        assert all(labels <= sample["metric"].keys() for sample in samples), (legend, samples)
        assert any(sample["value"][1] != "NaN" for sample in samples), samples


@pytest.mark.parametrize(
    "variable", [entry for entry in DASHBOARD["templating"]["list"] if entry["type"] == "query"], ids=str
)
def test_a_variable_has_values(world: Prometheus, variable: dict[str, Any]) -> None:
    match = _LABEL_VALUES.fullmatch(filled(variable["query"]))
    assert match is not None
    assert world.values(match["label"], match["selector"])


@pytest.mark.parametrize(
    ("title", "labels"),
    [
        ("Streams by client version", {"library": "core"}),
        ("Streams by replica", {"pod": "steerway-1"}),
        ("Absent names", {"type": "Listener"}),
        ("Refused responses (NACK)", {"type": "Cluster"}),
        ("Requests by zone", {"locality": "eu-1a"}),
        ("Requests by service", {"cluster": "backend.shop.svc.cluster.local:50051"}),
        ("Silence of the API server", {"kind": "Service"}),
        ("From a change to the ACK", {"step": "event_to_acked"}),
        ("Problems and internal errors", {"pod": "steerway-0"}),
    ],
)
def test_what_happened_is_on_the_dashboard(world: Prometheus, title: str, labels: dict[str, str]) -> None:
    """With a value above 0."""
    panels = [panel for panel in DASHBOARD["panels"] if panel["title"] == title]
    targets = [target for panel in panels for target in panel["targets"]]
    samples = [sample for target in targets for sample in world.query(filled(target["expr"]))]
    values = [float(sample["value"][1]) for sample in samples if labels.items() <= sample["metric"].items()]
    assert max(values, default=0) > 0, samples


def test_names_and_types_of_metrics_follow_the_conventions(world: Prometheus) -> None:
    """`promtool check metrics` on all that a replica exposes."""
    promtool("check", "metrics", text=world.metrics("steerway-0"))
