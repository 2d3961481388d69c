"""gRPC clients that reach the control plane over a Unix socket, as a pod's clients reach a neighbour in the pod."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from testbed.backend.backend import Backends
from testbed.manifest import Files
from tests.real.conftest import Connect, Steer


@pytest.fixture
def address() -> Iterator[str]:
    """A path for a socket; pytest's own directories are too deep for one."""
    with TemporaryDirectory() as directory:
        yield f"unix:{directory}/xds.sock"


def test_a_client_of_the_socket_follows_its_targets(
    backends: Backends, files: Files, steer: Steer, connect: Connect, address: str
) -> None:
    """Each library sends another `:authority` there, and each is served, beside the TCP port."""
    first, second = backends.open(2)
    plane = steer("--listen", address)
    channel = connect(plane, before=[address]).dial("xds:///backend.default")
    with channel.load() as load:
        for backend in (first, second):
            host, _, port = backend.rpartition(":")
            files.write(
                "mapping.yaml", {"backend": {"eu-1a": [{"ip": host, "port": int(port), "zone": "eu-1a"}]}}
            )
            load.settle(backend)
    assert load.answers[-1].ok
    (stream,) = plane.streams()
    assert stream["address"].startswith(f"{address} (pid ")
    plane.stop()
    assert not Path(address.removeprefix("unix:")).exists()
