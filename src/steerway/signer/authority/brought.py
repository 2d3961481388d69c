"""A CA that another issuer keeps in a Secret of the type `kubernetes.io/tls`, as a Certificate of cert-manager does.

`tls.crt` is the CA that signs certificates of workloads, then those between it and the root; `tls.key` is its key.
`ca.crt` has the root. A CA that is its own root needs no `ca.crt`.
"""

from collections.abc import Mapping
from itertools import pairwise

from cryptography import x509

from steerway.certificate import secret
from steerway.certificate.bundle import certificates
from steerway.certificate.pair import UnusableError, parsed
from steerway.signer.authority.state import Authority

_CERTIFICATE, _KEY, _CA = "tls.crt", "tls.key", "ca.crt"


def authority_of(data: Mapping[str, str]) -> Authority:
    """The CA of a Secret's `data`. Raises UnusableError, whose text names the key."""
    path = certificates(secret.value(data, _CERTIFICATE))
    if not path:
        raise UnusableError(f"{_CERTIFICATE}: no certificate")
    issuer = secret.pair(_CERTIFICATE, path[0], secret.value(data, _KEY))
    for certificate in path:
        _require_ca(parsed(certificate))
    for lower, upper in pairwise(path):
        if not _has_issued(upper, lower):
            raise UnusableError(f"{_CERTIFICATE}: a certificate is not issued by the one that follows it")
    if _has_issued(path[-1], path[-1]):
        return Authority(path[-1], issuer, between=path[1:-1])
    for root in certificates(secret.value(data, _CA)):
        if _has_issued(root, path[-1]):
            return Authority(root, issuer, between=path[1:])
    raise UnusableError(f"{_CA}: no certificate that has issued the last one of {_CERTIFICATE}")


def _require_ca(certificate: x509.Certificate) -> None:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise UnusableError(f"{_CERTIFICATE}: not the certificate of a CA: {error}") from None
    if not (constraints.ca and usage.key_cert_sign):
        raise UnusableError(f"{_CERTIFICATE}: not the certificate of a CA: it may not sign certificates")


def _has_issued(upper: bytes, lower: bytes) -> bool:
    try:
        parsed(lower).verify_directly_issued_by(parsed(upper))
    except Exception:  # noqa: BLE001 - InvalidSignature, ValueError or TypeError by the kinds of keys
        return False
    return True
