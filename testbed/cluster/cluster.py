"""A Kubernetes cluster on this machine: real etcd, API server, controllers, scheduler, kubelets and Service proxy; a
stand-in for the DNS server."""

import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from testbed.cluster import command
from testbed.cluster.api import Api
from testbed.cluster.network import Network
from testbed.cluster.part import Part
from testbed.manifest import Manifest
from testbed.process.deadline import until

_GUEST_SHIFT = 10_000
_CONNECT_SECONDS = 1.0


class Cluster:
    """One cluster in a network namespace of its own; its state is in `folder`, which must be empty.

    With `ends_with_parent` it ends with this process, else when its parts are killed. One that is a `guest` is in
    the network namespace of another: etcd and API server alone, on ports of their own. `images` and
    `api_server_options`: see `Commands`.
    """

    def __init__(
        self,
        box: Path,
        folder: Path,
        network: Network,
        ends_with_parent: bool,
        guest: bool = False,
        images: Mapping[str, Path] = MappingProxyType({}),
        api_server_options: Sequence[str] = (),
    ) -> None:
        self.network = network
        shift = _GUEST_SHIFT if guest else 0
        self.commands = command.Commands(box, folder, shift, images, api_server_options)
        self._guest = guest
        self.parts: dict[str, Part] = {}
        self._ends_with_parent = ends_with_parent
        self.token = secrets.token_hex(16)
        """Of a user with all permissions."""
        self.api = Api(self.commands.server, self.commands.certificate, self.token)

    def start(self) -> None:
        """Start everything and wait until pods could run. Raises NetworkError, and AssertionError with a log."""
        self._write_secrets()
        if not self._guest:
            self.network.create()
        with self.network.entered():
            self._start("etcd", self.commands.etcd())
            self.start_api_server()
            if self._guest:
                return
            self._start("scheduler", self.commands.scheduler())
            self.start_controllers()
            for node in command.NODES:
                self._start(node, self.commands.kubelet(node))
            self._start("proxy", self.commands.proxy())
            self._start("dns", self.commands.dns())
            self._wait(
                lambda: sum(map(_schedulable, self.api.list("Node"))) == len(command.NODES), "the nodes"
            )
            self._wait(lambda: _accepts(command.KUBERNETES, 443), "the Service kubernetes")
            self._wait(lambda: _accepts(command.DNS_SERVER, 53), "the DNS server")

    def start_api_server(self) -> None:
        """Start the API server on the data that is there and wait until it is ready."""
        self._start("api-server", self.commands.api_server())
        self._wait(self.api.ready, "the API server")

    def kill_api_server(self) -> None:
        """End it without notice; etcd keeps the data. What former tests have left is removed first: the pods of a test
        are not to depend on the end of another one's."""
        until(lambda: not self._leaving(), lambda: f"the end of {self._leaving()}")
        self.parts["api-server"].kill()

    def _leaving(self) -> set[str]:
        """Namespaces that are being deleted and still have requests for certificates of pods."""
        namespaces = (item["metadata"] for item in self.api.list("Namespace"))
        deleted = {item["name"] for item in namespaces if "deletionTimestamp" in item}
        requests = self.api.list("PodCertificateRequest") if deleted else []
        return deleted & {request["metadata"]["namespace"] for request in requests}

    def start_controllers(self) -> None:
        """Start them, again if they run: after an outage they wait up to half a minute before they go on."""
        if controllers := self.parts.get("controllers"):
            controllers.kill()
        self._start("controllers", self.commands.controllers())

    def stop(self) -> None:
        """End every part and remove the namespace. Stopping what never started does no harm."""
        for part in reversed(self.parts.values()):
            part.kill()
        self.api.close()
        if not self._guest:
            self.network.delete()

    def _start(self, name: str, line: list[str]) -> None:
        log = self.commands.folder / f"{name}.log"
        self.parts[name] = Part(name, line, log, self._ends_with_parent)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        def checked() -> bool:
            for part in self.parts.values():
                part.check()
            return condition()

        until(
            checked,
            lambda: f"{what} of the cluster; log of the API server:\n{self.parts['api-server'].log()}",
        )

    def _write_secrets(self) -> None:
        nodes = {} if self._guest else command.NODES
        self.commands.credentials.write(self.commands.server, command.API_SERVER_NAMES, nodes, self.token)


def _schedulable(node: Manifest) -> bool:
    return not node["spec"].get("taints")


def _accepts(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), _CONNECT_SECONDS):
            return True
    except OSError:
        return False
