"""Credentials of a client reach Python with the opened stream, and Python may refuse the stream."""

import grpc
import pytest

from steerway.engine.engine import Opened
from steerway.testing.ads_client import AdsClient, SotwStream
from steerway.translate.xds.type_url import CLUSTER
from testbed.xds_server import XdsServer, contents, put

SECRET = "header.payload.signature"


def refuse_without_token(opened: Opened) -> tuple[int, str] | None:
    return None if opened.token == SECRET else (16, "a bearer token is needed: 100 % of clients have one")


def ask(client: AdsClient) -> SotwStream:
    stream = client.sotw()
    stream.request(CLUSTER, "a")
    return stream


@pytest.mark.parametrize(
    ("metadata", "token"),
    [
        ([], ""),
        ([("authorization", f"Bearer {SECRET}")], SECRET),
        ([("authorization", f"bearer {SECRET}")], SECRET),
        ([("authorization", f"Basic {SECRET}")], ""),
        ([("authorization", "Basic abc"), ("authorization", f"Bearer {SECRET}")], SECRET),
    ],
)
def test_bearer_token_of_the_metadata(server: XdsServer, metadata: list[tuple[str, str]], token: str) -> None:
    """The token is reported once, with the opened stream."""
    with AdsClient(server.address, metadata=metadata) as client:
        ask(client)
        (opened,) = server.wait(Opened)
    assert (opened.token, opened.certificate, opened.transport) == (token, [], "plaintext")


def test_token_is_in_no_representation(server: XdsServer) -> None:
    """Neither the event nor the stream shows it."""
    with AdsClient(server.address, metadata=[("authorization", f"Bearer {SECRET}")]) as client:
        ask(client)
        (opened,) = server.wait(Opened)
        (stream,) = server.engine.streams()
    assert SECRET not in repr(opened)
    assert SECRET not in str([getattr(stream, name) for name in dir(stream)])


def test_refused_stream_ends_with_the_status() -> None:
    """The refused client gets code and message, is counted, and receives no resource; others are served."""
    with XdsServer(refusal=refuse_without_token) as server:
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1", "test")])
        with (
            AdsClient(server.address) as stranger,
            AdsClient(server.address, metadata=[("authorization", f"Bearer {SECRET}")]) as friend,
        ):
            ended = ask(stranger).end()
            assert contents(ask(friend).read()) == {"a": "1"}
        assert ended.code is grpc.StatusCode.UNAUTHENTICATED
        assert ended.details == "a bearer token is needed: 100 % of clients have one"
        assert server.engine.stats().rejected == {"UNAUTHENTICATED": 1}
        assert len(server.wait(Opened, 2)) == 2


def test_stream_with_an_audience_is_not_refused(server: XdsServer) -> None:
    """A refusal has no effect on a stream with an audience, nor on a closed one."""
    server.publish([put(CLUSTER, "a", "1", "test")])
    with AdsClient(server.address) as client:
        stream = ask(client)
        stream.ack(stream.read())
        (opened,) = server.wait(Opened)
        server.engine.reject([(opened.stream, 7, "too late"), (1 << 40, 7, "unknown stream")])
        server.assert_silent(stream)


@pytest.mark.parametrize("code", [0, 17, -1, 1 << 40])
def test_code_must_be_that_of_an_error(server: XdsServer, code: int) -> None:
    """gRPC has the codes 1 to 16 for errors."""
    with pytest.raises(ValueError, match=f"code: {code} is not a whole number from 1 to 16"):
        server.engine.reject([(1, code, "why")])
