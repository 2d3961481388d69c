"""What is added to pods, as far as it is the same for all pods."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from steerway.bootstrap.document import Server

Method: TypeAlias = Literal["environment", "volume"]
Credentials: TypeAlias = Literal["insecure", "tls"]

MOUNT_PATH = "/etc/steerway"
"""Where the volume is mounted. No ancestor of it is a usual mount point."""
BOOTSTRAP_FILE = "bootstrap.json"
CA_FILE = "ca.crt"
TOKEN_FILE = "token"


@dataclass(frozen=True, slots=True)
class InjectionOptions:
    """`servers`: those of the bootstrap by the credentials of a pod; a pod that chooses one without servers is not
    injected. `method` and `credentials` are those of pods that do not choose.

    `ca`: the object with the CA certificates, `ConfigMap/NAME` or `ClusterTrustBundle/NAME`; None: those of the
    container. `token_audience`: that of the service account token that clients send over TLS; None: no token.
    """

    servers: Mapping[Credentials, tuple[Server, ...]]
    credentials: Credentials
    method: Method
    ca: str | None
    token_audience: str | None

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

    def sends_token(self, credentials: Credentials) -> bool:
        """Whether clients with these credentials send a service account token (gRFC A97: over TLS only)."""
        return credentials == "tls" and self.token_audience is not None
