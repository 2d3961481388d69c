"""The settings of who may connect: TLS, authentication, authorisation. See `model.py` for how they are written."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from steerway.config.rule import RuleSettings
from steerway.config.unit import FILE, PositiveSeconds, Seconds


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """TLS of the xDS server, on every address but Unix sockets. All files are read again when they change."""

    certificate: Annotated[Path | None, Meta(title="Certificate of the xDS server (PEM)", **FILE)] = None
    """Certificate of the xDS server, followed by the intermediate ones, in PEM. None: no TLS; that is what
    the insecure credentials of most bootstrap files in use expect."""

    key: Annotated[Path | None, Meta(title="Private key of the certificate (PEM)", **FILE)] = None
    """Private key of the certificate in PEM, without a passphrase. Given with the certificate or not at all."""

    client_ca: Annotated[Path | None, Meta(title="Authorities of client certificates (PEM)", **FILE)] = None
    """Authorities whose client certificates are good, in PEM. None: clients are not asked for a certificate."""

    require_client_certificate: Annotated[
        bool, Meta(title="Refuse clients without a certificate", description="true or false")
    ] = False
    """End handshakes of clients that show no certificate. Off, so that tokens are enough where they are on."""


class AuthenticationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which credentials prove who a client is; any that is on is enough. All off: everybody sees everything."""

    certificate: Annotated[bool, Meta(title="Take client certificates", description="true or false")] = False
    """Take client certificates with a SPIFFE ID or a DNS name. Off: a certificate that TLS asks for opens the
    connection and proves nothing more."""

    trust_domains: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[a-z0-9._-]{1,255}\Z")], ...],
        Meta(
            title="Trust domain of SPIFFE IDs (repeatable)",
            description="a list of SPIFFE trust domains such as cluster.local, without spiffe://",
            extra={"metavar": "DOMAIN"},
        ),
    ] = ()
    """SPIFFE trust domains to accept. Empty: every one that the client CA signs for. Given, a certificate
    without a SPIFFE ID is refused."""

    service_account: Annotated[
        Literal["off", "token_review", "jwks"],
        Meta(
            title="Take service-account tokens, and how they are verified",
            description="off, token_review or jwks",
            extra={"metavar": "off|token_review|jwks"},
        ),
    ] = "off"
    """Take service-account tokens. `token_review` asks the API server about each, which knows when a pod or an
    account is gone; `jwks` verifies the signature, which needs no API server and trusts a token until it
    expires."""

    audiences: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(
            min_length=1,
            title="Audience of service-account tokens (repeatable)",
            description="a list of at least one audience",
            extra={"metavar": "AUDIENCE"},
        ),
    ] = ("steerway",)
    """Whom service-account tokens must be for (one of these is enough). An own one by default, so that what a
    client sends here is of no use at the API server: project a token with `audience: steerway`."""

    jwks: Annotated[
        Annotated[str, Meta(pattern=r"^(https://[^/]|http://(localhost|127\.0\.0\.1|\[::1\])[:/]|/)")] | None,
        Meta(
            title="Public keys of service-account tokens",
            description="an absolute path, an https URL, or an http URL of this host",
            extra={"metavar": "FILE|URL"},
        ),
    ] = None
    """JSON Web Key Set to verify tokens with: a file, read again when it changes, or a URL. None: that of the
    API server. Plain http only from the host itself, because whoever gives the keys makes the tokens."""

    issuer: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            title="Issuer of service-account tokens (`iss`)",
            description="the issuer as it stands in tokens",
            extra={"metavar": "ISSUER"},
        ),
    ] = None
    """Issuer that tokens must name. None: what the API server says of itself; needed with a JWKS of one's own."""

    review_cache_seconds: Annotated[Seconds, Meta(title="Use of a TokenReview without asking again")] = 120.0
    """Seconds for which the API server's word on a token is good. Two minutes, as for the API server's own
    webhooks: so long may a token live on whose pod is gone."""

    timeout_seconds: Annotated[PositiveSeconds, Meta(title="Time to verify a token")] = 10.0
    """Seconds until a client whose token could not be verified is told to try again (UNAVAILABLE). Less than the
    15 seconds that gRPC clients wait for a resource."""

    token_file: Annotated[Path | None, Meta(title="Static tokens: lines of TOKEN,IDENTITY", **FILE)] = None
    """File of static tokens, read again when it changes. None: none."""

    unix_socket: Annotated[
        bool, Meta(title="Take every client of a Unix socket", description="true or false")
    ] = False
    """Take clients of a Unix socket without a credential: the mode of its file says who can connect. Off,
    because a socket may be mounted further than one thinks."""

    @property
    def enabled(self) -> bool:
        """Whether any of them is on."""
        tokens = self.service_account != "off" or self.token_file is not None
        return tokens or self.certificate or self.unix_socket


class AuthorizationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a client that has proved who it is may see and claim."""

    rules: Annotated[
        tuple[RuleSettings, ...],
        Meta(
            title="Authorisation rules, as YAML",
            description="a list of {identity: {…}, subscribe: […], claim: […]}",
            extra={"metavar": "YAML"},
        ),
    ] = ()
    """Rules that say together what an identity may see. Empty: everything that is not private, and its own
    namespace. In the environment they are the same list in YAML; a flag is one rule."""
