"""Certificates that are made at test time: authorities, and what they sign."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from steerway.certificate.pair import key_usage

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DAY = timedelta(days=1)
# Strict verification, which Python has by default from 3.13 on, requires this and the key identifiers (RFC 5280).
_SIGNS_CERTIFICATES = key_usage(key_cert_sign=True)


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority, valid until now + `end`: a root, or an intermediate of `issuer`. Each one has a key of
    its own; two may have the same name."""

    def __init__(
        self, name: str = "test authority", end: timedelta = _DAY, issuer: "Authority | None" = None
    ) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        signer = issuer or self
        public = self._key.public_key()
        certificate = (
            _builder(self._name, signer._name, -_DAY, end)
            .public_key(public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer._key.public_key()), critical=False
            )
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
            .sign(signer._key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)
        """PEM."""
        self.chain = self.certificate + issuer.chain if issuer else b""
        """The intermediates from this one up to the root, which is not in it. PEM."""

    def issue(
        self,
        *names: str,
        usage: Literal["server", "client", "both"] = "both",
        begin: timedelta = -_DAY,
        end: timedelta = _DAY,
        key: Key | None = None,
        subject: str = "test",
        organization: str = "",
    ) -> Certified:
        """A certificate for these names (DNS names, addresses, URIs), valid from now + `begin` to now + `end`, followed
        by the intermediates.

        Kubernetes reads a client's user from `subject` (the common name) and its group from `organization`.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        usages = {"server": [ExtendedKeyUsageOID.SERVER_AUTH], "client": [ExtendedKeyUsageOID.CLIENT_AUTH]}
        builder = (
            _builder(_name(subject, organization), self._name, begin, end)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(usages.get(usage) or usages["server"] + usages["client"]),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Certified(certificate.public_bytes(serialization.Encoding.PEM) + self.chain, key_pem(key))


def key_pem(key: Key, password: bytes | None = None) -> bytes:
    """A private key as PKCS #8, encrypted when there is a password."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def rsa_key() -> Key:
    """An RSA key; others are on the curve P-256."""
    return rsa.generate_private_key(65537, 2048)


def _name(text: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, text)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, begin: timedelta, end: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begin)
        .not_valid_after(now + end)
    )


def _general_name(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
