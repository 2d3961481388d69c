"""TCP connections and TLS to the API server, for `client.py`.

A peer that is gone without a FIN (a host that lost power, a load balancer that dropped its table) would be noticed
after minutes, by the read timeout of the watch. So every connection has TCP keepalive from its first packet on.

The API server sends no HTTP/2 PING and HTTP/1.1 has none, so keepalive is left to TCP. It finds dead hosts and links; a
process that hangs behind a live kernel or proxy answers keepalive probes, and is found by the silence of the watch.
"""

import os
import socket
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from steerway.sources.kubernetes.credential.configuration import Tls

KEEPALIVE_IDLE_SECONDS = 10
KEEPALIVE_INTERVAL_SECONDS = 5
KEEPALIVE_PROBES = 3
DEAD_PEER_SECONDS = KEEPALIVE_IDLE_SECONDS + KEEPALIVE_INTERVAL_SECONDS * KEEPALIVE_PROBES
"""Time from the last packet of the peer to the end of the connection."""
_READ_BUFFER_BYTES = 2**21
"""etcd takes objects of 1.5 MiB."""

_OPTIONS = (
    ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
    ("TCP_KEEPALIVE", KEEPALIVE_IDLE_SECONDS),  # the name of TCP_KEEPIDLE on macOS
    ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
    ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    # tcp(7): keepalive does not run while sent data is unacknowledged; this limits that time, and also replaces
    # TCP_KEEPCNT on Linux.
    ("TCP_USER_TIMEOUT", DEAD_PEER_SECONDS * 1000),
)


def open_session(tls: Tls, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """A session with these TLS settings, and headers of each request. Close it when done.

    Raises OSError (ssl.SSLError among it) when a certificate or key cannot be used.
    """
    connector = aiohttp.TCPConnector(
        limit=0,  # every watch holds a connection, and there is one for each kind and namespace
        ssl=_context(tls),
        socket_factory=_socket,
    )
    return aiohttp.ClientSession(
        connector=connector, headers=headers, trust_env=True, read_bufsize=_READ_BUFFER_BYTES
    )


def _context(tls: Tls) -> ssl.SSLContext:
    # Text beside the blocks of a PEM bundle may be in any encoding.
    authority = tls.authority.decode("ascii", errors="ignore") or None
    context = ssl.create_default_context(cadata=authority)
    # Python 3.13 adds RFC 5280's strict rules, which authorities of older clusters break and client-go does not apply.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if tls.certificate:
        _present(context, tls)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _present(context: ssl.SSLContext, tls: Tls) -> None:
    """Present the client certificate. The ssl module reads files only, and the root file system may be read-only."""
    content = tls.certificate + b"\n" + tls.key
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("client-certificate"), "wb") as file:
            file.write(content)
            file.flush()
            _load(context, f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "client.pem"
            path.write_bytes(content)
            _load(context, str(path))


def _load(context: ssl.SSLContext, path: str) -> None:
    context.load_cert_chain(path, password=lambda: b"")  # without one, OpenSSL asks at the terminal


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for an address of getaddrinfo(3), with keepalive as far as the system has it."""
    family, kind, protocol = address[:3]
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS:
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return opened
