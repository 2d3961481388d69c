"""Sets of CA certificates in PEM: that of the Secret, and the `caBundle` of a webhook, which must have it.

A CA is added before a certificate of it is in use, and removed after replicas have replaced theirs. So a `caBundle`
only grows at first; what it has too much is dropped once it has not changed for a while.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from steerway.injection.certificate.pair import UnusableError, parsed

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\s*", re.DOTALL)


def certificates(pem: bytes) -> tuple[bytes, ...]:
    """The certificates of a bundle, each in PEM, without those that cannot be read."""
    readable = []
    for block in _BLOCK.findall(pem):
        certificate = block.strip() + b"\n"
        try:
            parsed(certificate)
        except UnusableError:
            continue
        readable.append(certificate)
    return tuple(dict.fromkeys(readable))


def joined(bundle: Iterable[bytes]) -> bytes:
    return b"".join(bundle)


def updated(present: bytes, wanted: tuple[bytes, ...], now: datetime, *, settled: bool) -> bytes | None:
    """The `caBundle` to write; None if it stays as it is. `settled`: it has not changed for a while."""
    have = certificates(present)
    others = tuple(certificate for certificate in have if certificate not in wanted)
    if not set(wanted) <= set(have):
        valid = [certificate for certificate in others if parsed(certificate).not_valid_after_utc > now]
        return joined((*wanted, *valid))
    if settled and (others or present != joined(have)):
        return joined(wanted)
    return None
