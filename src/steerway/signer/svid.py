"""X.509-SVIDs: the certificate of a workload, and what the status of its request has beside it.

Sources: SPIFFE X509-SVID.md, sections 2 (one URI SAN), 4.3 (key usage), 4.4 (extended key usage); RFC 5280, 4.2.1.6 (a
SAN beside an empty subject is critical); PodCertificateRequest v1 (bounds of the times).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from steerway.certificate.bundle import joined
from steerway.certificate.pair import authority_key, key_usage
from steerway.signer.authority.state import Authority
from steerway.signer.csr import SubjectKey

_BACKDATED = timedelta(minutes=1)
"""For workloads whose clock is behind. The API server accepts 5 minutes between its own clock and this time."""
SHORTEST = timedelta(hours=1)
"""The API server accepts no shorter lifetime."""


class TooShortError(Exception):
    """The CA expires before a certificate that is valid for `SHORTEST` would."""


@dataclass(frozen=True, slots=True)
class Svid:
    """A certificate in PEM, followed by its chain, and the times of the status. Times are whole seconds."""

    chain: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    begin_refresh: datetime


def issue_svid(
    authority: Authority, key: SubjectKey, spiffe_id: str, now: datetime, lifetime: timedelta
) -> Svid:
    """A certificate that is valid for `lifetime`, and no longer than its CA. Refresh begins at half of it.

    Raises TooShortError.
    """
    begin = now.replace(microsecond=0) - _BACKDATED
    end = min(begin + lifetime, authority.expires.replace(microsecond=0))
    if end - begin < SHORTEST:
        raise TooShortError
    issuer = authority.issuer
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.x509.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)]), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(authority_key(issuer), critical=False)
        .sign(issuer.private_key, hashes.SHA256())
    )
    chain = joined((certificate.public_bytes(Encoding.PEM), *authority.chain))
    return Svid(chain, certificate.serial_number, begin, end, begin + (end - begin) / 2)
