"""The client's end of a connection: its transport, and its address as a unit of fair shares.

A client chooses its port freely, and of an IPv6 network at least the lower 64 bits: neither may give it another share.
"""

import functools
import ipaddress
from typing import Literal, TypeAlias

Transport: TypeAlias = Literal["tls", "plaintext", "unix", "rest"]
"""How a client reached the server: TCP with or without TLS, a Unix socket, or REST-JSON discovery."""

_IPV6_PREFIX = 64
"""What one site is assigned at the least (RFC 6177, section 2)."""


@functools.lru_cache(maxsize=4096)
def network(peer: str) -> str:
    """Whose share a client at `peer` uses: `10.0.0.7` for `10.0.0.7:4711`, `fd00::/64` for `[fd00::7]:4711`.

    All addresses that are not IP addresses, such as a Unix socket, are one share.
    """
    host = peer.rpartition(":")[0]
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.partition(":")[0]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))
