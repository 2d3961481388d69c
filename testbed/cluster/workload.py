"""Manifests of what runs pods: Deployments and StatefulSets of the gRPC servers in `pod_program.py` and
`testbed/backend/xds_pod_program.py`."""

import sys
from pathlib import Path

from testbed.cluster.api import api_version
from testbed.manifest import Manifest

PORT = 50051
PROBE_PORT = 50052
"""Of xDS servers, whose other port a kubelet without a certificate cannot speak to."""
_CHECKOUT = Path(__file__).parents[2]
PRE_STOP_SECONDS = 3
"""How long a pod that is to go still takes calls, so that clients are notified first; common practice."""


def deployment(
    name: str,
    namespace: str,
    replicas: int,
    min_ready_seconds: int = 0,
    pre_stop_seconds: int = PRE_STOP_SECONDS,
) -> Manifest:
    """A Deployment that never has less than its number of ready pods while it rolls. A new pod counts as one of them
    when it was ready for `min_ready_seconds`."""
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return _workload(
        "Deployment",
        name,
        namespace,
        replicas,
        pre_stop_seconds,
        strategy=strategy,
        minReadySeconds=min_ready_seconds,
    )


def xds_deployment(
    name: str, namespace: str, replicas: int, account: str, min_ready_seconds: int = 0
) -> Manifest:
    """A Deployment of the xDS server in `testbed/backend/xds_pod_program.py`, with this service account."""
    manifest = deployment(name, namespace, replicas, min_ready_seconds)
    pod = manifest["spec"]["template"]["spec"]
    pod["serviceAccountName"] = account
    (container,) = pod["containers"]
    container["command"] = _command("backend.xds_pod_program", PORT, PROBE_PORT)
    container["readinessProbe"]["tcpSocket"] = {"port": PROBE_PORT}
    return manifest


def stateful_set(name: str, namespace: str, replicas: int) -> Manifest:
    """A StatefulSet; its Service has the same name. All pods start at once."""
    return _workload(
        "StatefulSet",
        name,
        namespace,
        replicas,
        PRE_STOP_SECONDS,
        serviceName=name,
        podManagementPolicy="Parallel",
    )


def _workload(
    kind: str, name: str, namespace: str, replicas: int, pre_stop_seconds: int, **spec: object
) -> Manifest:
    labels = {"app": name}
    return {
        "apiVersion": api_version(kind),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _pod(pre_stop_seconds)},
            **spec,
        },
    }


def _pod(pre_stop_seconds: int) -> Manifest:
    container = {
        "name": "server",
        "image": "none",
        "command": _command("cluster.pod_program", PORT),
        "env": [
            {"name": "PYTHONPATH", "value": str(_CHECKOUT)},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "ports": [{"name": "grpc", "containerPort": PORT}],
        "readinessProbe": {"periodSeconds": 1, "tcpSocket": {"port": PORT}},
        "lifecycle": {"preStop": {"sleep": {"seconds": pre_stop_seconds}}},
    }
    return {"terminationGracePeriodSeconds": pre_stop_seconds + 7, "containers": [container]}


def _command(program: str, *ports: int) -> list[str]:
    addresses = [f"$(POD_IP):{port}" for port in ports]
    return [sys.executable, "-P", "-m", f"testbed.{program}", *addresses]
