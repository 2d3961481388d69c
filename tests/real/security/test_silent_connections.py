"""Silent connections beside clients of `steerway serve`: they wait for nothing and are not cut off."""

import socket
from contextlib import ExitStack

from testbed.backend.backend import Backends
from testbed.manifest import Files
from testbed.process.deadline import PATIENCE_SECONDS
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop"
MAX_CONNECTIONS = 12
SILENT = 40


def test_silent_connections_of_one_address_keep_no_client_out(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """More of them than there are places: a new client is served, and one that was served stays."""
    (address,) = backends.open(1)
    files.publish([address])
    plane = steer("--max-connections", str(MAX_CONNECTIONS))
    first = connect(plane).dial(TARGET)
    first.wait_for_answer()
    with ExitStack() as stack:
        host, port = plane.address.rsplit(":", 1)
        for _ in range(SILENT):
            silent = socket.create_connection((host, int(port)), PATIENCE_SECONDS, ("127.0.0.9", 0))
            stack.enter_context(silent)
        plane.process.wait(
            lambda: any(
                "limit_reached" in line and "limit=connections" in line and "127.0.0.9" in line
                for line in plane.process.errors
            ),
            "a line that names the address",
        )
        second = connect(plane).dial(TARGET)
        second.wait_for_answer()
        assert first.call()[0].ok
        assert plane.metric("steerway_refused_total", limit="connections") >= SILENT - MAX_CONNECTIONS
        assert plane.metric("steerway_connections") <= MAX_CONNECTIONS
        assert len(plane.streams()) == 2
