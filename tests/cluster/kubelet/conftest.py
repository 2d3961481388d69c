"""Small pods: containers are commands of this machine."""

from collections.abc import Callable

import pytest

from testbed.cluster.api import Execution
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import until

IDLE = ("sleep", "600")


def container(*command: str, name: str = "main", **fields: object) -> Manifest:
    """A container that runs a command."""
    return {"name": name, "image": "none", "command": list(command), **fields}


class Pod:
    """One pod of a test."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self._namespace = namespace
        self._api = namespace.api
        self.name = name

    @property
    def status(self) -> Manifest:
        status: Manifest = self._api.get("Pod", self._namespace.name, self.name)["status"]
        return status

    @property
    def containers(self) -> dict[str, Manifest]:
        """The status of each container, init containers among them, by name."""
        kinds = ("initContainerStatuses", "containerStatuses")
        status = self.status
        return {item["name"]: item for kind in kinds for item in status.get(kind, [])}

    def wait_until_ready(self) -> "Pod":
        def ready() -> bool:
            conditions = self.status.get("conditions", [])
            return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

        until(ready, lambda: f"{self.name} is ready: {self.status}")
        return self

    def wait_for_phase(self, phase: str) -> "Pod":
        until(lambda: self.status["phase"] == phase, lambda: f"{self.name} is {phase}: {self.status}")
        return self

    def execute(self, *command: str, container: str = "main") -> Execution:
        return self._api.execute(self._namespace.name, self.name, *command, container=container)

    def shell(self, script: str) -> str:
        """What a script writes in the container `main`; it must succeed."""
        done = self.execute("sh", "-c", script)
        assert done.code == 0, done
        return done.output.strip()

    def log(self, container: str = "main") -> str:
        return self._api.log(self._namespace.name, self.name, container)

    def events(self, reason: str) -> list[str]:
        """The messages of the pod's events with a reason."""
        events = self._api.list("Event", self._namespace.name)
        return [
            event["message"]
            for event in events
            if event["reason"] == reason and event["involvedObject"]["name"] == self.name
        ]


RunPod = Callable[..., Pod]


@pytest.fixture
def run_pod(namespace: Namespace) -> RunPod:
    """Creates a pod of the given containers: `run_pod(container(*IDLE), volumes=[…])`; further fields of its `spec`."""

    def run(
        *containers: Manifest, name: str = "pod", annotations: Manifest | None = None, **spec: object
    ) -> Pod:
        described = {"containers": list(containers), "terminationGracePeriodSeconds": 1, **spec}
        namespace.create_pod(name, described, **({"annotations": annotations} if annotations else {}))
        return Pod(namespace, name)

    return run
