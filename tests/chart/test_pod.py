"""The Deployment and what is beside it: security, probes, replicas, rollouts, volumes."""

from typing import Any

import pytest

from steerway.config import SETTINGS
from steerway.sources.policy.crd import DEFINITIONS, Definition
from tests.chart.conftest import NEEDS_HELM, Render

pytestmark = NEEDS_HELM

ONLY_TLS = {
    "tls": {"plaintext": False},
    "admin": {"exposed": True},
    "settings": {"authentication": {"pod_address": "off"}},
}


def test_the_pod_is_restricted(render: Render) -> None:
    """Pod Security Standard `restricted`, and a root file system that cannot be written."""
    pod, container = render().pod(), render().container()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}


def test_a_rollout_never_lacks_a_replica(render: Render) -> None:
    spec = render().of("Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert render().of("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_replicas_are_left_to_an_autoscaler(render: Render) -> None:
    """And to `kubectl scale` where they are null: an upgrade would be a conflict."""
    scaled = render(values={"autoscaling": {"enabled": True, "maxReplicas": 9}})
    assert "replicas" not in scaled.of("Deployment")["spec"]
    autoscaler = scaled.of("HorizontalPodAutoscaler")["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (2, 9)
    assert autoscaler["scaleTargetRef"]["name"] == "steerway"
    assert "replicas" not in render(values={"replicas": None}).of("Deployment")["spec"]
    assert "HorizontalPodAutoscaler" not in render().kinds()


@pytest.mark.parametrize("drain", [0, 10, 44.5])
def test_the_grace_period_covers_the_drain(drain: float, render: Render) -> None:
    rendering = render(values={"settings": {"drain_seconds": drain}, "preStopSleepSeconds": 5})
    pod = rendering.pod()
    (container,) = pod["containers"]
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == 5
    assert pod["terminationGracePeriodSeconds"] >= drain + 5 + 10


def test_other_settings_are_other_pods(render: Render) -> None:
    def annotations(values: dict[str, Any]) -> dict[str, str]:
        deployment = render(values=values).of("Deployment")
        result: dict[str, str] = deployment["spec"]["template"]["metadata"]["annotations"]
        return result

    assert annotations({}) == annotations({"replicas": 5})
    assert annotations({}) != annotations({"settings": {"topology": "node"}})
    assert annotations({"podAnnotations": {"team": "mesh"}})["team"] == "mesh"


def test_the_kubelet_reaches_the_probes(render: Render) -> None:
    """The admin server on loopback: by the health service of the xDS port. Else by the admin server."""
    closed, exposed = render().container(), render("monitoring").container()
    assert closed["readinessProbe"]["grpc"] == {"port": 18000}
    assert closed["livenessProbe"]["tcpSocket"] == {"port": "xds"}
    assert [port["name"] for port in closed["ports"]] == ["xds"]
    assert exposed["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
    assert exposed["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "admin"}
    assert {"name": "admin", "containerPort": 18001} in exposed["ports"]
    host, _, port = SETTINGS["admin"].default.rpartition(":")
    assert (host, port) == ("127.0.0.1", "18001")


def test_an_exposed_admin_server_has_a_token(render: Render) -> None:
    """The chart's own, or that of a Secret which is there."""
    rendering = render("monitoring")
    secret = rendering.of("Secret", "steerway-admin")
    assert len(secret["data"]["token"]) > 60
    assert "admin_token_file: /etc/steerway/admin/token" in rendering.settings()
    own = render("monitoring", {"admin": {"tokenSecretName": "mine", "tokenSecretKey": "admin"}})
    assert "Secret" not in own.kinds()
    assert "admin_token_file: /etc/steerway/admin/admin" in own.settings()
    (volume,) = (volume for volume in own.pod()["volumes"] if volume["name"] == "admin-token")
    assert volume["secret"] == {"secretName": "mine"}
    (endpoint,) = own.of("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "mine", "key": "admin"}


def test_connections_are_restricted(render: Render) -> None:
    """The xDS port to pods, the admin port to Prometheus; in one namespace to its own pods."""
    (clients,) = render().of("NetworkPolicy")["spec"]["ingress"]
    assert clients == {"ports": [{"port": "xds"}], "from": [{"namespaceSelector": {}}]}
    _, admin = render("monitoring").of("NetworkPolicy")["spec"]["ingress"]
    assert admin["ports"] == [{"port": "admin"}]
    assert admin["from"]
    (own,) = render("namespaced").of("NetworkPolicy")["spec"]["ingress"]
    assert own["from"] == [{"podSelector": {}}]


def test_no_peers_are_no_connections(render: Render) -> None:
    """A rule without `from` would admit all."""
    closed = render("monitoring", {"networkPolicy": {"clients": [], "monitoring": []}}).of("NetworkPolicy")
    assert closed["spec"]["policyTypes"] == ["Ingress"]
    assert closed["spec"]["ingress"] == []
    further = {"ports": [{"port": "admin"}], "from": [{"podSelector": {}}]}
    peers = {"clients": None, "monitoring": None, "extraIngress": [further]}
    assert render("monitoring", {"networkPolicy": peers}).of("NetworkPolicy")["spec"]["ingress"] == [further]


def test_every_selector_is_that_of_the_pods(render: Render) -> None:
    rendering = render("monitoring", {"commonLabels": {"team": "mesh"}, "podLabels": {"tier": "control"}})
    deployment = rendering.of("Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert {"team": "mesh", "tier": "control"}.items() <= labels.items()
    selectors = [
        deployment["selector"]["matchLabels"],
        rendering.of("Service")["spec"]["selector"],
        rendering.of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        rendering.of("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(item["labelSelector"]["matchLabels"] for item in rendering.pod()["topologySpreadConstraints"]),
    ]
    assert len(selectors) == 6
    for selector in selectors:
        assert selector == {"app.kubernetes.io/name": "steerway", "app.kubernetes.io/instance": "steerway"}
    assert all(manifest["metadata"]["labels"]["team"] == "mesh" for manifest in rendering)


def test_additions_reach_the_pod(render: Render) -> None:
    """Lists are appended to those of the chart."""
    given = {
        "image": {"repository": "example.com/steerway", "digest": f"sha256:{'0' * 64}"},
        "imagePullSecrets": [{"name": "registry"}],
        "command": ["/opt/steerway"],
        "extraArgs": ["--log-level=debug"],
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "extraVolumes": [{"name": "clusters", "secret": {"secretName": "clusters"}}],
        "extraVolumeMounts": [{"name": "clusters", "mountPath": "/etc/clusters"}],
        "nodeSelector": {"pool": "mesh"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "topologySpreadConstraints": [],
    }
    pod, container = render(values=given).pod(), render(values=given).container()
    assert container["image"] == f"example.com/steerway@sha256:{'0' * 64}"
    assert container["command"] == ["/opt/steerway"]
    assert container["args"] == ["serve", "--config=/etc/steerway/config/steerway.yaml", "--log-level=debug"]
    assert container["env"][-1] == {"name": "TZ", "value": "UTC"}
    assert container["volumeMounts"][-1] == {"name": "clusters", "mountPath": "/etc/clusters"}
    assert pod["volumes"][-1]["name"] == "clusters"
    for key in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert pod[key] == given[key]
    assert "topologySpreadConstraints" not in pod


@pytest.mark.parametrize("kind", DEFINITIONS, ids=lambda kind: kind.plural)
def test_a_definition_is_kept(kind: Definition, render: Render) -> None:
    definition = render().of("CustomResourceDefinition", kind.name)
    assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert definition["metadata"]["labels"]["gateway.networking.k8s.io/policy"] == "Direct"
    assert "CustomResourceDefinition" not in render(values={"crds": {"enabled": False}}).kinds()


def test_tls_has_a_port_of_its_own(render: Render) -> None:
    """Beside the one without, which can be closed."""
    both, only = render("tls"), render("tls", ONLY_TLS)
    assert [port["name"] for port in both.of("Service")["spec"]["ports"]] == ["xds", "xds-tls"]
    assert [port["name"] for port in only.of("Service")["spec"]["ports"]] == ["xds-tls"]
    assert [port["name"] for port in only.container()["ports"]] == ["xds-tls", "admin"]
    (clients,) = both.of("NetworkPolicy")["spec"]["ingress"]
    assert clients["ports"] == [{"port": "xds"}, {"port": "xds-tls"}]
    assert "plaintext_listen" not in only.settings()
    assert only.container()["livenessProbe"]["httpGet"]["port"] == "admin"


def test_clusters_with_ipv6(render: Render) -> None:
    settings = render("tls monitoring", {"bindAddress": "[::]"}).settings()
    for address in ("[::]:18000", "[::]:18443", "[::]:18001"):
        assert address in settings


def test_the_certificate_is_mounted(render: Render) -> None:
    rendering = render("tls")
    (volume,) = (volume for volume in rendering.pod()["volumes"] if volume["name"] == "tls")
    assert volume["secret"] == {"secretName": "steerway-tls"}
    assert {"name": "tls", "mountPath": "/etc/steerway/tls", "readOnly": True} in rendering.container()[
        "volumeMounts"
    ]
