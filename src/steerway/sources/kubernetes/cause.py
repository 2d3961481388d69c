"""Why a request got no answer: exceptions of aiohttp, sockets and TLS as `Failure`, one reason for each remedy.

The texts for operators are in `hint.py`.
"""

import errno
import ssl

import aiohttp

from steerway.sources.kubernetes.event import Failure

READ_TIMED_OUT = "read timed out"
_ERRNOS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ENETUNREACH: "no route",
    errno.EHOSTUNREACH: "no route",
    errno.ETIMEDOUT: "connect timed out",
}
# X509_V_ERR_… of OpenSSL (x509_vfy.h).
_CERTIFICATE_ERRORS = {
    9: "certificate not valid now",
    10: "certificate not valid now",
    62: "certificate for another name",
    63: "certificate for another name",
    64: "certificate for another name",
}
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
TLS_REASONS = frozenset(
    {
        *_CERTIFICATE_ERRORS.values(),
        "certificate not trusted",
        "client certificate refused",
        "TLS not spoken",
        "TLS failed",
    }
)
"""Reasons after which the configuration is read again: a certificate in it may be an old one."""


def failure_of(error: Exception) -> Failure:
    """The failure that an exception of a request means."""
    return Failure(None, _reason(error), str(error) or type(error).__name__)


def _reason(error: Exception) -> str:
    if (tls := _tls_error(error)) is not None:
        return _tls_reason(tls)
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "name not resolved"
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return "proxy failed"
        case aiohttp.ConnectionTimeoutError():
            return "connect timed out"
        case TimeoutError():
            return READ_TIMED_OUT
        case aiohttp.ClientConnectorError() | ConnectionRefusedError():
            return _ERRNOS.get(error.errno or 0, "connection failed")
    return "connection lost"


def _tls_error(error: BaseException) -> ssl.SSLError | ssl.CertificateError | None:
    """The TLS error in an exception. A refusal of the client certificate arrives with the first read (TLS 1.3)."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner: BaseException | None = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
    else:
        inner = error
    while inner is not None and not isinstance(inner, ssl.SSLError | ssl.CertificateError):
        inner = inner.__cause__
    # An established connection that ends without close_notify is lost, whatever TLS is called there.
    return None if isinstance(inner, ssl.SSLEOFError) else inner


def _tls_reason(error: ssl.SSLError | ssl.CertificateError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_ERRORS.get(error.verify_code, "certificate not trusted")
    reason = getattr(error, "reason", None) or ""
    if "ALERT" in reason:
        return "client certificate refused"
    return "TLS not spoken" if reason in _NOT_TLS else "TLS failed"
