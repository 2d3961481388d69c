"""PodCertificateRequest of certificates.k8s.io/v1, as far as a signer reads it."""

import msgspec

from steerway.sources.objects.slim import ObjectKey, Slim


class RequestMeta(Slim, frozen=True):
    """Which request it is."""

    name: str
    namespace: str = ""
    uid: str = ""
    creation_timestamp: str = ""


class RequestSpec(Slim, frozen=True):
    """What is requested, and for which pod. `csr` is PKCS #10 in DER; its content besides the key has no meaning."""

    signer_name: str = ""
    pod_name: str = ""
    pod_uid: str = msgspec.field(default="", name="podUID")
    service_account_name: str = ""
    service_account_uid: str = msgspec.field(default="", name="serviceAccountUID")
    node_name: str = ""
    node_uid: str = msgspec.field(default="", name="nodeUID")
    max_expiration_seconds: int = 86400
    csr: bytes = msgspec.field(default=b"", name="stubPKCS10Request")
    annotations: dict[str, str] = msgspec.field(default_factory=dict, name="unverifiedUserAnnotations")


class RequestCondition(Slim, frozen=True):
    type: str = ""


class RequestStatus(Slim, frozen=True):
    conditions: tuple[RequestCondition, ...] = ()


class PodCertificateRequest(Slim, frozen=True):
    """One request of a kubelet. It is final once its status has a condition."""

    metadata: RequestMeta
    spec: RequestSpec = RequestSpec()
    status: RequestStatus = RequestStatus()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("PodCertificateRequest", self.metadata.namespace, self.metadata.name)

    @property
    def is_final(self) -> bool:
        """Whether it is issued, denied or failed."""
        return bool(self.status.conditions)
