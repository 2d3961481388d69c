"""Certificates of workloads are X.509-SVIDs that the API server accepts."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from steerway.certificate.pair import UnusableError, new_authority
from steerway.signer.authority.state import Authority
from steerway.signer.csr import SubjectKey, key_type, public_key
from steerway.signer.svid import TooShortError, issue_svid

NOW = datetime(2026, 1, 1, 0, 0, 0, 999999, UTC)
HOUR = timedelta(hours=1)
SPIFFE = "spiffe://mesh.example/ns/shop/sa/cart"
_Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey


def authority(lifetime: timedelta = 24 * HOUR) -> Authority:
    root = new_authority("root", NOW, 2 * lifetime, path_length=1)
    return Authority(root.certificate, new_authority("intermediate", NOW, lifetime, issuer=root), root.key)


def request(key: _Private) -> bytes:
    """As the kubelet makes it: no names."""
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


KEYS = {
    "ECDSAP256": ec.generate_private_key(ec.SECP256R1()),
    "ECDSAP384": ec.generate_private_key(ec.SECP384R1()),
    "ECDSAP521": ec.generate_private_key(ec.SECP521R1()),
    "ED25519": ed25519.Ed25519PrivateKey.generate(),
    "RSA3072": rsa.generate_private_key(65537, 3072),
}


@pytest.mark.parametrize("kind", KEYS)
def test_each_kind_of_key_is_certified(kind: str) -> None:
    """For servers and clients, with one identity, and verified by a path through the intermediate."""
    key = public_key(request(KEYS[kind]))
    assert key_type(key) == kind
    ca = authority()
    svid = issue_svid(ca, key, SPIFFE, NOW, HOUR)
    leaf, intermediate = x509.load_pem_x509_certificates(svid.chain)
    assert leaf.public_key() == KEYS[kind].public_key()
    assert leaf.serial_number == svid.serial
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (names.critical, list(names.value)) == (True, [x509.UniformResourceIdentifier(SPIFFE)])
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    store = verification.Store([x509.load_pem_x509_certificate(ca.root)])
    builder = verification.PolicyBuilder().store(store).time(NOW)
    if kind not in ("ED25519", "ECDSAP521"):  # which the web's policy excludes
        verified = builder.build_client_verifier().verify(leaf, [intermediate])
        assert verified.subjects == [x509.UniformResourceIdentifier(SPIFFE)]
    leaf.verify_directly_issued_by(intermediate)


def test_times_are_whole_seconds_within_the_bounds_of_the_api_server() -> None:
    svid = issue_svid(authority(), _key(), SPIFFE, NOW, HOUR)
    leaf = x509.load_pem_x509_certificates(svid.chain)[0]
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (svid.not_before, svid.not_after)
    assert timedelta(0) < NOW - svid.not_before < timedelta(minutes=5)
    assert svid.not_after - svid.not_before == HOUR
    ten_minutes = timedelta(minutes=10)
    assert svid.not_before + ten_minutes <= svid.begin_refresh <= svid.not_after - ten_minutes


def test_a_certificate_does_not_outlive_its_ca() -> None:
    ca = authority(2 * HOUR)
    svid = issue_svid(ca, _key(), SPIFFE, NOW, 24 * HOUR)
    assert svid.not_after == ca.expires
    with pytest.raises(TooShortError):
        issue_svid(authority(timedelta(minutes=50)), _key(), SPIFFE, NOW, 24 * HOUR)


def test_serial_numbers_differ() -> None:
    ca, key = authority(), _key()
    assert len({issue_svid(ca, key, SPIFFE, NOW, HOUR).serial for _ in range(10)}) == 10


def test_requests_that_cannot_be_used_are_refused() -> None:
    broken = bytearray(request(KEYS["ECDSAP256"]))
    broken[-1] ^= 1
    small = rsa.generate_private_key(65537, 2048)
    curve = ec.generate_private_key(ec.SECP256K1())
    for der in (b"", b"\x30\x03", bytes(broken), request(small), request(curve)):
        with pytest.raises(UnusableError):
            public_key(der)


def _key() -> SubjectKey:
    return public_key(request(KEYS["ECDSAP256"]))
