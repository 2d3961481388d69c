"""The CustomResourceDefinitions of the Prometheus Operator that the chart has objects of, as published."""

from pathlib import Path

import yaml

from testbed.manifest import Manifest
from testbed.process import go_module

_PINNED = Path(__file__).with_name("prometheus_operator")
_MODULE = "github.com/prometheus-operator/prometheus-operator"


def prometheus_crds() -> list[Manifest]:
    """ServiceMonitor's and PrometheusRule's."""
    folder = go_module.folder(_PINNED, _MODULE) / "example" / "prometheus-operator-crd"
    plurals = ("servicemonitors", "prometheusrules")
    return [
        yaml.load((folder / f"monitoring.coreos.com_{plural}.yaml").read_text(), yaml.CSafeLoader)
        for plural in plurals
    ]
