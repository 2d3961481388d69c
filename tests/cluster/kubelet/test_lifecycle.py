"""Containers start, are probed, restart and end in the order that Kubernetes documents."""

import signal
from pathlib import Path

from testbed.cluster.namespace import Namespace
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.kubelet.conftest import IDLE, RunPod, container

pytestmark = NEEDS_CLUSTER

_MOUNT = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
_TERMINATED = 128 + signal.SIGTERM
_VOLUME = {"volumes": [{"name": "data", "emptyDir": {}}]}


def test_init_containers_run_one_after_the_other_and_sidecars_go_on(run_pod: RunPod) -> None:
    """The second waits for the startup probe of the sidecar before it."""
    started = {"exec": {"command": ["test", "-f", "/data/sidecar"]}}
    sidecar = container(
        "sh",
        "-c",
        "cat /data/first; echo sidecar > /data/sidecar; sleep 600",
        name="sidecar",
        restartPolicy="Always",
        startupProbe={**started, "periodSeconds": 1},
        **_MOUNT,
    )
    pod = run_pod(
        container("cat", "/data/first", "/data/sidecar", **_MOUNT),
        initContainers=[
            container("sh", "-c", "echo first > /data/first", name="first", **_MOUNT),
            sidecar,
            container("cat", "/data/sidecar", name="second", **_MOUNT),
        ],
        restartPolicy="Never",
        **_VOLUME,
    ).wait_for_phase("Succeeded")
    logs = {name: pod.log(name) for name in ("sidecar", "second", "main")}
    assert logs == {"sidecar": "first\n", "second": "sidecar\n", "main": "first\nsidecar\n"}


def test_a_container_that_fails_its_liveness_probe_is_restarted(run_pod: RunPod) -> None:
    """In the same pod, whose volumes stay. The probe begins when the startup probe has succeeded."""
    probe = {"exec": {"command": ["test", "-f", "/data/alive"]}, "periodSeconds": 1, "timeoutSeconds": 30}
    script = "echo run >> /data/runs; touch /data/alive; exec sleep 600"
    probes = {
        "startupProbe": {**probe, "failureThreshold": 60},
        "livenessProbe": {**probe, "failureThreshold": 1},
    }
    pod = run_pod(container("sh", "-c", script, **probes, **_MOUNT), **_VOLUME).wait_until_ready()
    assert pod.shell("rm /data/alive; cat /data/runs") == "run"
    until(lambda: pod.containers["main"]["restartCount"] == 1, lambda: f"a restart: {pod.status}")
    assert pod.wait_until_ready().shell("cat /data/runs") == "run\nrun"
    assert pod.containers["main"]["lastState"]["terminated"]["exitCode"] == _TERMINATED


def test_a_pod_that_is_deleted_ends_after_its_hook(
    namespace: Namespace, run_pod: RunPod, tmp_path: Path
) -> None:
    """The hook of preStop runs before SIGTERM; what ignores that is killed after the grace period."""
    log = tmp_path / "log"
    script = f"trap 'echo TERM >> {log}; exit' TERM; echo started > {log}; while :; do sleep 0.1; done"
    hook = {"preStop": {"exec": {"command": ["sh", "-c", f"echo hook >> {log}"]}}}
    polite = run_pod(container("sh", "-c", script, lifecycle=hook), terminationGracePeriodSeconds=60)
    ignoring = "trap '' TERM; while :; do sleep 0.1; done"
    stubborn = run_pod(container("sh", "-c", ignoring), name="stubborn")
    for pod in (polite, stubborn):
        pod.wait_until_ready()
    until(log.is_file, "the start of the script")
    for pod in (polite, stubborn):
        namespace.api.delete("Pod", namespace.name, pod.name)
    until(lambda: not namespace.api.list("Pod", namespace.name), "the end of the pods")
    assert log.read_text() == "started\nhook\nTERM\n"


def test_a_process_that_ends_shows_its_exit_code(run_pod: RunPod) -> None:
    """And a command that does not exist shows why."""
    pod = run_pod(container("sh", "-c", "echo problem; exit 7"), restartPolicy="Never").wait_for_phase(
        "Failed"
    )
    assert pod.containers["main"]["state"]["terminated"]["exitCode"] == 7
    assert pod.log() == "problem\n"
    absent = run_pod(container("steerway-absent"), name="absent", restartPolicy="Never").wait_for_phase(
        "Failed"
    )
    message = absent.containers["main"]["state"]["terminated"]["message"]
    assert 'exec: "steerway-absent": executable file not found in $PATH' in message


def test_commands_run_in_a_container(run_pod: RunPod) -> None:
    """With its files and environment; output, errors and exit code are the caller's."""
    env = [{"name": "COLOR", "value": "red"}]
    pod = run_pod(container(*IDLE, env=env), container(*IDLE, name="other")).wait_until_ready()
    done = pod.execute("sh", "-c", "echo $COLOR; echo problem >&2; exit 3")
    assert (done.output, done.error, done.code) == ("red\n", "problem\n", 3)
    assert pod.execute("sh", "-c", "echo $COLOR", container="other").output == "\n"
