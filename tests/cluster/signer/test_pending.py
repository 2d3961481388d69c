"""Requests that do not match the cluster stay pending, with an Event; a missing permission is named."""

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from testbed.manifest import Manifest
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.signer.conftest import Replica, Signing

pytestmark = NEEDS_CLUSTER
_OTHER_UID = "00000000-0000-4000-8000-000000000000"


def request(signing: Signing, pod: str, **spec: object) -> str:
    """Create a request for a pod as a user with all permissions; `spec` replaces fields that are right."""
    name = f"{pod}-{len(signing.requests(pod))}"
    live = signing.api.get("Pod", signing.namespace.name, pod)
    account = signing.api.get("ServiceAccount", signing.namespace.name, "default")
    node = signing.api.get("Node", "", live["spec"]["nodeName"])
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    der = csr.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)
    right: dict[str, Any] = {
        "signerName": signing.signer_name,
        "podName": pod,
        "podUID": live["metadata"]["uid"],
        "serviceAccountName": "default",
        "serviceAccountUID": account["metadata"]["uid"],
        "nodeName": node["metadata"]["name"],
        "nodeUID": node["metadata"]["uid"],
        "stubPKCS10Request": base64.b64encode(der).decode(),
    }
    manifest: Manifest = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "PodCertificateRequest",
        "metadata": {"name": name, "namespace": signing.namespace.name},
        "spec": right | spec,
    }
    signing.api.create(manifest)
    return name


def conditions(signing: Signing, name: str) -> list[str]:
    got = signing.api.get("PodCertificateRequest", signing.namespace.name, name)
    return [condition["type"] for condition in got.get("status", {}).get("conditions", [])]


def wait_for_pending(replica: Replica, name: str) -> dict[str, Any]:
    def line() -> dict[str, Any] | None:
        lines = replica.events("identity_pending")
        return next((line for line in lines if line["request"].endswith(f"/{name}")), None)

    return until(line, lambda: replica.process.complaint(f"{name} is not pending")) or {}


def test_what_does_not_match_stays_pending(signing: Signing) -> None:
    """An Event on the pod has the reason; a request that matches is issued beside them."""
    signing.allow()
    replica = signing.start()
    pod = signing.start_pod("backend").wait_until_ready()
    reasons = {
        request(signing, "backend", podUID=_OTHER_UID): "UID",
        request(signing, "backend", nodeName="node-9"): "node node-9",
        request(signing, "backend", serviceAccountName="admin"): "service account admin",
        request(signing, "backend", serviceAccountUID=_OTHER_UID): "service account default was deleted",
        request(signing, "backend", nodeUID=_OTHER_UID): "was deleted",
    }
    for name, reason in reasons.items():
        assert reason in wait_for_pending(replica, name)["reason"]
    right = request(signing, "backend")
    until(lambda: conditions(signing, right) == ["Issued"], "the request that matches is issued")
    assert [conditions(signing, name) for name in reasons] == [[]] * len(reasons)
    until(
        lambda: any("service account default was deleted" in m for m in pod.events("CertificateNotIssued")),
        lambda: f"an Event: {pod.events('CertificateNotIssued')}",
    )
    assert "steerway_signer_pending_requests 5.0" in replica.metrics()
    assert replica.state()["problems"] == []


def test_a_pod_without_a_volume_gets_no_certificate(signing: Signing) -> None:
    """A caller that may create requests cannot take the identity of just any pod."""
    signing.allow()
    replica = signing.start()
    signing.namespace.create_pod(
        "plain", {"containers": [{"name": "a", "image": "none", "command": ["sleep", "600"]}]}
    )
    until(lambda: signing.api.get("Pod", signing.namespace.name, "plain")["spec"].get("nodeName"), "a node")
    name = request(signing, "plain")
    assert "no podCertificate volume" in wait_for_pending(replica, name)["reason"]


def test_missing_permissions_are_named_and_retried(signing: Signing) -> None:
    """Nothing ends; once they are granted, pods that wait get their certificates."""
    signing.allow(everywhere=False)
    replica = signing.start()
    hints = ("podcertificaterequests", "clustertrustbundles")
    until(
        lambda: all(any(hint in p["hint"] for p in replica.state()["problems"]) for hint in hints),
        lambda: f"problems: {replica.state()}",
    )
    signing.start_pod("early")
    signing.allow()
    until(lambda: replica.state()["problems"] == [], lambda: f"no problem: {replica.state()}")
    until(lambda: replica.events("identity_issued"), lambda: replica.process.complaint("issues nothing"))
