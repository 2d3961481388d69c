"""The public key of a certificate request (PKCS #10)."""

from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from steerway.certificate.pair import UnusableError

SubjectKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
_RSA_BITS = (3072, 4096)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def public_key(der: bytes) -> SubjectKey:
    """The key, whose owner has signed the request. Raises UnusableError.

    The kinds of keys are those of PodCertificateRequest v1. Names that it asks for are ignored.
    """
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise UnusableError(f"the certificate request is not readable: {error}") from None
    if not signed:
        raise UnusableError("the certificate request is not signed by its key")
    match key:
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, _CURVES):
            return key
        case ed25519.Ed25519PublicKey():
            return key
        case rsa.RSAPublicKey() if key.key_size in _RSA_BITS:
            return key
    raise UnusableError(
        "the key is none of ECDSA P-256, P-384 and P-521, Ed25519, and RSA with 3072 or 4096 bits"
    )


def key_type(key: SubjectKey) -> str:
    """As `keyType` of a podCertificate volume has it."""
    match key:
        case ec.EllipticCurvePublicKey():
            return f"ECDSAP{key.key_size}"
        case rsa.RSAPublicKey():
            return f"RSA{key.key_size}"
    return "ED25519"
