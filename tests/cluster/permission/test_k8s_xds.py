"""The manifest of k8s-xds, with steerway in place of its image."""

import json
from pathlib import Path

import yaml

from testbed.client.grpc_client import Client
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import until
from testbed.process.process import Processes, installed
from tests.cluster.conftest import NEEDS_CLUSTER, Open
from tests.support.example import guide, migration

pytestmark = NEEDS_CLUSTER

GUIDE = "from-k8s-xds"
APP = "demo-xds"
"""Label of the pods of the guide's Deployment."""
PORT = 9000
"""The port in the guide's app.yaml."""


def test_its_manifest_needs_one_more_rule(
    namespace: Namespace, open_backends: Open, processes: Processes, grpc_go: str, tmp_path: Path
) -> None:
    """No argument and no setting of steerway; the log names the rule, and short targets have the own namespace."""
    assert grpc_go
    addresses = open_backends(2)
    namespace.publish(addresses, "demo-server-headless")
    _apply(namespace, _manifests(migration.BEFORE))
    (pod,) = until(lambda: _pods(namespace), "the pod of the Deployment")
    (rule,) = _rules_to_add()
    assert rule == {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "watch", "list"]}
    named = "{apiGroups: [''], resources: [services], verbs: [get, list, watch]}"
    until(lambda: named in _log(namespace, pod), lambda: f"the rule to add in {_log(namespace, pod)}")
    assert "as k8s-xds with /etc/config/app.yaml" in _log(namespace, pod)
    _apply(namespace, _manifests(migration.RBAC))
    server = f"{pod['status']['podIP']}:{PORT}"
    channel = Client(processes, "grpc-go", _bootstrap(tmp_path, server)).dial("xds:///demo-server-headless")
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(*addresses)
    assert load.failures == []


def _manifests(word: str) -> list[Manifest]:
    return [manifest for text in guide.blocks(GUIDE, word) for manifest in yaml.safe_load_all(text)]


def _apply(namespace: Namespace, manifests: list[Manifest]) -> None:
    """As `kubectl -n NAMESPACE apply` does, with the command of steerway's image for that of k8s-xds."""
    for manifest in manifests:
        manifest["metadata"]["namespace"] = namespace.name
        for subject in manifest.get("subjects", []):
            subject["namespace"] = namespace.name
        if manifest["kind"] == "Deployment":
            (container,) = manifest["spec"]["template"]["spec"]["containers"]
            container["command"] = [installed("steerway"), "serve"]
        namespace.api.apply(manifest)


def _pods(namespace: Namespace) -> list[Manifest]:
    """Those that run."""
    pods = namespace.api.list("Pod", namespace.name)
    return [pod for pod in pods if pod["metadata"]["labels"]["app"] == APP and pod["status"].get("podIP")]


def _log(namespace: Namespace, pod: Manifest) -> str:
    return namespace.api.log(namespace.name, pod["metadata"]["name"])


def _rules_to_add() -> list[Manifest]:
    """What the Role after the move has in addition."""

    def rules(word: str) -> list[Manifest]:
        return [rule for role in _manifests(word) if role["kind"] == "Role" for rule in role["rules"]]

    return [rule for rule in rules(migration.RBAC) if rule not in rules(migration.BEFORE)]


def _bootstrap(folder: Path, server: str) -> Path:
    """That of the demo of k8s-xds: one id for all clients, and no namespace."""
    file = folder / "bootstrap.json"
    servers = [{"server_uri": server, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}]
    node = {"id": "node-id", "metadata": {"SOME_KEY": "SOME_VALUE"}, "locality": {"zone": "europe-west4-a"}}
    file.write_text(json.dumps({"xds_servers": servers, "node": node}))
    return file
