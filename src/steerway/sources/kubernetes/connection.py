"""TCP connections and TLS to the API server, for `client.py`.

`kubernetes_asyncio` makes a session without socket options, so a peer that is gone without a FIN (a host that lost
power, a load balancer that dropped its table) is noticed after minutes: by the read timeout of the watch. The session
here has the TLS settings of the library's configuration and TCP keepalive on every connection from its first packet on.

The API server sends no HTTP/2 PING and HTTP/1.1 has none, so keepalive is left to TCP. It finds dead hosts and links; a
process that hangs behind a live kernel or proxy answers keepalive probes, and is found by the silence of the watch.
"""

import socket
import ssl
from typing import Any

import aiohttp

KEEPALIVE_IDLE_SECONDS = 10
KEEPALIVE_INTERVAL_SECONDS = 5
KEEPALIVE_PROBES = 3
DEAD_PEER_SECONDS = KEEPALIVE_IDLE_SECONDS + KEEPALIVE_INTERVAL_SECONDS * KEEPALIVE_PROBES
"""Time from the last packet of the peer to the end of the connection."""
_READ_BUFFER_BYTES = 2**21
"""As the library has it: etcd takes objects of 1.5 MiB."""

_OPTIONS = (
    ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
    ("TCP_KEEPALIVE", KEEPALIVE_IDLE_SECONDS),  # the name of TCP_KEEPIDLE on macOS
    ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
    ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    # tcp(7): keepalive does not run while sent data is unacknowledged; this limits that time, and also replaces
    # TCP_KEEPCNT on Linux.
    ("TCP_USER_TIMEOUT", DEAD_PEER_SECONDS * 1000),
)


def open_session(configuration: Any) -> aiohttp.ClientSession:
    """A session with the TLS settings of a `kubernetes_asyncio` Configuration. Close it when done.

    Raises OSError (ssl.SSLError among it) when a certificate or key file cannot be used.
    """
    connector = aiohttp.TCPConnector(
        limit=0,  # every watch holds a connection, and there is one for each kind and namespace
        ssl=_tls(configuration),
        socket_factory=_socket,
    )
    return aiohttp.ClientSession(connector=connector, trust_env=True, read_bufsize=_READ_BUFFER_BYTES)


def _tls(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if getattr(configuration, "disable_strict_ssl_verification", False):  # unknown to older versions
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for an address of getaddrinfo(3), with keepalive as far as the system has it."""
    family, kind, protocol = address[:3]
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS:
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return opened
