"""Sets of CA certificates in PEM."""

import re
from collections.abc import Iterable

from steerway.certificate.pair import UnusableError, parsed

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
