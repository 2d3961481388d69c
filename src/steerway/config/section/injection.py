"""Settings of the webhook that adds the bootstrap to pods."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from steerway.config.section.http import Connections
from steerway.config.unit import HOST, LABEL, PORT, Address, OptionalFile, Switch, unset

_SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
"""The name of most Kubernetes objects (RFC 1123)."""
_Servers: TypeAlias = tuple[Annotated[str, Meta(pattern=rf"^{HOST}:{PORT}\Z")], ...]
_SERVERS = "a list of HOST:PORT (an IPv6 host in brackets), as clients reach the xDS server"
_NAME = "the name of an object (DNS labels with dots between them)"
_ObjectName: TypeAlias = Annotated[str, Meta(pattern=rf"^{_SUBDOMAIN}\Z", max_length=253)]


@dataclass(frozen=True, kw_only=True)
class InjectionSettings:
    """The mutating admission webhook that adds the bootstrap to pods.

    [What it adds, and how it is installed](guides/injection.md).
    """

    listen: Annotated[
        Address | None,
        Meta(
            title="Address of the injection webhook",
            description="HOST:PORT (an IPv6 host in brackets; port 0 lets the system choose)",
            extra={"metavar": "HOST:PORT", "unset": "no injection webhook"},
        ),
    ] = None
    """Address of the [injection webhook](guides/injection.md), HTTPS only. Without it, the webhook is off, because it
    needs a MutatingWebhookConfiguration and cluster-wide permissions."""

    servers: Annotated[
        _Servers,
        Meta(
            title="Plaintext xDS server in the bootstrap of pods (repeatable)",
            description=_SERVERS,
            extra={"metavar": "HOST:PORT", "unset": "no plaintext server"},
        ),
    ] = ()
    """xDS servers without TLS that the bootstrap of pods names, in the order of preference. Clients use the next one
    while the first does not answer (gRFC A71)."""

    tls_servers: Annotated[
        _Servers,
        Meta(
            title="xDS server with TLS in the bootstrap of pods (repeatable)",
            description=_SERVERS,
            extra={"metavar": "HOST:PORT", "unset": "no server with TLS"},
        ),
    ] = ()
    """As `injection.servers`, with TLS. Their certificate must have these host names. Not supported by grpc-js, and by
    grpc-java only with the trust store of the JVM: such pods need `injection.servers`, too."""

    credentials: Annotated[
        Literal["insecure", "tls"], Meta(title="Credentials of pods that do not choose")
    ] = "insecure"
    """Which of the two lists pods without the annotation `steerway.io/inject-credentials` get: `insecure` is
    `injection.servers`, `tls` is `injection.tls_servers`. The default works in all gRPC libraries."""

    ca: Annotated[
        Annotated[str, Meta(pattern=rf"^(ConfigMap/{_SUBDOMAIN}|ClusterTrustBundle/[a-z0-9.:-]{{1,253}})\Z")]
        | None,
        Meta(
            title="CA certificates for the servers with TLS",
            description="ConfigMap/NAME (in the namespace of the pod) or ClusterTrustBundle/NAME",
            extra={"metavar": "KIND/NAME", "unset": "root certificates of the container"},
        ),
    ] = None
    """Object with the CA certificates of `injection.tls_servers`, which is mounted into pods: `ConfigMap/NAME` is a
    ConfigMap with the key `ca.crt` in the namespace of each pod, such as `kube-root-ca.crt`; `ClusterTrustBundle/NAME`
    is a cluster-wide bundle. Without it, clients use the root certificates of their container."""

    token_audience: Annotated[
        Annotated[str, Meta(min_length=1, max_length=253)] | None,
        Meta(
            title="Audience of the token that clients send with TLS",
            description="1 to 253 characters",
            extra={"metavar": "NAME", "unset": "no tokens"},
        ),
    ] = None
    """Audience of the service account token that is mounted into pods with `tls` credentials, one of
    `authentication.audiences`. grpc-go and C-core send it, over TLS only; others ignore it. Without it, no token is
    mounted."""

    method: Annotated[
        Literal["environment", "volume"], Meta(title="How pods that do not choose get the bootstrap")
    ] = "environment"
    """How pods without the annotation `steerway.io/inject-method` get the bootstrap: `environment` is the variable
    `GRPC_XDS_BOOTSTRAP_CONFIG`, `volume` is a file that `GRPC_XDS_BOOTSTRAP` names. The variable contains the name of
    the pod; the file cannot if the pod is created by a controller."""

    certificates: Annotated[Switch, Meta(title="Certificates for pods that do not choose")] = False
    """Whether pods without the annotation `steerway.io/inject-certificates` (`enabled` or `disabled`) get a certificate
    of `identity.signer_name`, for [mTLS among gRPC clients and servers](guides/mtls.md): a volume that the kubelet
    keeps up to date, and a bootstrap that names it. Kubernetes 1.37 or later; a pod does not start before its
    certificate is issued."""

    max_connections: Annotated[Connections, Meta(title="Concurrent connections of the injection webhook")] = (
        32
    )
    """As `admin_max_connections`, for `injection.listen`. An API server has one connection or a few."""

    webhook: Annotated[
        _ObjectName,
        Meta(
            title="Name of the MutatingWebhookConfiguration",
            description=_NAME,
            extra={"metavar": "NAME"},
        ),
    ] = "steerway-injection"
    """The MutatingWebhookConfiguration whose `caBundle` the replica with the Lease keeps up to date. It is
    cluster-wide, so two installations in a cluster need two names."""

    service: Annotated[
        Annotated[str, Meta(pattern=rf"^{LABEL}\Z")],
        Meta(
            title="Name of the Service of the webhook",
            description="a DNS label",
            extra={"metavar": "NAME"},
        ),
    ] = "steerway"
    """The Service in the own namespace that the MutatingWebhookConfiguration names: the certificate is issued for
    `SERVICE.NAMESPACE.svc`."""

    secret: Annotated[
        _ObjectName,
        Meta(
            title="Name of the Secret with the certificate",
            description=_NAME,
            extra={"metavar": "NAME"},
        ),
    ] = "steerway-injection"
    """The Secret in the own namespace with the certificate of the webhook and its CA. The replica with the Lease
    creates and renews it; all replicas use it."""

    certificate: Annotated[
        OptionalFile,
        Meta(
            title="Certificate of the webhook (PEM), instead of the Secret",
            **unset("issued by steerway, in the Secret"),
        ),
    ] = None
    """Certificate of the webhook in PEM, from a file, such as a Secret of cert-manager that is mounted. It is read
    again when it changes. `caBundle` is then not changed by steerway (cert-manager's cainjector can set it)."""

    key: Annotated[
        OptionalFile,
        Meta(title="Private key of that certificate (PEM)", **unset("issued by steerway, in the Secret")),
    ] = None
    """Private key of `injection.certificate` in PEM. Set both or none."""
