"""Settings of the authentication of xDS clients. How each method works: `steerway.access`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from steerway.config.unit import OptionalFile, PositiveSeconds, Seconds, Switch, unset


@dataclass(frozen=True, kw_only=True)
class AuthenticationSettings:
    """Credentials that authenticate a client; one of the enabled methods is enough.

    With all methods off, clients are not authenticated and can see everything. [Security](security.md) describes the
    threats and gives complete examples. Files are read again when they change. Invalid content is reported as a
    problem, and the last valid content stays in use.
    """

    certificate: Annotated[Switch, Meta(title="Accept client certificates")] = False
    """Whether a client certificate with a SPIFFE ID or a DNS name authenticates the client. Off: a certificate that TLS
    requires opens the connection but gives no identity. Needs `tls.client_ca`."""

    trust_domains: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[a-z0-9._-]{1,255}\Z")], ...],
        Meta(
            title="SPIFFE trust domain to accept (repeatable)",
            description="a list of SPIFFE trust domains such as cluster.local, without spiffe://",
            extra={"metavar": "DOMAIN", "unset": "all trust domains"},
        ),
    ] = ()
    """SPIFFE trust domains to accept. Empty: all that `tls.client_ca` signs for. If set, certificates without a SPIFFE
    ID are refused."""

    service_account: Annotated[
        Literal["off", "token_review", "jwks"], Meta(title="Verification of service account tokens")
    ] = "off"
    """How service account tokens are verified. `token_review` sends each token to the API server, which detects
    deleted pods and accounts; `jwks` verifies the signature, which needs no API server and accepts a token until it
    expires; `off` does not accept them."""

    audiences: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(
            min_length=1,
            title="Audience of service account tokens (repeatable)",
            description="a list of at least one audience",
            extra={"metavar": "AUDIENCE"},
        ),
    ] = ("steerway",)
    """Audiences that service account tokens must have; one of them is enough. The default differs from the audience of
    the API server, so that tokens sent here cannot be used there: project a token with `audience: steerway`."""

    jwks: Annotated[
        Annotated[str, Meta(pattern=r"^(https://[^/]|http://(localhost|127\.0\.0\.1|\[::1\])[:/]|/)")] | None,
        Meta(
            title="JSON Web Key Set of service account tokens",
            description="an absolute path, an https URL, or an http URL of this host",
            extra={"metavar": "FILE|URL", "unset": "JWKS of the API server"},
        ),
    ] = None
    """JSON Web Key Set that verifies tokens for `service_account: jwks`: a file, read again when it changes, or a URL.
    Without it, the JWKS of the API server is used. Plain http is accepted from this host only, because the source of
    the keys can issue tokens."""

    issuer: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            title="Issuer of service account tokens (`iss`)",
            description="the issuer as it stands in tokens",
            extra={"metavar": "ISSUER", "unset": "issuer of the API server"},
        ),
    ] = None
    """Issuer (`iss`) that tokens must have. Without it, the issuer of the API server is used. Required with
    `authentication.jwks`."""

    review_cache_seconds: Annotated[Seconds, Meta(title="Cache time of a TokenReview")] = 120.0
    """Seconds that the result of a TokenReview is cached. A token is accepted for up to this time after its pod was
    deleted. Two minutes is the cache time of the API server for its own webhooks. 0: no cache."""

    timeout_seconds: Annotated[PositiveSeconds, Meta(title="Timeout of the verification of a credential")] = (
        10.0
    )
    """Seconds until a stream whose token could not be verified ends with UNAVAILABLE, so that the client retries; with
    `authentication.pod_address` also the longest wait for the Pod of a new address. Less than the 15 s that gRPC
    clients wait for a resource."""

    token_file: Annotated[
        OptionalFile,
        Meta(title="Static tokens, one TOKEN,IDENTITY per line", **unset("no static tokens")),
    ] = None
    """File of [static tokens](security.md#static-tokens), one `TOKEN,IDENTITY` per line. It is read again when it
    changes. Without it, static tokens are not accepted."""

    pod_address: Annotated[
        Literal["off", "plaintext", "all"], Meta(title="Authentication by the address of a pod")
    ] = "off"
    """Whether the address of a connection authenticates a client as the service account of the [pod with that
    address](security.md#the-address-of-a-pod), if it presents no other credential. `plaintext`: on TCP addresses
    without TLS, for client libraries that have none; `all`: on all TCP addresses of the xDS server. Off by default,
    because it trusts the network of the cluster. Needs list and watch on pods."""

    unix_socket: Annotated[Switch, Meta(title="Accept all clients of a Unix socket")] = False
    """Whether clients of a Unix socket need no other credential, because the file mode of the socket restricts access.
    Off by default, because a socket can be mounted in more pods than intended."""

    @property
    def accepts_tokens(self) -> bool:
        """Whether tokens of any kind are accepted."""
        return self.service_account != "off" or self.token_file is not None

    @property
    def enabled(self) -> bool:
        """Whether any method is on."""
        return self.accepts_tokens or self.certificate or self.unix_socket or self.pod_address != "off"
