"""A network namespace of the tests' own, in which every address of a pod or of a Service is local.

A real API server refuses loopback addresses as endpoints, so pods need others. In here all of `PODS` belongs to this
machine: a process binds 10.244.1.5:8080 without further ado, and connections to an address without a server are
refused. `SERVICES` are local as well, so that packets to a ClusterIP leave a process at all: the proxy of the cluster
changes their destination on the way. Nothing of it is seen outside.

A thread enters a namespace for itself alone: the sockets that it opens and the processes and threads that it starts
from then on are inside (setns(2)). So a test runs inside as a whole, without a word about it in what it uses.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

PODS = ("10.244.0.0/16", "fd00:10::/64")
"""Addresses of pods, and of servers that tests start. A pod of the cluster has its own in a namespace of its own."""
SERVICES = ("10.96.0.0/16", "fd00:96::/112")
"""Addresses of Services (ClusterIPs)."""
NODE = "10.244.0.1"
"""The address of the machine inside: connections to a ClusterIP come from it, and the API server has it."""

_PACKAGES = {"ip": "iproute2", "nft": "nftables"}
"""Commands that are needed, with the Debian package of each."""
_CLONE_NEWNET = 0x40000000
_NAMED = Path("/run/netns")
_OWN = Path("/proc/thread-self/ns/net")


class NetworkError(Exception):
    """The namespace cannot be made; the text names the fix."""


class Network:
    """A namespace by its name, as `ip netns` knows it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def exists(self) -> bool:
        return (_NAMED / self.name).exists()

    def create(self) -> None:
        """Make it, with the addresses of all pods and Services local. Raises NetworkError."""
        for command, package in _PACKAGES.items():
            if shutil.which(command) is None:
                raise NetworkError(
                    f"the command {command} is missing: install the package {package} (make debian)"
                )
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")
        # Connections to node ports are masqueraded, which requires an address of global scope.
        _ip("-n", self.name, "address", "add", f"{NODE}/32", "dev", "lo")
        with self.entered():
            for prefix in (*PODS, *SERVICES):
                family = "-6" if ":" in prefix else "-4"
                source = ("src", NODE) if prefix in SERVICES and family == "-4" else ()
                _ip(family, "route", "add", "local", prefix, "dev", "lo", *source)
            # IPv6, unlike IPv4, lets a process bind an address that only a route makes local if this allows it.
            Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")

    @contextlib.contextmanager
    def dropped(self, address: str) -> Iterator[None]:
        """Drop all packets to an IPv4 address, as a firewall or a host without power does: no connection ends by it."""
        route = ("blackhole", f"{address}/32", "table", "local")
        _ip("-n", self.name, "route", "add", *route)
        try:
            yield
        finally:
            _ip("-n", self.name, "route", "del", *route)

    def delete(self) -> None:
        """Remove its name; the kernel removes the rest when the last process in it has ended."""
        if self.exists:
            _ip("netns", "del", self.name)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread be inside, and outside again."""
        with inside(_NAMED / self.name):
            yield


@contextlib.contextmanager
def inside(namespace: Path) -> Iterator[None]:
    """Let this thread be in a network namespace, by the path of its file such as `/proc/PID/ns/net`, and back again."""
    with _OWN.open() as outside, namespace.open() as file:
        _enter(file.fileno())
        try:
            yield
        finally:
            _enter(outside.fileno())


def named(prefix: str) -> list[Network]:
    """The namespaces whose names begin with `prefix`."""
    return [Network(path.name) for path in sorted(_NAMED.glob(f"{prefix}*"))]


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        hint = "run it as root, or in a container that may make network namespaces"
        raise NetworkError(f"ip {' '.join(arguments)}: {done.stderr.strip()} ({hint})")


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is there from Python 3.12 on
    if libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
