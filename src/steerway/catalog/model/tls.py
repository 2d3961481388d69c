"""TLS to the endpoints of a service port, as a BackendTLSPolicy asks for it, in the mesh's own words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackendTLS:
    """`origin` names the policy. `hostname` is the SNI, and what the certificate must be for unless `dns_names` or
    `uris` are given, of which it must have one. `fault`: why the policy cannot be followed; nothing may connect then.
    `remedy`: what to do about that."""

    origin: str
    hostname: str = ""
    dns_names: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    fault: str = ""
    remedy: str = ""
