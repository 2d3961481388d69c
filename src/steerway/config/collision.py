"""Collisions: two listeners with one address."""

import ipaddress
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from steerway.config.document import Given
from steerway.config.setting import SETTINGS

_LISTENERS = ("listen", "plaintext_listen", "admin", "rest_listen", "injection.listen")
"""Settings with addresses that the process binds."""


class _Bound(NamedTuple):
    """One address of a setting."""

    setting: str
    address: str

    def collides(self, other: "_Bound") -> bool:
        """Whether both cannot be bound. Names are compared as texts, and `[::]` only with IPv6: resolution and
        net.ipv6.bindv6only decide about the rest."""
        if self.address == other.address:
            return not self.address.endswith(":0")
        (host, _, port), (other_host, _, other_port) = (
            bound.address.rpartition(":") for bound in (self, other)
        )
        if (
            port != other_port
            or port == "0"
            or any(bound.address.startswith("unix:") for bound in (self, other))
        ):
            return False
        try:
            ip, other_ip = (ipaddress.ip_address(text.strip("[]")) for text in (host, other_host))
        except ValueError:
            return False
        return ip.version == other_ip.version and (
            ip == other_ip or ip.is_unspecified or other_ip.is_unspecified
        )


def collisions(values: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """One error per pair. `values` are the valid settings, `given` all settings with their origin."""
    bound = [_Bound(name, address) for name in _LISTENERS for address in _addresses(name, values, given)]
    for first, second in combinations(bound, 2):
        if not first.collides(second):
            continue
        if first.setting == second.setting:
            twice = "twice" if first == second else f"and {first.address}, which cannot be bound both"
            yield f"{given[second.setting].where} has {second.address} {twice}: remove one"
            continue
        named, other = (second, first) if second.setting in given else (first, second)
        yield (
            f"{given[named.setting].where} has {named.address}, which collides with {other.setting}"
            f" ({other.address}): give it another port"
        )


def _addresses(name: str, values: Mapping[str, Any], given: Mapping[str, Given]) -> tuple[str, ...]:
    """Those that the setting binds; none if its value is invalid, which is reported already."""
    if name in given and name not in values:
        return ()
    value = values.get(name, SETTINGS[name].default)
    return tuple(value) if SETTINGS[name].repeatable else (value,) if value else ()
