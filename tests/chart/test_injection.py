"""The injection webhook: its objects, its settings, and only the permissions that it needs."""

import base64
from pathlib import Path
from typing import Any

import pytest

from steerway import config
from testbed.certificate import Authority
from testbed.helm.tools import ToolError
from tests.chart.conftest import NEEDS_HELM, Render, Rendering
from tests.chart.test_pod import ONLY_TLS

pytestmark = NEEDS_HELM

ON: dict[str, Any] = {"injection": {"enabled": True}}
NAME = "steerway.steerway-system.steerway.io"
FILES = {"certificate": "/etc/webhook/tls.crt", "key": "/etc/webhook/tls.key"}


def settings(rendering: Rendering, folder: Path) -> config.Settings:
    """As steerway reads them."""
    file = folder / "steerway.yaml"
    file.write_text(rendering.settings())
    return config.load(file, {}, {})


def test_api_servers_reach_the_webhook(render: Render) -> None:
    """By a port of the Service that the NetworkPolicy opens for all."""
    rendering = render(values=ON)
    webhooks = rendering.of("MutatingWebhookConfiguration", NAME)["webhooks"]
    assert len(webhooks) == 2
    for webhook in webhooks:
        target = {
            "namespace": "steerway-system",
            "name": "steerway-internal",
            "port": 9443,
            "path": "/inject",
        }
        assert webhook["clientConfig"] == {"service": target}, "no caBundle: an upgrade would conflict"
        assert webhook["failurePolicy"] == "Ignore"
        assert webhook["sideEffects"] == "None"
        excluded = webhook["namespaceSelector"]["matchExpressions"][-1]["values"]
        assert {"kube-system", "steerway-system"} <= set(excluded)
    ports = {port["name"]: port for port in rendering.of("Service", "steerway-internal")["spec"]["ports"]}
    assert ports["injection"]["port"] == 9443
    assert {"name": "injection", "containerPort": 9443} in rendering.container()["ports"]
    assert {"ports": [{"port": "injection"}]} in rendering.of("NetworkPolicy")["spec"]["ingress"]


@pytest.mark.parametrize("files", ["", "tls"])
def test_pods_get_the_ports_of_the_service(files: str, render: Render, tmp_path: Path) -> None:
    """Other servers can be given, and every other setting of the injection."""
    injection = settings(render(files, ON), tmp_path).injection
    assert injection.listen == "0.0.0.0:9443"
    assert injection.servers == ("steerway.steerway-system.svc:18000",)
    assert injection.tls_servers == (("steerway.steerway-system.svc:18443",) if files else ())
    assert (injection.webhook, injection.service, injection.secret) == (
        NAME,
        "steerway-internal",
        "steerway-injection",
    )
    own = {"servers": ["xds.example.com:443"], "method": "volume"}
    injection = settings(render(files, {**ON, "settings": {"injection": own}}), tmp_path).injection
    assert (injection.servers, injection.method) == (("xds.example.com:443",), "volume")


def test_pods_use_tls_where_there_is_no_other_port(render: Render, tmp_path: Path) -> None:
    """With the values that close the port without TLS. Servers elsewhere leave the choice."""
    injection = settings(render("tls", {**ON, **ONLY_TLS}), tmp_path).injection
    assert (injection.credentials, injection.servers) == ("tls", ())
    assert injection.tls_servers == ("steerway.steerway-system.svc:18443",)
    given = {**ONLY_TLS["settings"], "injection": {"servers": ["xds.example.com:443"]}}
    injection = settings(render("tls", {**ON, **ONLY_TLS, "settings": given}), tmp_path).injection
    assert injection.credentials == "insecure"


def test_the_secret_is_an_object_of_the_release(render: Render) -> None:
    """Without data, which steerway writes: it may update the one Secret, and create none."""
    rendering = render(values=ON)
    assert "data" not in rendering.of("Secret", "steerway-injection")
    assert rendering.rules() - render().rules() == {
        *(("Role", "", "secrets", verb) for verb in ("get", "list", "watch", "update")),
        *(
            ("ClusterRole", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", verb)
            for verb in ("get", "patch")
        ),
    }
    assert rendering.of("Role", "steerway-injection")["rules"][0]["resourceNames"] == ["steerway-injection"]
    bundle = rendering.of("ClusterRole", "steerway-system:steerway-injection")
    assert bundle["rules"][0]["resourceNames"] == [NAME]
    without = {"kubernetes": {"events": False, "status": False}}
    assert "Lease" in render(values={**ON, "settings": without}).kinds()


def test_the_certificate_of_cert_manager_needs_no_permission(render: Render, tmp_path: Path) -> None:
    """Given in files; its annotation has cert-manager set caBundle."""
    annotations = {"cert-manager.io/inject-ca-from": "steerway-system/steerway-injection"}
    on = {"injection": {"enabled": True, "annotations": annotations}, "settings": {"injection": FILES}}
    rendering = render(values=on)
    assert rendering.rules() == render().rules()
    assert "Secret" not in rendering.kinds()
    assert rendering.of("MutatingWebhookConfiguration", NAME)["metadata"]["annotations"] == annotations
    assert str(settings(rendering, tmp_path).injection.certificate) == FILES["certificate"]


def test_an_own_certificate_can_have_its_ca(render: Render) -> None:
    """As PEM, which the API has in base64. An empty value is none: cert-manager may set it."""
    pem = Authority().certificate.decode()
    for bundle, expected in ((pem, base64.b64encode(pem.encode()).decode()), ("", None)):
        values = {"injection": {"enabled": True, "caBundle": bundle}, "settings": {"injection": FILES}}
        for webhook in render(values=values).of("MutatingWebhookConfiguration", NAME)["webhooks"]:
            assert webhook["clientConfig"].get("caBundle") == expected


def test_it_is_off_by_default_and_without_all_namespaces(render: Render) -> None:
    assert "MutatingWebhookConfiguration" not in render().kinds()
    with pytest.raises(ToolError, match=r"injection\.enabled needs all namespaces"):
        render("namespaced", ON)
