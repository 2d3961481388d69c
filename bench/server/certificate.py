"""An authority and a certificate of its for `localhost`, for servers that speak TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_VALID = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: what clients trust, and what the server shows and signs with."""

    authority: Path
    certificate: Path
    key: Path


@contextmanager
def issue() -> Iterator[Certificate]:
    """A new certificate of a new authority (ECDSA P-256), for as long as the context lasts."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name.from_rfc4514_string("CN=steerway benchmark")
    authority = _builder(issuer, issuer, authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    leaf = _builder(x509.Name([]), issuer, key).add_extension(names, critical=True)
    encoding = serialization.Encoding.PEM
    with TemporaryDirectory(prefix="steerway-bench-") as folder:
        certificate = Certificate(
            *(Path(folder) / f"{name}.pem" for name in ("authority", "certificate", "key"))
        )
        for path, builder in ((certificate.authority, authority), (certificate.certificate, leaf)):
            path.write_bytes(builder.sign(authority_key, hashes.SHA256()).public_bytes(encoding))
        form, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        certificate.key.write_bytes(key.private_bytes(encoding, form, secret))
        yield certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
    )
