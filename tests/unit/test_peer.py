"""Shares of addresses: parts of an address that a client can choose give it no further share."""

import pytest

from steerway.peer import network


@pytest.mark.parametrize(
    ("peer", "share"),
    [
        ("10.0.0.7:4711", "10.0.0.7"),
        ("10.0.0.7:4712", "10.0.0.7"),
        ("[::ffff:10.0.0.7]:4711", "10.0.0.7"),
        ("[fd00::7]:4711", "fd00::/64"),
        ("[fd00::ffff:ffff:ffff:ffff]:1", "fd00::/64"),
        ("[fd00:0:0:1::7]:4711", "fd00:0:0:1::/64"),
        ("unix:/run/steerway.sock (pid 7, uid 1000)", "unix"),
        ("unix:/run/steerway.sock (pid 8, uid 1000)", "unix"),
        ("", ""),
    ],
)
def test_a_share_is_that_of_the_address(peer: str, share: str) -> None:
    """A client can choose its port and the lower half of an IPv6 address."""
    assert network(peer) == share
