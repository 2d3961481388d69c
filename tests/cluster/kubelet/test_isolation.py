"""What a container has of its own, and what it shares with this machine."""

from pathlib import Path

import httpx

from testbed.cluster.namespace import Namespace
from testbed.manifest import service
from testbed.process.deadline import until
from tests.cluster.conftest import IMAGE, NEEDS_CLUSTER
from tests.cluster.kubelet.conftest import IDLE, RunPod, container

pytestmark = NEEDS_CLUSTER

_SERVER = (
    "import http.server as h\n"
    "class H(h.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200)\n"
    "        self.end_headers()\n"
    "        self.wfile.write(self.client_address[0].encode())\n"
    "h.HTTPServer(('0.0.0.0', 8080), H).serve_forever()"
)
"""Answers with the address of the client."""


def test_mounts_are_not_seen_outside(run_pod: RunPod) -> None:
    """Neither the folder at the path nor the mounted file system; files of this machine are the same inside."""
    path = "/usr/share/steerway-test/data"
    mounts = [{"name": "data", "mountPath": path}]
    volumes = [{"name": "data", "emptyDir": {"medium": "Memory"}}]
    pod = run_pod(container(*IDLE, volumeMounts=mounts), volumes=volumes).wait_until_ready()
    assert pod.shell(f"echo text > {path}/file; cat {path}/file") == "text"
    assert pod.shell("cat /var/run/secrets/kubernetes.io/serviceaccount/namespace").startswith("shop-")
    assert not Path(path).parent.exists()
    assert not Path("/var/run/secrets/kubernetes.io").exists()
    assert "volumes/kubernetes.io~" not in Path("/proc/self/mountinfo").read_text()
    assert pod.shell(f"cat {__file__}") == Path(__file__).read_text().strip()


def test_a_read_only_root_has_volumes_that_can_be_written(run_pod: RunPod) -> None:
    """And devices."""
    mounts = [{"name": "data", "mountPath": "/srv/steerway-test"}]
    pod = run_pod(
        container(*IDLE, volumeMounts=mounts, securityContext={"readOnlyRootFilesystem": True}),
        volumes=[{"name": "data", "emptyDir": {}}],
    ).wait_until_ready()
    assert (
        pod.shell("echo text > /srv/steerway-test/file; echo text > /dev/null; cat /srv/steerway-test/file")
        == "text"
    )
    for path in ("/file", "/tmp/steerway-test", "/srv/file", "/etc/hostname"):
        done = pod.execute("touch", path)
        assert "Read-only file system" in done.error


def test_a_container_has_the_user_groups_and_capabilities_that_are_demanded(run_pod: RunPod) -> None:
    """fsGroup has the volumes; without a capability not even root may change owners."""
    user = {"runAsUser": 1234, "runAsGroup": 77, "runAsNonRoot": True, "allowPrivilegeEscalation": False}
    mounts = [{"name": "data", "mountPath": "/srv/steerway-test"}]
    pod = run_pod(
        container(*IDLE, volumeMounts=mounts, securityContext=user),
        container(*IDLE, name="root", securityContext={"capabilities": {"drop": ["ALL"]}}),
        volumes=[{"name": "data", "emptyDir": {}}],
        securityContext={"fsGroup": 555, "supplementalGroups": [666]},
    ).wait_until_ready()
    assert pod.shell("id -u; id -g; id -G") == "1234\n77\n77 555 666"
    assert pod.shell("touch /srv/steerway-test/file; stat -c '%u %g' /srv/steerway-test/file") == "1234 555"
    status = pod.shell("grep -E 'NoNewPrivs|CapEff' /proc/self/status").split()
    assert status == ["CapEff:", "0" * 16, "NoNewPrivs:", "1"]
    done = pod.execute("sh", "-c", "id -u; grep CapEff /proc/self/status", container="root")
    assert done.output.split() == ["0", "CapEff:", "0" * 16]


def test_pods_have_addresses_and_loopback_interfaces_of_their_own(
    namespace: Namespace, run_pod: RunPod
) -> None:
    """Two servers listen on all addresses, at the same port, and see by which address a client connects."""
    probe = {"readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1}}
    ports = {"ports": [{"name": "http", "containerPort": 8080}]}
    server = container("python3", "-c", _SERVER, **probe, **ports)
    pods = [run_pod(server, name=name) for name in ("first", "second")]
    first, second = (pod.wait_until_ready().status["podIP"] for pod in pods)
    fetch = "import urllib.request as r; print(r.urlopen('http://%s:8080').read().decode())"
    assert pods[0].execute("python3", "-c", fetch % second).output.strip() == first
    assert pods[1].execute("python3", "-c", fetch % first).output.strip() == second
    assert pods[1].execute("python3", "-c", fetch % "127.0.0.1").output.strip() == "127.0.0.1"
    assert httpx.get(f"http://{first}:8080", trust_env=False).is_success
    namespace.api.apply(
        service("backend", {"http": 8080}, namespace=namespace.name, selector={"app": "first"})
    )
    by_name = fetch % f"backend.{namespace.name}.svc.cluster.local"
    until(
        lambda: pods[1].execute("python3", "-c", by_name).output.strip() == second, "the Service by its name"
    )
    until(lambda: not pods[0].execute("python3", "-c", by_name).code, "the pod itself by its Service")


def test_the_root_of_an_image_is_the_root_of_its_containers(run_pod: RunPod) -> None:
    """With its user, entry point, environment and folder; what is written goes with the container."""
    pod = run_pod(
        {
            "name": "main",
            "image": IMAGE,
            "args": ["-"],
            "volumeMounts": [{"name": "data", "mountPath": "/srv/data"}],
            "securityContext": {"runAsNonRoot": True, "readOnlyRootFilesystem": True},
        },
        volumes=[{"name": "data", "emptyDir": {}}],
    ).wait_until_ready()
    process = until(lambda: _process(pod.status["podIP"]), "the process of the image")
    entries = {path.name for path in (process / "root").iterdir()}
    assert entries == {"bin", "dev", "etc", "proc", "srv", "sys", "var"}
    mounts = {line.split()[4]: line.split()[5] for line in (process / "mountinfo").read_text().splitlines()}
    assert mounts["/"].startswith("ro,")
    assert mounts["/srv/data"].startswith("rw,")
    assert (process / "cwd").readlink() == Path("/bin")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    assert status["Uid"].split()[0] == "65532"
    assert b"MODE=test" in (process / "environ").read_bytes().split(b"\0")


def _process(address: str) -> Path | None:
    """The folder in /proc of the process whose network has an address of a pod."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            local = (process / "net/fib_trie").read_text()
            program = (process / "exe").readlink()
        except OSError:  # ended, or a thread of the kernel
            continue
        if program == Path("/bin/box") and f"{address}\n" in local:
            return process
    return None
