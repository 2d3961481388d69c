"""The address of an xDS server in a bootstrap: `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

from steerway.config.unit import HOST
from steerway.errors import SettingsError

_UNIX = "unix:"
_ADDRESS = re.compile(rf"(?P<host>{HOST}):(?P<port>[0-9]+)")
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """`host` is a name or an IP address without brackets, `port` 1 to 65535; `path` that of a Unix socket instead."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises SettingsError with the reason and an example."""
        if re.fullmatch(rf"{_UNIX}/.+", text):
            return cls(path=text.removeprefix(_UNIX))
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise SettingsError(
                f"{text!r} is not HOST:PORT or unix:/PATH, for example steerway.steerway-system:18000"
            )
        port = int(match["port"])
        if not 1 <= port <= _MAX_PORT:
            raise SettingsError(
                f"{text!r} is not HOST:PORT: port {match['port']} is out of range, use 1 to {_MAX_PORT}"
            )
        host = match["host"].strip("[]")
        if match["host"].startswith("["):
            try:
                ipaddress.IPv6Address(host)
            except ValueError:
                raise SettingsError(f"{text!r} is not HOST:PORT: {host} is not an IPv6 address") from None
        elif ".." in host or (re.fullmatch(r"[0-9.]+", host) and not _is_ip(host)):
            raise SettingsError(
                f"{text!r} is not HOST:PORT: {host} is neither a host name nor an IPv4 address"
            )
        return cls(host, port)

    @property
    def is_name(self) -> bool:
        """Whether the host is resolved by DNS."""
        if self.path:
            return False
        return not _is_ip(self.host)

    def __str__(self) -> str:
        if self.path:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
