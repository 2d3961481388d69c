"""One connection to an xDS server up to its first HTTP/2 frame, and what is wrong with it if there is none."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Tls
from steerway.errors import SourceError

# RFC 9113, section 3.4: the preface of a client, and its SETTINGS frame without settings.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
_FRAME_HEADER_BYTES = 9
_FRAME_TYPE = 3
_SETTINGS = 4
_TLS_ALERT = b"\x15\x03"  # RFC 8446, section 5.1: type and version of a record
_OTHER_SERVER = (
    "check that it is the address of `steerway serve --listen`, and not that of --admin or of another server"
)

_Explain = Callable[[ServerAddress, bytes], SourceError]


def connect(address: ServerAddress, tls: Tls | None, seconds: float) -> None:
    """Connect and wait for the SETTINGS frame of the server; `tls` None: in plaintext. SourceError: why there is none,
    with the fix. `seconds` limits each step."""
    context = None if tls is None else client_context(tls)
    with _open(address, seconds) as plain:
        if context is None:
            _expect_http2(address, plain, _plaintext_answer)
            return
        try:
            with context.wrap_socket(plain, server_hostname=address.host or "localhost") as secure:
                # With TLS 1.3 a refusal of the client certificate is the first answer after the handshake. It is lost
                # if the server closes the connection before it has read the preface.
                _expect_http2(address, secure, _tls_answer)
        except (ssl.SSLEOFError, ConnectionError, TimeoutError):
            raise SourceError(
                f"the server at {address} does not answer, or closes the connection, during the TLS handshake",
                "check that it is an xDS server with TLS, or use --creds insecure for one without",
            ) from None
        except ssl.SSLError as error:
            raise _tls_failed(address, error) from None


def client_context(tls: Tls) -> ssl.SSLContext:
    """The TLS configuration of a client. SourceError names the file that cannot be used."""
    for path in (tls.ca, tls.certificate, tls.key):
        if path:
            readable(path)
    try:
        context = ssl.create_default_context(cafile=tls.ca or None)
    except ssl.SSLError:
        raise SourceError(f"{tls.ca} contains no certificate", "give the CA certificate in PEM") from None
    if tls.certificate:
        try:
            context.load_cert_chain(tls.certificate, tls.key)
        except ssl.SSLError as error:
            raise SourceError(
                f"{tls.certificate} and {tls.key} cannot be used: {error.reason or error}",
                "give the certificate and its own private key, in PEM",
            ) from None
    context.set_alpn_protocols(["h2"])
    return context


def readable(path: str) -> bytes:
    """The content of a file. SourceError: it cannot be read, or is empty."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", "correct the path") from None
    if not content:
        raise SourceError(f"{path} is empty")
    return content


def _open(address: ServerAddress, seconds: float) -> socket.socket:
    try:
        if address.path:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(seconds)
            connection.connect(address.path)
            return connection
        return socket.create_connection((address.host, address.port), seconds)
    except socket.gaierror as error:
        raise SourceError(
            f"the host {address.host} of {address} does not resolve: {error.strerror}",
            "correct --server; names of Services resolve in the cluster only: kubectl port-forward makes them local",
        ) from None
    except FileNotFoundError:
        raise SourceError(
            f"there is no socket {address.path}",
            "start `steerway serve --listen unix:/PATH`, or correct --server",
        ) from None
    except ConnectionRefusedError:
        raise SourceError(
            f"no server listens on {address}: connection refused",
            "start `steerway serve`, or correct --server",
        ) from None
    except TimeoutError:
        raise SourceError(
            f"{address} does not answer within {seconds:g} s",
            "check the address, and that no firewall or NetworkPolicy drops the connection",
        ) from None
    except OSError as error:
        raise SourceError(f"{address} is not reachable: {_reason(error)}", "correct --server") from None


def _expect_http2(address: ServerAddress, connection: socket.socket, explain: _Explain) -> None:
    """Send the preface of HTTP/2 and read the first frame."""
    answer = b""
    try:
        connection.sendall(_PREFACE)
        while len(answer) < _FRAME_HEADER_BYTES and (more := connection.recv(_FRAME_HEADER_BYTES)):
            answer += more
    except TimeoutError:
        if not answer:
            raise SourceError(
                f"{address} accepts the connection and does not answer", _OTHER_SERVER
            ) from None
    except ssl.SSLEOFError:
        pass
    except ssl.SSLError:
        raise
    except OSError:  # a reset, usually; what came before it counts
        pass
    if len(answer) <= _FRAME_TYPE or answer[_FRAME_TYPE] != _SETTINGS:
        raise explain(address, answer)


def _plaintext_answer(address: ServerAddress, answer: bytes) -> SourceError:
    """Why a server answers a plaintext client of HTTP/2 with these bytes."""
    if answer.startswith(_TLS_ALERT):
        return SourceError(
            f"the server at {address} requires TLS", "use --creds tls, with --ca for a CA of your own"
        )
    if answer.startswith(b"HTTP/"):
        return SourceError(f"the server at {address} speaks HTTP/1 and is no xDS server", _OTHER_SERVER)
    if not answer:
        return SourceError(
            f"the server at {address} closes the connection",
            "use --creds tls if it requires TLS; else check that it is an xDS server",
        )
    return SourceError(f"the server at {address} does not speak HTTP/2 and is no xDS server", _OTHER_SERVER)


def _tls_answer(address: ServerAddress, answer: bytes) -> SourceError:
    if not answer:
        return SourceError(
            f"the server at {address} closes the connection after the TLS handshake",
            "give a client certificate with --certificate and --key if it requires one; else check that it is an xDS"
            " server",
        )
    return SourceError(
        f"the TLS server at {address} does not speak HTTP/2 and is no xDS server", _OTHER_SERVER
    )


def _tls_failed(address: ServerAddress, error: ssl.SSLError) -> SourceError:
    """Why a handshake failed."""
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceError(
            f"the certificate of {address} is not valid for this client: {error.verify_message}",
            "give the CA that signed it with --ca, and a host of the certificate in --server",
        )
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"):
        return SourceError(
            f"the server at {address} has no TLS", "use --creds insecure, or turn TLS on in the server"
        )
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        return SourceError(
            f"the server at {address} refuses the client certificate: {reason.lower().replace('_', ' ')}",
            "give one that its client CA has signed, with --certificate and --key",
        )
    return SourceError(
        f"the TLS handshake with {address} failed: {(reason or str(error)).lower().replace('_', ' ')}"
    )


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
