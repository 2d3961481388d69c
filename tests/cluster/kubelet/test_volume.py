"""Volumes have what Kubernetes writes into them, and follow changes."""

import base64
import json

from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.kubelet.conftest import IDLE, RunPod, container

pytestmark = NEEDS_CLUSTER

_TOKEN_SECONDS = 3600


def test_a_projected_volume_has_a_token_files_and_fields(namespace: Namespace, run_pod: RunPod) -> None:
    """In one folder at a path that this machine does not have, with the modes that are asked for."""
    namespace.api.apply(config_map(namespace, {"a": "one", "b": "two"}), secret(namespace))
    sources = [
        {"serviceAccountToken": {"audience": "mesh", "expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "settings", "items": [{"key": "b", "path": "deep/b.txt", "mode": 0o400}]}},
        {"secret": {"name": "password"}},
        {
            "downwardAPI": {
                "items": [
                    {"path": "label", "fieldRef": {"fieldPath": "metadata.labels['app']"}},
                    {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu"}},
                ]
            }
        },
        {"configMap": {"name": "absent", "optional": True}},
    ]
    pod = run_pod(
        container(
            *IDLE,
            volumeMounts=[{"name": "all", "mountPath": "/opt/steerway-test/all", "readOnly": True}],
            resources={"limits": {"cpu": "2"}},
        ),
        volumes=[{"name": "all", "projected": {"sources": sources, "defaultMode": 0o440}}],
    ).wait_until_ready()
    assert pod.shell("cd /opt/steerway-test/all; cat deep/b.txt password label cpu") == ("twohunter2pod2")
    assert pod.shell("cd /opt/steerway-test/all; stat -L -c %a deep/b.txt password") == "400\n440"
    claims = _claims(pod.shell("cat /opt/steerway-test/all/token"))
    assert claims["aud"] == ["mesh"]
    assert claims["exp"] - claims["iat"] == _TOKEN_SECONDS
    assert claims["kubernetes.io"]["pod"]["name"] == "pod"
    assert pod.execute("touch", "/opt/steerway-test/all/new").code != 0


def test_changes_arrive_by_one_swap(namespace: Namespace, run_pod: RunPod) -> None:
    """Of the link `..data`, for ConfigMaps, Secrets and annotations; what is mounted by subPath stays as it was."""
    namespace.api.apply(config_map(namespace, {"a": "one"}), secret(namespace))
    annotations = {"path": "annotation", "fieldRef": {"fieldPath": "metadata.annotations['example.com/x']"}}
    sources = [
        {"configMap": {"name": "settings"}},
        {"secret": {"name": "password"}},
        {"downwardAPI": {"items": [annotations]}},
    ]
    mounts = [
        {"name": "all", "mountPath": "/opt/steerway-test/all"},
        {"name": "settings", "mountPath": "/opt/steerway-test/fixed", "subPath": "a"},
    ]
    pod = run_pod(
        container(*IDLE, volumeMounts=mounts),
        annotations={"example.com/x": "red"},
        volumes=[
            {"name": "all", "projected": {"sources": sources}},
            {"name": "settings", "configMap": {"name": "settings"}},
        ],
    ).wait_until_ready()
    folder = "cd /opt/steerway-test/all;"
    assert pod.shell(f"{folder} cat a password annotation") == "onehunter2red"
    data = pod.shell(f"{folder} readlink ..data")
    assert pod.shell(f"{folder} readlink a") == "..data/a"
    namespace.api.apply(config_map(namespace, {"a": "three"}), secret(namespace, "swordfish"))
    namespace.api.annotate("Pod", namespace.name, pod.name, {"example.com/x": "blue"})
    until(
        lambda: pod.shell(f"{folder} cat a password annotation") == "threeswordfishblue",
        lambda: pod.shell(f"{folder} cat a password annotation"),
    )
    assert pod.shell(f"{folder} readlink ..data") != data
    assert pod.shell("cat /opt/steerway-test/fixed") == "one"


def test_containers_share_empty_folders(run_pod: RunPod) -> None:
    """On disk or in memory; they are empty at first, and gone with the pod."""
    mounts = [{"name": "disk", "mountPath": "/disk"}, {"name": "memory", "mountPath": "/memory"}]
    pod = run_pod(
        container(
            "sh",
            "-c",
            "ls -A /disk /memory; echo 1 > /disk/a; echo 2 > /memory/a; sleep 600",
            name="writer",
            volumeMounts=mounts,
        ),
        container(*IDLE, volumeMounts=mounts),
        volumes=[{"name": "disk", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}}],
    ).wait_until_ready()
    until(lambda: pod.execute("cat", "/disk/a", "/memory/a").output == "1\n2\n", "the files of the writer")
    until(lambda: pod.log("writer") == "/disk:\n\n/memory:\n", "the output of the writer")
    assert pod.shell("stat -f -c %T /memory") == "tmpfs"


def config_map(namespace: Namespace, data: dict[str, str]) -> Manifest:
    metadata = {"name": "settings", "namespace": namespace.name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def secret(namespace: Namespace, password: str = "hunter2") -> Manifest:
    metadata = {"name": "password", "namespace": namespace.name}
    encoded = base64.b64encode(password.encode()).decode()
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": encoded}}


def _claims(token: str) -> Manifest:
    payload = token.split(".")[1]
    claims: Manifest = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
