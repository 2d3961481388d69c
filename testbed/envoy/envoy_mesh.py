"""A steerway on a directory of manifests, and Envoys of each role that follow it and have refused nothing."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Answer
from testbed.client.plain_grpc import PlainGrpc
from testbed.envoy.envoy_proxy import Envoy
from testbed.manifest import NAMESPACE, PORT, Files, Manifest, service, slices
from testbed.process.control_plane import ControlPlane, Steer
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.free_port import free_port
from testbed.process.process import Processes

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "envoy.md"
AUTHORITY = f"backend.{NAMESPACE}:{PORT}"


class EnvoyMesh:
    """`files` are the manifests, `backends` what they may name."""

    def __init__(
        self,
        processes: Processes,
        files: Files,
        backends: Backends,
        steer: Steer,
        directory: Path,
        *options: str,
    ) -> None:
        self.files = files
        self.backends = backends
        self.ports = {"sidecar": free_port(), "gateway": free_port()}
        self.plane: ControlPlane = steer(
            *("--envoy-listen", f"127.0.0.1:{self.ports['sidecar']}"),
            *("--envoy-gateway-listen", f"127.0.0.1:{self.ports['gateway']}"),
            *("--log-level", "warning"),
            *options,
        )
        self._processes = processes
        self._directory = directory
        self._envoys: list[Envoy] = []
        self._opened = ExitStack()

    def start(
        self,
        role: str = "sidecar",
        protocol: str = "DELTA_GRPC",
        zone: str = "eu-1a",
        id: str = "web-0",
        large_expressions: bool = True,
        runtime: Mapping[str, object] | None = None,
    ) -> Envoy:
        """An Envoy with the bootstrap of the guide, listening; without what it has for large regular expressions where
        they are not wanted. `runtime` sets features of Envoy itself."""
        bootstrap = guide_bootstrap(self.plane.address)
        bootstrap["node"] |= {"id": id, "locality": {"zone": zone}}
        bootstrap["node"]["metadata"]["steerway.io/role"] = role
        bootstrap["dynamic_resources"]["ads_config"]["api_type"] = protocol
        if not large_expressions:
            del bootstrap["layered_runtime"]
            del bootstrap["node"]["metadata"]["steerway.io/re2-max-program-size"]
        if runtime:
            layers = bootstrap.setdefault("layered_runtime", {"layers": []})["layers"]
            layers.append({"name": "features", "static_layer": dict(runtime)})
        envoy = Envoy(self._processes, bootstrap, self._directory)
        self._envoys.append(envoy)
        envoy.wait_until_listening(self.ports[role])
        return envoy

    def grpc(
        self, authority: str = AUTHORITY, role: str = "sidecar", deadline_seconds: float = 20.0
    ) -> PlainGrpc:
        """A new channel to the listener of an Envoy."""
        channel = PlainGrpc(f"127.0.0.1:{self.ports[role]}", authority, deadline_seconds)
        return self._opened.enter_context(channel)

    def http(self, host: str, role: str = "sidecar") -> httpx.Client:
        """A client whose requests go to the listener of an Envoy, with this `Host`. It follows no redirects."""
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.ports[role]}",
            headers={"host": host},
            trust_env=False,
            timeout=PATIENCE_SECONDS,
        )
        return self._opened.enter_context(client)

    def publish_http(self, name: str, *addresses: str) -> None:
        """A Service of HTTP/1.1 with the one port 80, which is named so."""
        self.files.write(f"{name}.yaml", service(name, {"http": 80}), *slices(name, addresses, "http"))

    def write(self, *documents: Manifest) -> None:
        """Replace the routes and policies."""
        self.files.write("traffic.yaml", *documents)

    def disconnect(self) -> None:
        """End the channels."""
        self._opened.close()

    def close(self) -> None:
        """End the channels; Envoys and steerway agree that nothing was refused, and all that was written is read."""
        self.disconnect()
        for envoy in self._envoys:
            envoy.assert_nothing_refused()
        self.plane.assert_no_nack()
        unread = [problem for problem in self.plane.problems() if "traffic.yaml" in problem["where"]]
        assert not unread


@pytest.fixture
def mesh(
    processes: Processes, files: Files, backends: Backends, steer: Steer, tmp_path: Path
) -> Iterator[EnvoyMesh]:
    """A steerway that has no manifests and no Envoys yet."""
    made = EnvoyMesh(processes, files, backends, steer, tmp_path)
    yield made
    made.close()


def eventually(ask: Callable[[], Any], wanted: Callable[[Any], bool], what: str) -> Any:
    """Ask until the answer is as wanted, and return it. An Envoy is ready a moment before it listens."""
    last: list[Any] = []

    def look() -> bool:
        try:
            last[:] = [ask()]
        except httpx.ConnectError as error:
            last[:] = [error]
            return False
        return wanted(last[0])

    until(look, lambda: f"{what}; last was {last}")
    return last[0]


def answered_by(*backends: str) -> Callable[[Answer], bool]:
    """Whether one of these has answered."""
    return lambda answer: answer.backend in backends


def guide_bootstrap(steerway: str) -> dict[str, Any]:
    """The bootstrap of the guide, with the address of a steerway and an admin on any port."""
    match = re.search(r"```yaml\n(node:.*?)```", GUIDE.read_text(), re.DOTALL)
    assert match is not None
    host, _, port = steerway.rpartition(":")
    text = match[1].replace(
        "address: steerway.steerway-system, port_value: 18000", f"address: {host}, port_value: {port}"
    )
    text = text.replace("port_value: 15000", "port_value: 0")
    assert text.count("port_value: 0}") == 1
    bootstrap: dict[str, Any] = yaml.safe_load(text)
    return bootstrap
