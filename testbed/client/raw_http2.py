"""The least of HTTP/2 (RFC 9113) that a misbehaving client needs: it writes frames and never lets the server send DATA.

grpcio follows the rules; what happens to a server when a client does not can only be seen from below it.
"""

import socket
import struct
from collections import defaultdict
from types import TracebackType
from typing import Self

from google.protobuf.message import Message

from testbed.process.deadline import PATIENCE_SECONDS

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 2, 3, 4, 6, 7
WINDOW_UPDATE, CONTINUATION = 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
_INITIAL_WINDOW_SIZE = 4
_FIRST_WINDOW = 65_535
_IP_BIND_ADDRESS_NO_PORT = 24
"""Of Linux; the socket module of Python 3.11 has no name for it."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def grpc_message(message: Message) -> bytes:
    """A gRPC message, not compressed."""
    body = message.SerializeToString()
    return struct.pack(">BI", 0, len(body)) + body


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def _headers(path: str) -> bytes:
    """HPACK (RFC 7541) without Huffman and without a dynamic table: POST, http, and four literals."""
    return b"".join(
        (
            b"\x83\x86",
            b"\x04" + _text(path),
            b"\x01" + _text("test"),
            b"\x0f\x10" + _text("application/grpc"),
            b"\x00" + _text("te") + _text("trailers"),
        )
    )


def opening(stream: int, path: str) -> bytes:
    """The frame that begins a request. Path: less than 127 bytes."""
    return frame(HEADERS, END_HEADERS, stream, _headers(path))


def connect(address: str, source: str | None = None) -> socket.socket:
    """A TCP connection to `HOST:PORT`. `source`: the IPv4 address that it comes from; None: any."""
    host, _, port = address.rpartition(":")
    if source is None:
        return socket.create_connection((host, int(port)), PATIENCE_SECONDS)
    client = socket.socket()
    try:
        # The port is chosen by `connect`: `bind` would not reuse those of closed connections, and run out of them.
        client.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        client.bind((source, 0))
        client.settimeout(PATIENCE_SECONDS)
        client.connect((host, int(port)))
    except OSError:
        client.close()
        raise
    return client


class RawConnection:
    """A connection whose flow-control window is 0 from the beginning. `source`: as for `connect`."""

    def __init__(self, address: str, source: str | None = None) -> None:
        self._socket = connect(address, source)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._windows: dict[int, int] = defaultdict(lambda: _FIRST_WINDOW)
        settings = struct.pack(">HI", _INITIAL_WINDOW_SIZE, 0)
        self.write(PREFACE + frame(SETTINGS, 0, 0, settings))

    def write(self, data: bytes) -> None:
        """Send these bytes."""
        self._socket.sendall(data)

    def open(self, stream: int, path: str) -> None:
        """Begin a request; the client's streams are odd and ascending. Path: less than 127 bytes."""
        self.write(opening(stream, path))

    def send(self, stream: int, data: bytes, flags: int = 0) -> None:
        """Send DATA, up to 16 KiB."""
        self.write(frame(DATA, flags, stream, data))

    def send_in_window(self, stream: int, data: bytes) -> None:
        """Send DATA, up to 16 KiB, as soon as the server's windows have room for it."""
        while min(self._windows[0], self._windows[stream]) < len(data):
            kind, _, updated, payload = self.read_frame()
            if kind == WINDOW_UPDATE:
                self._windows[updated] += struct.unpack(">I", payload)[0]
        self._windows[0] -= len(data)
        self._windows[stream] -= len(data)
        self.send(stream, data)

    def read_frame(self) -> tuple[int, int, int, bytes]:
        """Kind, flags, stream and payload of the next frame; ConnectionError when the server has closed."""
        head = self._take(9)
        (length,) = struct.unpack(">I", b"\0" + head[:3])
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return kind, flags, stream, self._take(length)

    def wait_closed(self) -> None:
        """Read until the server closes; TimeoutError when it does not."""
        try:
            while True:
                self.read_frame()
        except ConnectionError:
            return

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            piece = self._socket.recv(1 << 16)
            if not piece:
                raise ConnectionError("the server closed the connection")
            self._received += piece
        taken, self._received = self._received[:count], self._received[count:]
        return taken
