"""Alert rules: valid, about metrics that replicas have, firing when they should, and each with a runbook."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.prometheus.prometheus import NAMESPACE, SERVICE, Prometheus, promtool
from tests.support.chart.kustomize_base import CHART

pytestmark = pytest.mark.needs("prometheus")

SELECTOR = f'namespace="{NAMESPACE}", service="{SERVICE}"'
RULES = (CHART / "files" / "alerts.yaml").read_text().replace("SELECTOR", SELECTOR)
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES)["alerts"]
CASES: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("alert_cases.yaml").read_text().replace("SELECTOR", SELECTOR)
)
RUNBOOK = (CHART.parents[1] / "docs" / "runbook.md").read_text()
_APPEARS_LATER = {
    "steerway_certificate_expiry_timestamp_seconds",
    "steerway_handshake_failures_total",
    "steerway_injections_total",
    "steerway_streams_rejected_total",
}
"""Metrics without a series until TLS or injection is on, or a client was refused."""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The alerts as a file of rules."""
    file = tmp_path_factory.mktemp("alerts") / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "steerway", "rules": ALERTS}]}))
    return file


def test_the_rules_are_valid(rules: Path) -> None:
    """For the Prometheus that evaluates them."""
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", str(rules))
    assert len(ALERTS) > 12


@pytest.mark.parametrize("state", ["fires", "silent"])
def test_each_alert_fires_when_it_should_and_not_otherwise(rules: Path, state: str) -> None:
    """With its labels, after the time that it waits."""
    assert CASES.keys() == {alert["alert"] for alert in ALERTS}
    tests = []
    for alert in ALERTS:
        name, case = alert["alert"], CASES[alert["alert"]][state]
        tests.append(
            {
                "name": name,
                "interval": "1m",
                "input_series": [
                    {"series": series, "values": values} for series, values in case["series"].items()
                ],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or on() vector(0)',
                        "eval_time": f"{case['after']}m",
                        "exp_samples": [{"labels": "{}", "value": int(state == "fires")}],
                    }
                ],
            }
        )
    file = rules.with_name(f"{state}.yaml")
    file.write_text(yaml.safe_dump({"rule_files": [rules.name], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", str(file))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_is_about_series_of_a_replica(world: Prometheus, alert: dict[str, Any]) -> None:
    """Prometheus evaluates it, and each selector in it has series, unless nothing of the kind has happened."""
    world.query(alert["expr"])
    selectors = re.findall(r"(?:steerway_\w+|up){[^}]*}", alert["expr"])
    assert selectors
    for selector in selectors:
        if selector.partition("{")[0] not in _APPEARS_LATER:
            assert world.query(f"count({selector})"), selector


def test_each_alert_has_a_section_of_the_runbook() -> None:
    """The address in its annotation is that of the heading; no section is left from an alert that is gone."""
    sections = re.findall(r"^## (Steerway\w+)$", RUNBOOK, re.MULTILINE)
    assert sections == [alert["alert"] for alert in ALERTS]
    for alert in ALERTS:
        assert alert["annotations"]["runbook_url"] == f"RUNBOOK#{alert['alert'].lower()}"
    for section in RUNBOOK.split("\n## ")[1:]:
        parts = re.findall(r"^\*\*(\w+)\.\*\*", section, re.MULTILINE)
        assert parts == ["Meaning", "Impact", "Diagnosis", "Fix"], section.partition("\n")[0]
