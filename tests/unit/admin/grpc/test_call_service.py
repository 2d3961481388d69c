"""Calls that the engine hands over: each is answered once, and one that fails harms no other."""

import asyncio
from dataclasses import dataclass, field

import pytest
from envoy.service.load_stats.v3 import lrs_pb2

from steerway.admin.grpc.call_service import CallService, WaitingCall
from steerway.admin.grpc.load_request import LoadRequest
from steerway.peer import Transport


@dataclass
class Call:
    """A call of one method."""

    id: int
    method: str = "Method"
    peer: str = "10.0.0.9:4711"
    token: str = ""
    certificate: list[str] = field(default_factory=list)
    transport: Transport = "tls"
    message: bytes = b""


class Desk:
    """Keeps what was answered."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes | tuple[int, str]] = {}
        self.arrived = asyncio.Event()

    def reply(self, call: int, message: bytes) -> None:
        self._take(call, message)

    def refuse(self, call: int, code: int, message: str) -> None:
        self._take(call, (code, message))

    def _take(self, call: int, answer: bytes | tuple[int, str]) -> None:
        assert call not in self.answers, "answered twice"
        self.answers[call] = answer
        self.arrived.set()

    async def wait(self, count: int) -> None:
        while len(self.answers) < count:
            self.arrived.clear()
            await self.arrived.wait()


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def anybody(_call: WaitingCall) -> tuple[int, str] | None:
    """No caller is refused."""
    return None


async def test_a_slow_call_delays_no_other(desk: Desk) -> None:
    """Each has a task of its own."""
    go_on = asyncio.Event()

    async def slow(message: bytes) -> bytes:
        if message == b"slow":
            await go_on.wait()
        return message

    calls = CallService(desk, {"Method": slow}, anybody)
    calls.answer([Call(1, message=b"slow"), Call(2, message=b"quick")])
    await desk.wait(1)
    assert desk.answers == {2: b"quick"}
    go_on.set()
    await desk.wait(2)


async def test_a_call_that_fails_is_answered_too(desk: Desk) -> None:
    """A request that is none is the caller's fault, everything else ours."""

    async def fail(message: bytes) -> bytes:
        raise ValueError("no request") if message == b"bad" else KeyError("a mistake of ours")

    CallService(desk, {"Method": fail}, anybody).answer([Call(1, message=b"bad"), Call(2), Call(3, "Other")])
    await desk.wait(3)
    internal = (13, "internal error; the server's log has the cause")
    assert desk.answers == {1: (3, "no request"), 2: internal, 3: internal}


async def test_a_caller_without_permission_is_refused_before_the_request_is_read(desk: Desk) -> None:
    """The check sees the whole call."""

    async def secret(_message: bytes) -> bytes:
        return b"secret"

    async def with_token(call: WaitingCall) -> tuple[int, str] | None:
        return None if call.token == "open" else (7, f"{call.peer} may not")

    CallService(desk, {"Method": secret}, with_token).answer([Call(1), Call(2, token="open")])
    await desk.wait(2)
    assert desk.answers == {1: (7, "10.0.0.9:4711 may not"), 2: b"secret"}


async def test_calls_that_wait_end_with_the_service(desk: Desk) -> None:
    """Nothing is left running."""
    started = asyncio.Event()

    async def never(_message: bytes) -> bytes:
        started.set()
        await asyncio.Event().wait()
        return b""

    calls = CallService(desk, {"Method": never}, anybody)
    calls.answer([Call(1)])
    await started.wait()
    await calls.close()
    assert desk.answers == {}


async def test_reporters_are_asked_for_every_cluster_by_locality() -> None:
    """The interval is that of the setting."""
    wanted = lrs_pb2.LoadStatsResponse.FromString(await LoadRequest(interval_seconds=2.5)(b""))
    assert wanted.send_all_clusters
    assert not wanted.report_endpoint_granularity
    assert wanted.load_reporting_interval.ToTimedelta().total_seconds() == 2.5
