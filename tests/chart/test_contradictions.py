"""Values that contradict each other are refused, with the value to use instead."""

from typing import Any

import pytest

from testbed.helm.tools import ToolError
from tests.chart.conftest import NEEDS_HELM, Render
from tests.chart.test_pod import ONLY_TLS

pytestmark = NEEDS_HELM

INJECTION: dict[str, Any] = {"injection": {"enabled": True}}


def injection(**settings: Any) -> dict[str, Any]:
    """Values with the webhook and these settings of it."""
    return {**INJECTION, "settings": {"injection": settings}}


REFUSED = [
    ({"settings": {"listen": ["0.0.0.0:1"]}}, "settings.listen is written by the chart: use bindAddress"),
    ({"settings": {"tls": {"key": "/k"}}}, "settings.tls.key is written by the chart: use tls.secretName"),
    ({"settings": {"admin": "0.0.0.0:1"}}, "settings.admin is written by the chart: use admin.port"),
    ({"settings": {"kubernetes": {"namespaces": ["all", "shop"]}}}, "all alone, not both: remove one"),
    (
        {"tls": {"clientCertificates": True}},
        "set tls.secretName to a Secret with tls.crt, tls.key and ca.crt",
    ),
    ({"tls": {"secretName": "certificate", "plaintext": False}}, "no TLS for gRPC: set admin.exposed"),
    (
        {"tls": {"secretName": "certificate", "plaintext": False}, "admin": {"exposed": True}},
        'plaintext without a port: set it to all or "off"',
    ),
    ({"monitoring": {"serviceMonitor": {"enabled": True}}}, "set admin.exposed"),
    (
        {"tls": {"plaintext": False}},
        "tls.plaintext: false leaves no port, since there is no TLS: set tls.secretName",
    ),
    ({"settings": {"injection": {"method": "volume"}}}, "without the webhook: set injection.enabled"),
    (injection(credentials="tls"), "credentials: tls needs servers with TLS: set tls.secretName"),
    (injection(ca="ConfigMap/ca"), "settings.injection.ca has no effect without TLS: set tls.secretName"),
    (injection(token_audience="mesh"), "settings.injection.token_audience has no effect without TLS"),
    (injection(certificate="/c"), "certificate has no effect alone: set settings.injection.key"),
    (
        {"podLabels": {"app.kubernetes.io/name": "x"}},
        "podLabels has app.kubernetes.io/name, which the chart sets",
    ),
    (
        {"commonLabels": {"helm.sh/chart": "x"}},
        "commonLabels has helm.sh/chart, which the chart sets: remove it",
    ),
    (
        {"podAnnotations": {"checksum/settings": "x"}},
        "podAnnotations has checksum/settings, which the chart sets",
    ),
    ({"extraEnv": [{"name": "POD_NAMESPACE"}]}, "extraEnv has the name POD_NAMESPACE, which the chart uses"),
    (
        {"extraVolumes": [{"name": "tmp"}]},
        "extraVolumes has the name tmp, which the chart uses: choose another",
    ),
    (
        {"extraVolumeMounts": [{"name": "a", "mountPath": "/etc/steerway/tls/"}]},
        "extraVolumeMounts has the mountPath /etc/steerway/tls/, which the chart uses",
    ),
    (
        {"autoscaling": {"enabled": True, "minReplicas": 9}},
        "autoscaling.minReplicas is above autoscaling.maxReplicas",
    ),
    (
        {"admin": {"tokenSecretName": "token"}},
        "admin.tokenSecretName has no effect while the admin server listens",
    ),
    (
        {"monitoring": {"prometheusRule": {"enabled": True, "disabled": ["SteerwayUp"]}}},
        "monitoring.prometheusRule.disabled has SteerwayUp, which is no alert of the chart: use names of SteerwayDown",
    ),
    (
        {"admin": {"port": 18000}},
        "admin.port: 18000 is the port of the xDS server without TLS, too: choose another",
    ),
    (
        {"admin": {"port": 18443}, "tls": {"secretName": "certificate"}},
        "admin.port: 18443 is the port of the xDS server with TLS, too",
    ),
    ({"injection": {"enabled": True, "port": 18001}}, "admin.port: 18001 is the port of injection.port, too"),
    (
        {"injection": {"enabled": True, "port": 18000}},
        "injection.port: 18000 is the port of the xDS server without",
    ),
    (
        {"settings": {"rest_listen": "0.0.0.0:18001"}},
        "admin.port: 18001 is the port of settings.rest_listen, too: choose another one",
    ),
    (
        {"service": {"port": 18443}, "tls": {"secretName": "certificate"}},
        "service.port: 18443 is the port of service.tlsPort, too",
    ),
    (
        {"injection": {"enabled": True, "caBundle": "-----BEGIN CERTIFICATE-----"}},
        "injection.caBundle is written by steerway for the certificate that it issues",
    ),
    (injection(key="/k"), "key has no effect alone: set settings.injection.certificate"),
]


@pytest.mark.parametrize(("wrong", "reason"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_contradiction_is_refused(wrong: dict[str, Any], reason: str, render: Render) -> None:
    with pytest.raises(ToolError) as failure:
        render(values=wrong)
    assert reason in str(failure.value)


def test_ports_that_are_not_open_are_free(render: Render) -> None:
    """Those of TLS and of the webhook; and the Service of the xDS ports is not that of the webhook."""
    assert render(values={"admin": {"port": 18443}})
    assert render(values={"injection": {"port": 18001}})
    assert render(values={**INJECTION, "service": {"port": 9443}})


def test_credentials_without_tls_need_their_port(render: Render) -> None:
    """Or servers elsewhere."""
    settings = {**ONLY_TLS["settings"], "injection": {"credentials": "insecure"}}
    wrong = {**ONLY_TLS, **INJECTION, "settings": settings}
    with pytest.raises(ToolError, match=r"set tls\.plaintext, or settings\.injection\.servers"):
        render("tls", wrong)
    settings["injection"]["servers"] = ["xds.example.com:443"]
    assert render("tls", wrong)
