"""Addresses: what counts as an IP literal is what the standard library accepts, only sooner."""

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st

from steerway.sources.policy.validation import address_family

NEAR_MISSES = st.text(alphabet="0123456789abcdef:.%/ ", max_size=24)


@given(st.ip_addresses().map(str) | NEAR_MISSES | st.text(max_size=12))
@example("010.0.0.1")
@example("1.2.3")
@example("::ffff:10.0.0.1")
@example("fe80::1%eth0")
@example("1.2.3.4\x00")
def test_the_family_agrees_with_the_ipaddress_module(text: str) -> None:
    """Zones excepted: an address that means something on one host only cannot be sent to another."""
    try:
        expected = f"IPv{ipaddress.ip_address(text).version}" if "%" not in text else None
    except ValueError:
        expected = None
    assert address_family(text) == expected
