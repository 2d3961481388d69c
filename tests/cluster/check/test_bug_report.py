"""The archive of an installation has its objects, logs and checks, and none of the secrets that are planted."""

import base64
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from testbed.cluster.cluster import Cluster
from testbed.process.deadline import PATIENCE_SECONDS
from tests.cluster.check.conftest import Release
from tests.cluster.conftest import NEEDS_CLUSTER

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go")]

PLANTED = "planted-secret-1234"


def test_the_archive_of_an_installation(release: Release, cluster: Cluster, tmp_path: Path) -> None:
    """Planted in a Secret, and as its value in a ConfigMap; in a variable, an argument, and an annotation."""
    release.kubectl("create", "secret", "generic", "planted", f"--from-literal=value={PLANTED}")
    release.kubectl("create", "configmap", "notes", f"--from-literal=text=see {PLANTED}")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "other", "annotations": {"note": f"https://user:{PLANTED}@host"}},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "none",
                    "command": ["/bin/false", f"--token={PLANTED}"],
                    "env": [{"name": "DB_PASSWORD", "value": PLANTED}],
                }
            ]
        },
    }
    release.tools.run(
        "kubectl", "apply", f"--namespace={release.namespace}", "--filename=-", stdin=json.dumps(pod)
    )
    token = release.kubectl("get", "secret", "steerway-admin", "--output=jsonpath={.data.token}")
    key = release.kubectl("get", "secret", "steerway-tls", "--output=jsonpath={.data.tls\\.key}")
    path = tmp_path / "report.tar.gz"
    program = Path(sys.executable).with_name("steerway")
    kubeconfig = ["--kubeconfig", str(cluster.commands.kubeconfig)]
    done = subprocess.run(
        [program, "bug-report", "-o", path, *kubeconfig, "--steerway-namespace", release.namespace],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    files = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            assert file is not None
            files[member.name.partition("/")[2]] = file.read().decode()
    everything = "".join(files.values())
    lines = base64.b64decode(key).decode().splitlines()[1:-1]
    secrets = [PLANTED, base64.b64encode(PLANTED.encode()).decode(), token, key, *lines]
    secrets.append(base64.b64decode(token).decode())
    assert [secret for secret in secrets if secret in everything] == []
    names = {entry["metadata"]["name"] for entry in json.loads(files["cluster/secrets.json"])["items"]}
    assert {"planted", "steerway-admin", "steerway-tls"} <= names
    assert any(
        "listening" in text or "listen" in text for name, text in files.items() if name.endswith(".log")
    )
    assert json.loads(files["check.json"])["sections"]
    events = json.loads(files["cluster/events.json"])["items"]
    assert any(event["involvedObject"]["kind"] == "Pod" for event in events)
    manifest = json.loads(files["manifest.json"])
    assert len(manifest["collected"]) == len(files) - 1 > 30
    assert not [entry for entry in manifest["failed"] if entry["file"].startswith("cluster/")]
    release.kubectl("delete", "pod", "other", "--wait=false")
