"""Alerts, dashboard and autoscaler use metrics that steerway has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import steerway
from tests.chart.conftest import NEEDS_HELM, Render
from tests.support.chart.kustomize_base import CHART

pytestmark = NEEDS_HELM

SOURCES = Path(steerway.__file__).parent
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Of the Prometheus client."""
ALERTS: list[dict[str, Any]] = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["alerts"]
ALL = {
    "admin": {"exposed": True},
    "monitoring": {name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboard")},
}


def metrics() -> set[str]:
    """Every metric, by the names that a scrape has."""
    sources = "".join(path.read_text() for path in SOURCES.rglob("*.py"))
    names = set(re.findall(r'"(steerway_[a-z_]+)"', sources))
    assert len(names) > 40
    return names | {f"{name}{suffix}" for name in names for suffix in ("_total", "_bucket", "_count", "_sum")}


def used(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:steerway|process)_[a-z_]+", expression))


def expressions(dashboard: Any) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_uses_known_metrics(alert: dict[str, Any]) -> None:
    """It has a text that names what to do."""
    assert used(alert["expr"]) - metrics() == set()
    assert "SELECTOR" in alert["expr"]
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}


def test_the_dashboard_uses_known_metrics() -> None:
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    names = set().union(*map(used, expressions(dashboard)))
    assert len(names) > 20
    assert names - metrics() == PROCESS


def test_the_autoscaler_uses_a_known_metric(render: Render) -> None:
    spec = render(values={"autoscaling": {"enabled": True}}).of("HorizontalPodAutoscaler")["spec"]
    assert spec["metrics"][0]["pods"]["metric"]["name"] in metrics()


def test_alerts_are_about_this_release(render: Render) -> None:
    """Labels are those of the values, and what is disabled is absent."""
    values = ALL | {
        "monitoring": {
            "labels": {"prometheus": "main"},
            "prometheusRule": {
                "enabled": True,
                "alertLabels": {"team": "mesh"},
                "disabled": ["SteerwayNoWriter"],
                "runbookUrl": "https://docs.example/runbook.md",
            },
        }
    }
    rule = render(values=values).of("PrometheusRule")
    assert rule["metadata"]["labels"]["prometheus"] == "main"
    alerts = {alert["alert"]: alert for alert in rule["spec"]["groups"][0]["rules"]}
    assert alerts.keys() == {alert["alert"] for alert in ALERTS} - {"SteerwayNoWriter"}
    down = alerts["SteerwayDown"]
    assert down["expr"] == 'absent(up{namespace="steerway-system", service="steerway-internal"} == 1)'
    assert down["labels"] == {"severity": "critical", "team": "mesh"}
    stale = alerts["SteerwayStale"]["annotations"]
    assert "{{ $labels.pod }}" in stale["summary"]
    assert stale["runbook_url"] == "https://docs.example/runbook.md#steerwaystale"


def test_the_alert_about_writers_needs_something_to_write(render: Render) -> None:
    """Without Events, status and injection no replica holds the Lease."""
    nothing = {"kubernetes": {"events": False, "status": False}}
    for further, expected in (({}, False), ({"injection": {"enabled": True}}, True)):
        rule = render(values={**ALL, **further, "settings": nothing}).of("PrometheusRule")
        alerts = {alert["alert"] for alert in rule["spec"]["groups"][0]["rules"]}
        assert ("SteerwayNoWriter" in alerts) is expected


def test_nothing_of_it_is_there_by_default(render: Render) -> None:
    """Its kinds are not those of a plain cluster."""
    assert {"PrometheusRule", "ServiceMonitor"} <= render(values=ALL).kinds()
    assert not {"PrometheusRule", "ServiceMonitor"} & render().kinds()


def test_the_dashboard_is_found_by_its_label(render: Render) -> None:
    dashboard = render(values=ALL).of("ConfigMap", "steerway-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["steerway.json"])["title"] == "steerway"
