"""HTTP/1.1 servers on loopback, in this process: each answers with its name and the request, or as it is set."""

import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; names of headers are in lower case, several values of one are joined by commas."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class HttpBackend:
    """One server: `HOST:PORT`, the requests that came, and the statuses of the next answers (200 when none is left)."""

    name: str
    address: str = ""
    seen: list[Seen] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)
    blocked: threading.Event | None = None
    """Answers wait for this."""


@contextmanager
def http_backend(name: str, tls: ssl.SSLContext | None = None) -> Iterator[HttpBackend]:
    """Serve until the context ends, in plaintext unless there is a context of a TLS server."""
    backend = HttpBackend(name)

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            """Nothing: what came stands in `seen`."""

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {key.lower(): ",".join(self.headers.get_all(key, [])) for key in self.headers}
            backend.seen.append(Seen(self.command, self.path, headers))
            if backend.blocked is not None:
                backend.blocked.wait()
            body = json.dumps({"backend": name, "path": self.path, "headers": headers}).encode()
            self.send_response(backend.statuses.popleft() if backend.statuses else 200)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-backend", name)
            self.end_headers()
            with suppress(ConnectionError):  # the client may have waited long enough
                self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        if tls is not None:
            # The handshake is the part of the thread of a connection.
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        backend.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield backend
        finally:
            if backend.blocked is not None:
                backend.blocked.set()
            server.shutdown()
            thread.join()
