"""Whether a request gets a certificate: a pure function of the request and of the objects that it names.

A denial is final for the Pod, also for the refresh of its certificate (PodCertificateRequest v1). So only a request
that no later state of the cluster can make right is denied; one that does not match the objects stays pending.

The API server checks the objects of requests from nodes (NodeRestriction). Other callers with the permission to create
requests can name any, so that the checks are repeated here.
"""

from dataclasses import dataclass

from steerway.certificate.pair import UnusableError
from steerway.signer.csr import SubjectKey, public_key
from steerway.signer.pod import LivePod
from steerway.sources.objects.certificate_request import PodCertificateRequest
from steerway.text import bounded

# Reasons of conditions that are known to clients (PodCertificateRequest v1).
_UNSUPPORTED_KEY = "UnsupportedKeyType"
_NOT_OF_KUBELET = "find out which client has created the request: it is not the kubelet of the Pod"
_ANNOTATIONS = "InvalidUnverifiedUserAnnotations"


@dataclass(frozen=True, slots=True)
class Denied:
    """`reason` is one word of a condition, `message` has the fix of the Pod."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Why there is no certificate yet, and the fix."""

    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Objects:
    """What the API server has under the names of a request; None, or "" as UID: nothing."""

    pod: LivePod | None
    account_uid: str
    node_uid: str


def admitted(request: PodCertificateRequest) -> SubjectKey | Denied:
    """The key to certify, or why the request can never get a certificate."""
    if request.spec.annotations:
        keys = bounded(", ".join(sorted(request.spec.annotations)))
        return Denied(
            _ANNOTATIONS, f"userAnnotations are not supported: remove {keys} from the podCertificate volume"
        )
    try:
        return public_key(request.spec.csr)
    except UnusableError as error:
        return Denied(_UNSUPPORTED_KEY, f"{error}: correct keyType of the podCertificate volume")


def doubt(request: PodCertificateRequest, objects: Objects) -> Pending | None:
    """Why there is no certificate yet: the Pod must live, on its node, with its service account."""
    return _pod_doubt(request, objects.pod) or _owner_doubt(request, objects)


def _pod_doubt(request: PodCertificateRequest, pod: LivePod | None) -> Pending | None:
    spec = request.spec
    if pod is None:
        return Pending("the Pod does not exist", "nothing to do: the request is deleted")
    if pod.metadata.uid != spec.pod_uid:
        return Pending(
            f"the request is for the UID {spec.pod_uid}, the Pod has another one",
            "nothing to do if the Pod was replaced: the kubelet requests a certificate for the new one",
        )
    if pod.has_finished:
        return Pending("the Pod has finished", "nothing to do")
    if pod.spec.node_name != spec.node_name:
        return Pending(
            f"the request is of node {spec.node_name}, the Pod runs on {pod.spec.node_name or 'none'}",
            _NOT_OF_KUBELET,
        )
    if pod.spec.service_account_name != spec.service_account_name:
        return Pending(
            f"the request is for service account {spec.service_account_name}, the Pod has"
            f" {pod.spec.service_account_name}",
            _NOT_OF_KUBELET,
        )
    if spec.signer_name not in pod.signer_names:
        return Pending(
            f"the Pod has no podCertificate volume of {spec.signer_name}",
            _NOT_OF_KUBELET,
        )
    return None


def _owner_doubt(request: PodCertificateRequest, objects: Objects) -> Pending | None:
    spec = request.spec
    if objects.account_uid != spec.service_account_uid:
        return Pending(
            f"service account {spec.service_account_name} was deleted, or deleted and created again",
            "recreate the Pod",
        )
    if objects.node_uid != spec.node_uid:
        return Pending(f"node {spec.node_name} was deleted, or deleted and created again", "recreate the Pod")
    return None
