"""The `caBundle` of a webhook, which must have the CA certificates of the Secret.

A CA is added before a certificate of it is in use, and removed after replicas have replaced theirs. So a `caBundle`
only grows at first; what it has too much is dropped once it has not changed for a while.
"""

from datetime import datetime

from steerway.certificate.bundle import certificates, joined
from steerway.certificate.pair import parsed


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
