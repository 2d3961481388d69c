"""Settings of the configuration that Envoys receive."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from steerway.config.unit import Address


@dataclass(frozen=True, kw_only=True)
class EnvoySettings:
    """Listeners and trusted CA certificates of Envoys.

    An [Envoy](guides/envoy.md) has one listener; its address depends on the role of its Node.
    """

    listen: Annotated[Address, Meta(title="Listener address of sidecars")] = "127.0.0.1:15001"
    """Listener address of an Envoy that is a sidecar, for the outgoing requests of its pod. Loopback, because any
    client that reaches it can call all services that are visible in the namespace of the sidecar."""

    gateway_listen: Annotated[Address, Meta(title="Listener address of gateways")] = "0.0.0.0:8080"
    """Listener address of an Envoy that is a gateway (`steerway.io/role: gateway` in its Node metadata). All
    interfaces, because its clients run on other hosts."""

    system_ca_file: Annotated[
        str,
        Meta(
            min_length=1,
            title="System CA certificates in the container of an Envoy",
            description="the path of a file in the container of an Envoy",
            extra={"metavar": "FILE"},
        ),
    ] = "/etc/ssl/certs/ca-certificates.crt"
    """File of the system CA certificates in the container of an Envoy, for
    [TLS to backends](security.md#tls-to-backends) (a BackendTLSPolicy with `wellKnownCACertificates: System`). If the
    file does not exist, Envoy refuses the cluster and requests fail. The default is the path in Debian and Ubuntu, the
    bases of the official Envoy images."""
