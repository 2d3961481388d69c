"""A serving engine on loopback, and a client connected to it."""

from collections.abc import Iterator

import pytest

from steerway.testing.ads_client import AdsClient
from testbed.xds_server import XdsServer


@pytest.fixture
def server() -> Iterator[XdsServer]:
    """A serving engine; every client has the audience "test"."""
    with XdsServer() as server:
        server.engine.set_serving(True)
        yield server


@pytest.fixture
def client(server: XdsServer) -> Iterator[AdsClient]:
    """A client of `server`."""
    with AdsClient(server.address) as client:
        yield client
