"""Which hosts a request may name."""

import socket

import pytest

from steerway.http import Hosts


@pytest.mark.parametrize(
    "host",
    [
        None,
        "localhost",
        "localhost:8080",
        "LocalHost.:8080",
        "127.0.0.1",
        "10.4.0.17:18001",
        "[::1]",
        "[fd00::17]:18001",
        socket.gethostname(),
        "admin.example",
        "admin.example:80",
        "a.mesh.example",
        "A.B.Mesh.Example:80",
    ],
)
def test_addresses_and_known_names_are_accepted(host: str | None) -> None:
    """An address is never the result of rebinding; kubelet and Prometheus use the pod's."""
    assert Hosts(["admin.example", "*.Mesh.example"]).accepts(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:18001",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "mesh.example",
        "xmesh.example",
        "[evil.example]",
        "*",
    ],
)
def test_other_names_are_not(host: str) -> None:
    """A name that resolves to this server does not identify the page that sends the request."""
    assert not Hosts(["admin.example", "*.mesh.example"]).accepts(host)


def test_every_name_may_be_accepted() -> None:
    """Where a proxy in front checks names."""
    assert Hosts(["*"]).accepts("evil.example")
