"""The environment of a container has what Kubernetes documents, in its order."""

from testbed.cluster.command import KUBERNETES
from testbed.cluster.namespace import Namespace
from testbed.manifest import service
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.kubelet.conftest import IDLE, RunPod, container
from tests.cluster.kubelet.test_volume import config_map, secret

pytestmark = NEEDS_CLUSTER


def test_variables_refer_to_each_other_and_to_objects(namespace: Namespace, run_pod: RunPod) -> None:
    """`$(NAME)` is replaced by what was defined before; later definitions replace those of envFrom."""
    namespace.api.apply(
        config_map(namespace, {"a": "one", "b": "two"}),
        secret(namespace),
        service("backend", {"grpc": 50051}, namespace=namespace.name),
    )
    env = [
        {"name": "FIRST", "value": "x"},
        {"name": "SECOND", "value": "$(FIRST)-$(LATER)-$$(FIRST)"},
        {"name": "LATER", "value": "y"},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "password", "key": "password"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "absent", "key": "x", "optional": True}}},
        {"name": "CONFIG_b", "value": "three"},
    ]
    pod = run_pod(
        container(
            "sh",
            "-c",
            "env; echo ARGUMENT=$0; exec sleep 600",
            args=["$(SECOND)"],
            env=env,
            envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "CONFIG_"}],
            resources={"limits": {"cpu": "250m"}},
        )
    ).wait_until_ready()
    until(lambda: "ARGUMENT=" in pod.log(), "the end of the output")
    variables = dict(line.split("=", 1) for line in pod.log().splitlines())
    expected = {
        "SECOND": "x-$(LATER)-$(FIRST)",
        "ARGUMENT": "x-$(LATER)-$(FIRST)",
        "POD_IP": pod.status["podIP"],
        "LABEL": "pod",
        "CPU": "250",
        "PASSWORD": "hunter2",
        "CONFIG_a": "one",
        "CONFIG_b": "three",
        "HOSTNAME": "pod",
        "KUBERNETES_SERVICE_HOST": KUBERNETES,
        "KUBERNETES_SERVICE_PORT": "443",
        "BACKEND_SERVICE_PORT_GRPC": "50051",
    }
    assert {name: variables.get(name) for name in expected} == expected
    assert variables["NODE"].startswith("node-")
    assert "NONE" not in variables


def test_a_container_waits_for_a_key_that_is_absent(namespace: Namespace, run_pod: RunPod) -> None:
    """The reason is in its status and in an event; it starts when the key is there."""
    namespace.api.apply(config_map(namespace, {"a": "one"}))
    reference = {"configMapKeyRef": {"name": "settings", "key": "b"}}
    pod = run_pod(container(*IDLE, env=[{"name": "B", "valueFrom": reference}]))

    def reason() -> str:
        state = pod.containers.get("main", {}).get("state", {})
        return str(state.get("waiting", {}).get("reason", ""))

    until(lambda: reason() == "CreateContainerConfigError", lambda: f"{pod.status}")
    until(lambda: any("couldn't find key b" in message for message in pod.events("Failed")), "the event")
    namespace.api.apply(config_map(namespace, {"a": "one", "b": "two"}))
    assert pod.wait_until_ready().shell("echo $B") == "two"
