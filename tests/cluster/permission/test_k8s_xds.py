"""The environment and the permissions of k8s-xds, with steerway in place of its program."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import yaml

from testbed.client.grpc_client import Client
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import until
from testbed.process.process import Processes, installed
from tests.cluster.conftest import NEEDS_CLUSTER, Open
from tests.support.example import guide, migration

pytestmark = NEEDS_CLUSTER

ADMIN = "http://127.0.0.1:18001"
"""Where the admin server listens without a setting. Nothing else of a test does."""
SERVER = "127.0.0.1:9000"
"""The port in the guide's app.yaml."""


def test_its_manifest_needs_one_more_rule(
    namespace: Namespace, open_backends: Open, processes: Processes, grpc_go: str, tmp_path: Path
) -> None:
    """No argument and no setting of steerway; the error names the rule, and short targets have the own namespace."""
    assert grpc_go
    addresses = open_backends(2)
    namespace.publish(addresses, "demo-server-headless")
    before = [manifest for text in guide.blocks("from-k8s-xds", migration.BEFORE) for manifest in _load(text)]
    _apply(namespace, [manifest for manifest in before if manifest["kind"].startswith("Role")])
    process = processes.start(
        "steerway serve",
        [installed("steerway"), "serve"],
        CONFIG=str(_app_yaml(before, tmp_path)),
        KUBECONFIG=str(namespace.account("default").kubeconfig()),
    )
    _get_when(lambda status: any("kubernetes services" in missing for missing in status["missing"]))
    (rule,) = _rules_to_add()
    assert rule == {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "watch", "list"]}
    named = "{apiGroups: [''], resources: [services], verbs: [get, list, watch]}"
    process.wait(lambda: any(named in line for line in process.errors), "the rule to add")
    assert any("as k8s-xds with" in line for line in process.errors)
    _apply(
        namespace,
        [manifest for text in guide.blocks("from-k8s-xds", migration.RBAC) for manifest in _load(text)],
    )
    _get_when(lambda status: bool(status["ready"]))
    channel = Client(processes, "grpc-go", _bootstrap(tmp_path)).dial("xds:///demo-server-headless")
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(*addresses)
    assert load.failures == []


def _load(text: str) -> list[Manifest]:
    return list(yaml.safe_load_all(text))


def _apply(namespace: Namespace, manifests: list[Manifest]) -> None:
    """As `kubectl -n NAMESPACE apply` does."""
    for manifest in manifests:
        metadata = {**manifest["metadata"], "namespace": namespace.name}
        subjects = [{**subject, "namespace": namespace.name} for subject in manifest.get("subjects", [])]
        namespace.api.apply(
            {**manifest, "metadata": metadata, **({"subjects": subjects} if subjects else {})}
        )


def _app_yaml(before: list[Manifest], folder: Path) -> Path:
    (content,) = (manifest["data"]["app.yaml"] for manifest in before if manifest["kind"] == "ConfigMap")
    file = folder / "app.yaml"
    file.write_text(content)
    return file


def _rules_to_add() -> list[Manifest]:
    """What the Role after the move has in addition."""

    def rules(word: str) -> list[Manifest]:
        manifests = [manifest for text in guide.blocks("from-k8s-xds", word) for manifest in _load(text)]
        return [rule for manifest in manifests if manifest["kind"] == "Role" for rule in manifest["rules"]]

    return [rule for rule in rules(migration.RBAC) if rule not in rules(migration.BEFORE)]


def _get_when(wanted: Callable[[Manifest], bool]) -> None:
    def look() -> bool:
        try:
            return wanted(httpx.get(f"{ADMIN}/readyz", trust_env=False).json())
        except httpx.TransportError:
            return False

    until(look, "the state of readiness")


def _bootstrap(folder: Path) -> Path:
    """That of the demo of k8s-xds: one id for all clients, and no namespace."""
    file = folder / "bootstrap.json"
    server = {
        "server_uri": SERVER,
        "channel_creds": [{"type": "insecure"}],
        "server_features": ["xds_v3"],
    }
    node = {"id": "node-id", "metadata": {"SOME_KEY": "SOME_VALUE"}, "locality": {"zone": "europe-west4-a"}}
    file.write_text(json.dumps({"xds_servers": [server], "node": node}))
    return file
