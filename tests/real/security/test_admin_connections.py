"""Clients of the admin server that hold connections, beside clients of xDS, with few open files."""

import socket
from contextlib import ExitStack

import pytest

from testbed.backend.backend import Backends
from testbed.manifest import Files
from testbed.process.deadline import PATIENCE_SECONDS, until
from tests.real.conftest import Connect, Steer

OPEN_FILES = 160
"""Half of them are for xDS connections, an eighth for the admin server."""
HALF_SENT = 200


@pytest.mark.parametrize("connect", ["grpcio"], indirect=True)
def test_half_sent_requests_stop_neither_new_clients_nor_probes(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """More connections than the process may open files: a new gRPC client is served, and the log stays short."""
    (backend,) = backends.open(1)
    files.publish([backend])
    plane = steer(open_files=OPEN_FILES)
    until(plane.ready, "the plane is ready")
    host, _, port = plane.admin.removeprefix("http://").rpartition(":")
    with ExitStack() as stack:
        for _ in range(HALF_SENT):
            client = stack.enter_context(socket.create_connection((host, int(port)), PATIENCE_SECONDS))
            client.sendall(b"GET /api/v1/streams HTTP/1.1\r\nhost: localhost\r\n")
        assert plane.ready()
        channel = connect(plane).dial("xds:///backend.shop:50051")
        channel.wait_for_answer()
        assert plane.metric("steerway_http_connections", server="admin") <= OPEN_FILES // 8
        assert plane.metric("steerway_http_refused_total", server="admin", limit="connections") > 0
    assert plane.metric("steerway_http_refused_total", limit="open_files") == 0
    lines = [line for line in plane.process.errors if "limit_reached" in line]
    assert 0 < len(lines) <= HALF_SENT // 4, plane.process.complaint("logs each connection")
    assert not any("Traceback" in line for line in plane.process.errors)
