"""The admin server on a real socket: its port, its end, and what it leaves alone."""

import asyncio
import re
import signal
import socket

import httpx
import pytest

from steerway.admin import AdminServer
from steerway.errors import ListenError
from testbed.process.deadline import PATIENCE_SECONDS
from tests.support.http_limits import http_limits
from tests.unit.admin.admin_world import World


async def test_it_returns_the_chosen_port_serves_and_stops(world: World) -> None:
    """Port 0 becomes a real one; after stop nothing listens there."""
    server = AdminServer("127.0.0.1:0", world.view(), http_limits())
    address = await server.start()
    try:
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", address)
        async with httpx.AsyncClient(base_url=f"http://{address}") as http:
            answer = await http.get("/readyz")
        assert answer.status_code == 200
        assert "server" not in answer.headers
    finally:
        await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address.split(":"))
    await server.stop()


async def test_signals_stay_with_the_program(world: World) -> None:
    """uvicorn would take SIGTERM for itself; the program decides what it means."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = AdminServer("127.0.0.1:0", world.view(), http_limits())
    await server.start()
    try:
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    finally:
        await server.stop()


async def test_a_waiting_connection_does_not_hold_up_the_end(world: World) -> None:
    """A client that keeps its connection open is cut off."""
    server = AdminServer("127.0.0.1:0", world.view(), http_limits())
    host, port = (await server.start()).split(":")
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await server.stop()
            await reader.read()
    finally:
        writer.close()


async def test_its_hosts_are_addresses_and_the_names_that_were_given(world: World) -> None:
    """`localhost` and the name of `admin` among them; the probes are no exception."""
    server = AdminServer("localhost:0", world.view(), http_limits(), hosts=["admin.example"])
    address = await server.start()
    statuses = {}
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}") as http:
            for host in ("localhost", "admin.example:18001", "10.0.0.1:18001", "evil.example"):
                statuses[host] = (await http.get("/healthz", headers={"host": host})).status_code
    finally:
        await server.stop()
    assert list(statuses.values()) == [200, 200, 200, 421]


async def test_a_taken_port_is_a_clear_error(world: World) -> None:
    """The address, the reason and the flag to use."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError, match=rf"cannot serve HTTP on {address}: .*in use.*--admin"):
            await AdminServer(address, world.view(), http_limits()).start()


async def test_an_ipv6_address_is_written_in_brackets(world: World) -> None:
    """The announced address can be pasted into a URL."""
    server = AdminServer("[::1]:0", world.view(), http_limits())
    try:
        assert re.fullmatch(r"\[::1\]:[1-9]\d*", await server.start())
    finally:
        await server.stop()
