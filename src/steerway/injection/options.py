"""What is added to pods, as far as it is the same for all pods."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from steerway.bootstrap.document import FileWatcher, Server

Method: TypeAlias = Literal["environment", "volume"]
Credentials: TypeAlias = Literal["insecure", "tls"]

MOUNT_PATH = "/etc/steerway"
"""Where the volume is mounted. No ancestor of it is a usual mount point."""
CERTIFICATES_PATH = "/var/run/secrets/steerway.io/certificates"
"""Where the volume with the certificate of the workload is mounted."""
BOOTSTRAP_FILE = "bootstrap.json"
CA_FILE = "ca.crt"
TOKEN_FILE = "token"


@dataclass(frozen=True, slots=True)
class InjectionOptions:
    """`servers`: those of the bootstrap by the credentials of a pod; a pod that chooses one without servers is not
    injected. `method` and `credentials` are those of pods that do not choose.

    `ca`: the object with the CA certificates, `ConfigMap/NAME` or `ClusterTrustBundle/NAME`; None: those of the
    container. `token_audience`: that of the service account token that clients send over TLS; None: no token.

    `certificates`: whether pods that do not choose get a certificate; `signer_name` issues it.
    """

    servers: Mapping[Credentials, tuple[Server, ...]]
    credentials: Credentials
    method: Method
    ca: str | None
    token_audience: str | None
    certificates: bool
    signer_name: str

    def file_sources(self, credentials: Credentials) -> list[dict[str, Any]]:
        """The sources of the projected volume that these credentials need."""
        if credentials == "insecure":
            return []
        sources: list[dict[str, Any]] = []
        if self.ca is not None:
            kind, _, name = self.ca.partition("/")
            # Optional: without the object, clients fail to verify steerway, but the pod starts.
            if kind == "ConfigMap":
                items = [{"key": "ca.crt", "path": CA_FILE}]
                sources.append({"configMap": {"name": name, "optional": True, "items": items}})
            else:
                sources.append({"clusterTrustBundle": {"name": name, "optional": True, "path": CA_FILE}})
        if self.sends_token(credentials):
            sources.append({"serviceAccountToken": {"audience": self.token_audience, "path": TOKEN_FILE}})
        return sources

    def certificate_sources(self) -> list[dict[str, Any]]:
        """The sources of the volume with the certificate. All in one: grpc-java uses a renewed pair only if the CA file
        is written again with it, as the kubelet does with all files of a volume. None is optional: without one of the
        files, grpc-java fails all calls instead of waiting."""
        files = FileWatcher(CERTIFICATES_PATH)
        certificate = {
            "signerName": self.signer_name,
            "keyType": "ECDSAP256",
            "keyPath": files.key,
            "certificateChainPath": files.certificate,
        }
        # Not by name: the kubelet (1.37) follows bundles by name every five minutes, and those of a signer at once.
        roots = {"signerName": self.signer_name, "labelSelector": {}, "path": files.ca}
        return [{"podCertificate": certificate}, {"clusterTrustBundle": roots}]

    def sends_token(self, credentials: Credentials) -> bool:
        """Whether clients with these credentials send a service account token (gRFC A97: over TLS only)."""
        return credentials == "tls" and self.token_audience is not None
