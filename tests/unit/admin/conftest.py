"""A view with plain values behind it, and an HTTP client that calls the application without a socket."""

from collections.abc import AsyncIterator

import httpx
import pytest

from steerway.admin.api.http_route import application
from tests.unit.admin.admin_world import World


@pytest.fixture
def world() -> World:
    """An empty, ready world."""
    return World()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application over `world`."""
    transport = httpx.ASGITransport(app=application(world.view()))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
        yield client
