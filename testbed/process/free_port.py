"""TCP ports for a program that binds them later."""

import random
import socket

_PORTS = range(10_000, 32_768)
"""Below the ports that Linux gives to connections and to listeners on port 0 (`ip_local_port_range`): nothing takes one
of these by chance between its choice and its use."""
_ATTEMPTS = 100
_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on, another one each time."""
    for number in random.sample(_PORTS, _ATTEMPTS):
        if number not in _given and _is_free(host, number):
            _given.add(number)
            return number
    raise AssertionError(f"{_ATTEMPTS} ports of {host} are in use")


def _is_free(host: str, number: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, number))
        except OSError:
            return False
    return True
