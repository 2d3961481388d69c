"""Settings of the signer of workload certificates."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from msgspec import Meta

from steerway.config.section.http import Connections
from steerway.config.unit import LABEL, Address, NamespaceName, Seconds, whole

_OBJECT: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^{LABEL}(\.{LABEL})*\Z",
        max_length=253,
        description="the name of an object (DNS labels with dots between them)",
        extra={"metavar": "NAME"},
    ),
]


@dataclass(frozen=True, kw_only=True)
class SignerSettings:
    """The signer of workload certificates, `steerway signer`.

    It needs Kubernetes 1.37 or later. [Key hierarchy, lifetimes, revocation](security.md#workload-identities).
    """

    listen: Annotated[Address, Meta(title="Address of the HTTP server of the signer")] = "0.0.0.0:18002"
    """Address of `/healthz`, `/readyz` and `/metrics` of the signer. The default binds all interfaces, because the
    kubelet probes the address of the pod; there are no secrets in the responses."""

    max_connections: Annotated[
        Connections, Meta(title="Concurrent connections of the HTTP server of the signer")
    ] = 32
    """As `admin_max_connections`, for `signer.listen`."""

    secret_namespace: Annotated[
        NamespaceName | None,
        Meta(
            title="Namespace of the Secrets and the Lease of the signer",
            description="the name of a namespace (a DNS label)",
            extra={"metavar": "NS", "unset": "own namespace"},
        ),
    ] = None
    """Namespace of the Secrets and of the Lease. Without it, the own namespace as for `kubernetes.namespaces`. A client
    that may read Secrets in it can issue certificates for all workloads."""

    secret: Annotated[_OBJECT, Meta(title="Secret with the CA of workload certificates")] = "steerway-signer"
    """The Secret with the root, the intermediate and their keys, which the signer creates. Each new value of its
    annotation `steerway.io/rotate` requests a new root."""

    ca_secret: Annotated[
        _OBJECT | None,
        Meta(
            title="Secret with a CA of another issuer",
            description="the name of an object (DNS labels with dots between them)",
            extra={"metavar": "NAME", "unset": "steerway makes the CA"},
        ),
    ] = None
    """A Secret of the type `kubernetes.io/tls` with a CA to issue certificates with: its certificate in `tls.crt`, its
    key in `tls.key`, its root in `ca.crt`, as a Certificate of cert-manager with `isCA` has them. Its changes are
    followed: a new root is published first, and used after `signer.propagation_seconds`."""

    lease_name: Annotated[
        Annotated[str, Meta(pattern=rf"^{LABEL}\Z")],
        Meta(title="Name of the Lease of the signer", description="a DNS label", extra={"metavar": "NAME"}),
    ] = "steerway-signer"
    """Name of the Lease that replicas share. The one that holds it issues certificates; the others take over when it
    ends."""

    leaf_seconds: Annotated[
        int,
        whole(3600, 7_862_400, "SECONDS"),
        Meta(title="Longest lifetime of a workload certificate"),
    ] = 86400
    """Longest lifetime of a certificate of a workload; one hour is the shortest that the API server accepts. A pod can
    request a shorter one (`maxExpirationSeconds`). The kubelet requests the next one at half of the lifetime, so that
    half of it bounds how long the signer may be down."""

    intermediate_days: Annotated[
        int, whole(1, 3650, "DAYS"), Meta(title="Lifetime of the intermediate CA")
    ] = 30
    """Lifetime of the intermediate CA, which signs certificates of workloads. It is replaced when a third of it
    remains, without effect on workloads. A third must not be shorter than `signer.leaf_seconds`."""

    root_days: Annotated[int, whole(1, 36500, "DAYS"), Meta(title="Lifetime of the root CA")] = 365
    """Lifetime of the root CA. It is replaced when a third of it remains: the next root is published, used after
    `signer.propagation_seconds`, and the former one is removed after the last certificate below it has expired. A third
    must not be shorter than `signer.intermediate_days`."""

    propagation_seconds: Annotated[
        Seconds, Meta(title="Time between the publication of a root and its use")
    ] = 3600.0
    """Time in seconds that a root is published before a certificate below it is issued. By then all workloads must have
    read it: the kubelet updates volumes within two minutes, or seven where a volume names the bundle, and clients read
    files again after 10 minutes, or the `refresh_interval` of their bootstrap."""
