"""Settings of xDS servers: gRPC servers that get their Listener from the control plane."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta


@dataclass(frozen=True, kw_only=True)
class XdsServerSettings:
    """gRPC servers that get their Listener from the control plane, where no policy applies.

    A [ServerPolicy or an AuthorizationPolicy](guides/mtls.md) of their Service or namespace precedes these settings.
    """

    tls_mode: Annotated[
        Literal["off", "permissive", "strict"], Meta(title="TLS of servers without a policy")
    ] = "off"
    """TLS of gRPC servers without a ServerPolicy: `off` is plaintext, `permissive` is TLS that accepts clients without
    a certificate, `strict` is TLS that refuses them. A server whose bootstrap has no certificate provider gets no
    Listener with the last two. A change closes the connections of the servers it concerns."""

    authorization: Annotated[
        Literal["allow", "deny"], Meta(title="Calls to servers without an AuthorizationPolicy that allows")
    ] = "allow"
    """Whether calls are accepted that no AuthorizationPolicy with `action: Allow` could match, because none applies to
    the server. `deny` needs TLS in practice: clients without a certificate have no identity."""

    unsupported: Annotated[
        Literal["refuse", "serve"], Meta(title="Servers whose library does not support RBAC")
    ] = "refuse"
    """What a server gets that an AuthorizationPolicy applies to and whose library has no RBAC (grpc-js): `refuse` is no
    Listener, so that it does not serve; `serve` is a Listener without authorization."""
