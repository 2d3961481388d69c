"""Clients that abuse a control plane: `python -m bench.soak.hostile KIND HOST:PORT ADMIN_HOST:PORT NAME`.

Those of the tests (`testbed/client/abuse_program.py`), and one of the admin server.
Each runs until it is ended. NAME is an assignment that the server has and changes.
"""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

from steerway.testing.ads_client import StreamEndedError
from testbed.client import abuse_program

_HALF_REQUESTS = 300
_HALF_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
"""After a refusal: an abuser that is refused at once would use a whole core by itself."""
_IDLE = {"halves"}
"""Not used here: it fills a buffer that has a limit of its own, of hundreds of megabytes."""


def half_requests(_address: str, admin: str, _name: str) -> Iterator[None]:
    """Requests to the admin server that never end."""
    host, _, port = admin.rpartition(":")
    while True:
        with ExitStack() as open_:
            for _ in range(_HALF_REQUESTS):
                with suppress(OSError):
                    connection = open_.enter_context(
                        socket.create_connection((host, int(port)), _HALF_SECONDS)
                    )
                    connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: ")
            yield
            time.sleep(_HALF_SECONDS)


def _of_tests(kind: Callable[[str, str], Iterator[None]]) -> Callable[[str, str, str], Iterator[None]]:
    return lambda address, _admin, name: kind(address, name)


KINDS: dict[str, Callable[[str, str, str], Iterator[None]]] = {
    "half_requests": half_requests,
    **{name: _of_tests(kind) for name, kind in abuse_program.KINDS.items() if name not in _IDLE},
}


def _main(kind: str, address: str, admin: str, name: str) -> None:
    while True:
        # Being refused or cut off is what a server should do.
        with suppress(OSError, StreamEndedError):
            for _ in KINDS[kind](address, admin, name):
                pass
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    _main(*sys.argv[1:])
