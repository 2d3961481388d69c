"""Credentials that need no secret of steerway's: a certificate that TLS has verified, and the Unix socket."""

import functools
from collections.abc import Iterable

from steerway.access.identity import Identity, of_certificate
from steerway.access.result import AuthenticationResult, Credential, refused


class ClientCertificate:
    """Takes the names of a certificate that the handshake has verified against the client CA."""

    method = "certificate"
    accepts = "a client certificate"

    def __init__(self, trust_domains: Iterable[str]) -> None:
        """`trust_domains`: those whose SPIFFE IDs are accepted; none: every one that the client CA vouches for."""
        self._trust_domains = frozenset(trust_domains)

    def reads(self, credential: Credential) -> bool:
        return bool(credential.certificate)

    def authenticate(self, credential: Credential) -> AuthenticationResult:
        return _identified(tuple(credential.certificate), self._trust_domains)


@functools.lru_cache(maxsize=4096)
def _identified(names: tuple[str, ...], trust_domains: frozenset[str]) -> AuthenticationResult:
    try:
        return of_certificate(names, trust_domains)
    except ValueError as error:
        return refused(f"the client certificate has no identity: {error}")


class UnixSocket:
    """Accepts every client of the Unix socket: the mode of its file limits the users that can connect."""

    method = "unix_socket"
    accepts = "the Unix socket"

    def reads(self, credential: Credential) -> bool:
        return credential.transport == "unix"

    def authenticate(self, credential: Credential) -> AuthenticationResult:  # noqa: ARG002 - being there is all
        return Identity("unix_socket")
