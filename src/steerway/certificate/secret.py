"""The `data` of a Secret with certificates and keys."""

import base64
from collections.abc import Mapping

from steerway.certificate.pair import Pair, UnusableError


def value(data: Mapping[str, str], key: str) -> bytes:
    """The decoded value of a key. Raises UnusableError, whose text names the key."""
    if key not in data:
        raise UnusableError(f"{key}: missing")
    try:
        return base64.b64decode(data[key], validate=True)
    except ValueError:
        raise UnusableError(f"{key}: not base64") from None


def pair(key: str, certificate: bytes, private: bytes) -> Pair:
    """A certificate and its key. `key` is that of the certificate, for errors. Raises UnusableError."""
    try:
        return Pair(certificate, private)
    except UnusableError as error:
        raise UnusableError(f"{key}: {error}") from None


def encoded(data: Mapping[str, bytes]) -> dict[str, str]:
    """As a manifest has it."""
    return {key: base64.b64encode(content).decode() for key, content in data.items()}
