"""The way to a server, as a TCP forwarder that a test can cut and restore, and that gives a client another address.

TLS goes through untouched. A cut is what a network partition or the API server's load balancer does: open watches
break, and new connections are refused until the link is restored.
"""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 65536


class Forwarder:
    """Forwards `address` (its port is chosen when it is made) to `server`, each `HOST:PORT` of this machine. `source`:
    the address from which its connections come; "": any."""

    def __init__(self, server: str, host: str = "127.0.0.1", source: str = "") -> None:
        self._host = host
        self._source = (source, 0) if source else None
        server_host, _, port = server.rpartition(":")
        self._server = (server_host, int(port))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = self._listen(0)
        self._port: int = self._listener.getsockname()[1]

    @property
    def address(self) -> str:
        return f"{self._host}:{self._port}"

    def cut(self) -> None:
        """Break every connection; refuse new ones."""
        with self._lock:
            # A listener is woken by a shutdown only, not by its close.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        """Accept connections again, at the same address."""
        self._listener = self._listen(self._port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener.fileno() >= 0:
            self.cut()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server((self._host, port))
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._forward, args=[listener, client], daemon=True).start()

    def _forward(self, listener: socket.socket, client: socket.socket) -> None:
        """Carry one connection both ways until either side ends it."""
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(self._server, source_address=self._source) as server,
        ):
            with self._lock:
                if listener.fileno() < 0:  # cut while the server was being dialled
                    return
                self._open |= {client, server}
            try:
                back = threading.Thread(target=_carry, args=[server, client], daemon=True)
                back.start()
                _carry(client, server)
                back.join()
            finally:
                with self._lock:
                    self._open -= {client, server}


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
