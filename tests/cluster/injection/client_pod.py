"""Pods with gRPC clients that have nothing but what was injected."""

import json
import shlex
from collections.abc import Mapping, Sequence

from testbed.client.grpc_client import Library, program
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import until

LIBRARIES: tuple[Library, ...] = ("grpcio", "grpc-go", "grpc-java", "grpc-js")
LABEL = "steerway.io/inject"


class Clients:
    """Pods with a container for each library, that calls `xds:///backend:50051` all the time: the namespace of the
    short name is that of the bootstrap."""

    def __init__(self, namespace: Namespace, backends: Sequence[str]) -> None:
        self._namespace = namespace
        self._backends = set(backends)

    def start(
        self,
        name: str,
        libraries: Sequence[Library] = LIBRARIES,
        env: Sequence[Manifest] = (),
        annotations: Mapping[str, str] | None = None,
        label: str = "enabled",
    ) -> None:
        containers = [
            {"name": library, "image": "none", "env": list(env), "command": _command(program(library))}
            for library in libraries
        ]
        spec = {"containers": containers, "terminationGracePeriodSeconds": 0}
        labels = {"app": name, LABEL: label}
        self._namespace.create_pod(name, spec, labels=labels, annotations=dict(annotations or {}))

    def wait_for_answers(self, name: str, libraries: Sequence[Library] = LIBRARIES) -> None:
        """Until the backends have answered each client."""
        for library in libraries:
            self._wait(name, library)

    def _wait(self, name: str, library: Library) -> None:
        until(lambda: self._is_answered(name, library), lambda: self._log(name, library))

    def _is_answered(self, name: str, library: str) -> bool:
        lines = (line for line in self._log(name, library).splitlines() if line.startswith("{"))
        return any(json.loads(line).get("backend") in self._backends for line in lines)

    def _log(self, name: str, library: str) -> str:
        pod = self._namespace.api.get("Pod", self._namespace.name, name)
        states = {state["name"]: state for state in pod["status"].get("containerStatuses", [])}
        if "running" not in states.get(library, {}).get("state", {}):
            events = self._namespace.api.list("Event", self._namespace.name)
            return f"not running: {[event['message'] for event in events]} {pod['status']}"
        return self._namespace.api.log(self._namespace.name, name, library)


def _command(client: Sequence[str]) -> list[str]:
    commands = [
        {"do": "dial", "channel": "0", "target": "xds:///backend:50051", "idle_seconds": 0},
        {"do": "start", "channel": "0", "rate": 2},
    ]
    lines = " ".join(shlex.quote(json.dumps(command)) for command in commands)
    return ["/bin/sh", "-c", f"{{ printf '%s\\n' {lines}; exec sleep 600; }} | exec {shlex.join(client)}"]
