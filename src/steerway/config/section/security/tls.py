"""Settings of TLS on the xDS server."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from steerway.config.unit import OptionalFile, Switch, unset


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """TLS of the xDS server, on all addresses of `listen` except Unix sockets.

    All files are read again when they change. Invalid content is reported as a problem, and the last valid content
    stays in use.
    """

    certificate: Annotated[
        OptionalFile, Meta(title="Certificate of the xDS server (PEM)", **unset("no TLS"))
    ] = None
    """Certificate of the xDS server in PEM, followed by the intermediate certificates. Without it: no TLS, as the
    insecure credentials of most bootstrap files expect."""

    key: Annotated[OptionalFile, Meta(title="Private key of the certificate (PEM)", **unset("no TLS"))] = None
    """Private key of `tls.certificate` in PEM, without a passphrase. Set both or none."""

    client_ca: Annotated[
        OptionalFile,
        Meta(title="CA certificates for client certificates (PEM)", **unset("no client certificates")),
    ] = None
    """CA certificates in PEM that client certificates are verified with. Without it, clients are not asked for a
    certificate."""

    require_client_certificate: Annotated[Switch, Meta(title="Refuse clients without a certificate")] = False
    """Whether to refuse the handshake of clients without a certificate. Off by default, so that clients can use tokens
    instead."""
