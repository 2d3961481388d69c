"""Which `Host` a request may name, against DNS rebinding: a page of the attacker's whose name resolves to this server.

The browser sends the name of that page. An IP address is never the result of rebinding, so every one is accepted: the
kubelet and Prometheus use the pod's, which is not known when the listener is bound to all interfaces.
"""

import ipaddress
import socket
from collections.abc import Iterable

ANY = "*"
"""The pattern of every name."""


class Hosts:
    """Names that are accepted beside addresses: `localhost`, the system's host name, and those given.

    `*.mesh.example` stands for every name below `mesh.example`, `*` for every name.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        given = {name.lower() for name in names}
        self._any = ANY in given
        self._suffixes = tuple(name.removeprefix("*") for name in given if name.startswith("*."))
        self._names = {"localhost", socket.gethostname().lower(), *given}

    def accepts(self, host: str | None) -> bool:
        """Whether a request with this `Host` header is answered; None: it has none, which HTTP/1.0 permits."""
        if host is None or self._any:
            return True
        name = _name(host)
        return name in self._names or name.endswith(self._suffixes) or _is_address(name)


def _name(host: str) -> str:
    """The host of `host:port`, as resolvers compare it; an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
