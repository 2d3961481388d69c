"""The shapes in which the parts of `access` answer: a credential goes in, an identity or a refusal comes out."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from steerway.access.identity import Identity
from steerway.peer import Transport, network

# gRPC status codes (grpc/grpc, doc/statuscodes.md).
PERMISSION_DENIED = 7
INTERNAL = 13
UNAVAILABLE = 14
UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client presents. `certificate` holds the names of a certificate that TLS has verified; `peer` is
    `ip:port`, or `unix:/path (pid 7, uid 1000)`."""

    token: str = field(default="", repr=False)
    certificate: Sequence[str] = ()
    transport: Transport = "tls"
    peer: str = ""

    @property
    def network(self) -> str:
        """Whose share the verification uses."""
        return network(self.peer)


class Refusal(NamedTuple):
    """Why a stream or call is refused. `client_message` goes to the client, `reason` to the log."""

    code: int
    client_message: str
    reason: str


AuthenticationResult: TypeAlias = Identity | Refusal


class Authenticator(Protocol):
    """Proves identities from one kind of credential."""

    @property
    def method(self) -> str:
        """Its name in logs and metrics."""

    @property
    def accepts(self) -> str:
        """What it wants, for the message to a client without a credential: `a client certificate`."""

    def reads(self, credential: Credential) -> bool:
        """Whether the credential holds anything for this authenticator."""

    def authenticate(self, credential: Credential) -> AuthenticationResult | Awaitable[AuthenticationResult]:
        """The result, or an awaitable of it where a remote party verifies. Never raises."""


def refused(reason: str) -> Refusal:
    """A credential is not good. The client does not learn the reason, which would help to guess credentials."""
    return Refusal(
        UNAUTHENTICATED, "the credential is not accepted; see the server's log for the reason", reason
    )


def unavailable(reason: str) -> Refusal:
    """The credential cannot be verified now; clients try again."""
    return Refusal(UNAVAILABLE, "the credential cannot be verified at the moment; try again", reason)
