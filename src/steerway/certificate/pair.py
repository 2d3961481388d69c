"""Certificates with their keys: issued here, or read as PEM."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_BACKDATED = timedelta(hours=1)
"""For API servers whose clock is behind."""
_PEM = serialization.Encoding.PEM
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class UnusableError(ValueError):
    """A certificate or key cannot be used: the text is the reason."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key in PEM."""

    certificate: bytes
    key: bytes

    def __post_init__(self) -> None:
        """Raises UnusableError."""
        if self.x509.public_key() != self.private_key.public_key():
            raise UnusableError("the certificate and the key do not belong together")

    @cached_property
    def x509(self) -> x509.Certificate:
        return parsed(self.certificate)

    @cached_property
    def private_key(self) -> PrivateKey:
        try:
            key = serialization.load_pem_private_key(self.key, None)
        except (ValueError, TypeError) as error:
            raise UnusableError(f"the key is not readable: {error}") from None
        if not isinstance(key, PrivateKey):
            raise UnusableError("the key is neither ECDSA nor RSA")
        return key

    @property
    def names(self) -> tuple[str, ...]:
        """DNS names of the certificate."""
        try:
            extension = self.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return ()
        return tuple(extension.value.get_values_for_type(x509.DNSName))

    def has_issued(self, other: "Pair") -> bool:
        """Whether the certificate of `other` is signed by this one."""
        try:
            other.x509.verify_directly_issued_by(self.x509)
        except Exception:  # noqa: BLE001 - InvalidSignature, ValueError or TypeError by the kinds of keys
            return False
        return True

    def is_due(self, now: datetime) -> bool:
        """Whether a third of the lifetime or less remains."""
        begin, end = self.x509.not_valid_before_utc, self.x509.not_valid_after_utc
        return now >= end - (end - begin) / 3

    def has_expired(self, now: datetime) -> bool:
        return now >= self.x509.not_valid_after_utc


def parsed(certificate: bytes) -> x509.Certificate:
    """The first certificate of a PEM text. Raises UnusableError."""
    try:
        return x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise UnusableError(f"the certificate is not readable: {error}") from None


def new_authority(
    name: str, now: datetime, lifetime: timedelta, path_length: int = 0, issuer: "Pair | None" = None
) -> Pair:
    """A CA with a key of its own, signed by itself or by `issuer`, which it does not outlive. `path_length`: how many
    CAs may be below it. Two with one `name` differ by their key identifiers."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing_subject, signing_key = (issuer.x509.subject, issuer.private_key) if issuer else (subject, key)
    if issuer is not None:
        lifetime = min(lifetime, issuer.x509.not_valid_after_utc - now)
    builder = (
        _builder(subject, signing_subject, key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    if issuer is not None:
        builder = builder.add_extension(authority_key(issuer), critical=False)
    return _signed(builder, key, signing_key)


def authority_key(issuer: "Pair") -> x509.AuthorityKeyIdentifier:
    """The extension of a certificate that `issuer` signs (RFC 5280, 4.2.1.1): its key identifier as it has it."""
    try:
        identifier = issuer.x509.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.private_key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


def issue(authority: Pair, names: Sequence[str], now: datetime, lifetime: timedelta) -> Pair:
    """A serving certificate for DNS names. Kubernetes reads the names of the extension only, so that the subject, which
    has 64 characters, need not have one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "steerway injection")])
    issuer_key = authority.private_key
    builder = (
        _builder(subject, authority.x509.subject, key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(authority_key(authority), critical=False)
    )
    return _signed(builder, key, issuer_key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: PrivateKey,
) -> Pair:
    certificate = builder.sign(issuer_key, hashes.SHA256())
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(certificate.public_bytes(_PEM), private)


def key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    """The extension with these bits."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
