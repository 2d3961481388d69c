"""What single gRPC libraries do not support of a bootstrap: measured on grpc-go 1.85, grpc-java 1.85, C-core 1.85 and
grpc-js-xds 1.14."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from steerway.bootstrap.document import Bootstrap, Server, Tls
from steerway.translate.client.library import GRPC, Library

_TOKEN_VARIABLE = "GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS"


class Limitation(NamedTuple):
    """`libraries` are affected, `reason` is the effect with the fix, if there is one."""

    libraries: tuple[Library, ...]
    reason: str

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.libraries))}: {self.reason}"


def limitations(bootstrap: Bootstrap) -> tuple[Limitation, ...]:
    """In a fixed order, each once."""
    return tuple(dict.fromkeys(_limitations(bootstrap)))


def _limitations(bootstrap: Bootstrap) -> Iterator[Limitation]:
    groups = (bootstrap.servers, *bootstrap.authorities.values())
    if any(len(servers) > 1 for servers in groups):
        yield Limitation((Library.NODE,), "uses the first server only, without fallback (gRFC A71)")
    for servers in groups:
        for server in servers:
            yield from _of_credentials(server)
    for name, provider in bootstrap.certificate_providers.items():
        if not PurePosixPath(provider.folder).is_absolute():
            reason = f"certificate provider {name}: {provider.folder} is relative to the client's working directory"
            yield Limitation(GRPC, reason)


def _of_credentials(server: Server) -> Iterator[Limitation]:
    tls = next((item for item in server.credentials if isinstance(item, Tls)), None)
    if tls is None:
        return
    if all(isinstance(item, Tls) for item in server.credentials):
        yield Limitation(
            (Library.NODE,),
            "has no TLS towards the control plane and refuses this bootstrap: give it a plaintext server",
        )
    else:
        yield Limitation(
            (Library.NODE,),
            f"connects to {server.address} in plaintext: it has no TLS towards the control plane",
        )
    if tls.ca or tls.certificate:
        reason = "reads no certificate files of the bootstrap for the control plane: set -Djavax.net.ssl.trustStore"
        if tls.certificate:
            reason += " for the CA; a client certificate cannot be set"
        yield Limitation((Library.JAVA,), reason)
    if PurePosixPath(tls.certificate).parent != PurePosixPath(tls.key).parent:
        yield Limitation(
            (Library.GO,), "refuses a bootstrap with a certificate and a key in two folders: use one"
        )
    if server.jwt_token_file:
        yield Limitation(
            (Library.CORE, Library.GO),
            f"send the token only with {_TOKEN_VARIABLE}=true in their environment (gRFC A97)",
        )
        yield Limitation((Library.JAVA, Library.NODE), "send no token to the control plane")
