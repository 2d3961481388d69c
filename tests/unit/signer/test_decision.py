"""What a request gets, and when it is looked at again."""

from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from steerway.signer.backlog import FIRST_SECONDS, LONGEST_SECONDS, Backlog
from steerway.signer.decision import Denied, Objects, Pending, admitted, doubt
from steerway.signer.pod import LivePod
from steerway.sources.objects.certificate_request import PodCertificateRequest

SIGNER = "steerway.io/spiffe"
CSR = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(x509.Name([]))
    .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    .public_bytes(Encoding.DER)
)


def request(name: str = "cart-1", uid: str = "r1", final: bool = False, **spec: Any) -> PodCertificateRequest:
    right = {
        "signerName": SIGNER,
        "podName": "cart",
        "podUID": "p1",
        "serviceAccountName": "cart",
        "serviceAccountUID": "a1",
        "nodeName": "node",
        "nodeUID": "n1",
        "stubPKCS10Request": CSR,
    }
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "shop", "uid": uid},
            "spec": right | spec,
            "status": {"conditions": [{"type": "Issued"}]} if final else {},
        },
        PodCertificateRequest,
    )


def pod(**changes: Any) -> LivePod:
    source = {"podCertificate": {"signerName": changes.get("signer", SIGNER)}}
    return msgspec.convert(
        {
            "metadata": {"uid": changes.get("uid", "p1")},
            "spec": {
                "nodeName": changes.get("node", "node"),
                "serviceAccountName": changes.get("account", "cart"),
                "volumes": [{}, {"projected": {"sources": [{}, source]}}, {"projected": {"sources": None}}],
            },
            "status": {"phase": changes.get("phase", "Running")},
        },
        LivePod,
    )


def test_a_request_that_matches_is_granted() -> None:
    assert not isinstance(admitted(request()), Denied)
    assert doubt(request(), Objects(pod(), "a1", "n1")) is None
    assert doubt(request(), Objects(pod(phase="Pending"), "a1", "n1")) is None


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        (Objects(None, "a1", "n1"), "does not exist"),
        (Objects(pod(uid="p2"), "a1", "n1"), "UID p1"),
        (Objects(pod(phase="Succeeded"), "a1", "n1"), "has finished"),
        (Objects(pod(phase="Failed"), "a1", "n1"), "has finished"),
        (Objects(pod(node="other"), "a1", "n1"), "runs on other"),
        (Objects(pod(node=""), "a1", "n1"), "runs on none"),
        (Objects(pod(account="admin"), "a1", "n1"), "has admin"),
        (Objects(pod(signer="example.com/other"), "a1", "n1"), f"no podCertificate volume of {SIGNER}"),
        (Objects(pod(), "", "n1"), "service account cart was deleted"),
        (Objects(pod(), "a2", "n1"), "service account cart was deleted"),
        (Objects(pod(), "a1", "n2"), "node node was deleted"),
    ],
)
def test_what_does_not_match_is_pending(objects: Objects, reason: str) -> None:
    pending = doubt(request(), objects)
    assert pending is not None
    assert reason in pending.reason
    assert pending.fix


def test_what_no_cluster_can_make_right_is_denied() -> None:
    annotated = admitted(request(unverifiedUserAnnotations={"a.b/c": "d"}))
    assert isinstance(annotated, Denied)
    assert "a.b/c" in annotated.message
    unusable = admitted(request(stubPKCS10Request=b"none"))
    assert isinstance(unusable, Denied)
    assert unusable.reason == "UnsupportedKeyType"


def test_requests_are_due_at_once_and_again_after_growing_waits() -> None:
    backlog = Backlog()
    backlog.put(request("a"), 0.0)
    backlog.put(request("b"), 0.0)
    backlog.put(request("a"), 5.0)  # a change of the status does not make it due
    first, second = backlog.take(0.0), backlog.take(0.0)
    assert first is not None and second is not None
    assert [first.request.metadata.name, second.request.metadata.name] == ["a", "b"]
    assert backlog.take(100.0) is None
    waits, now = [], 0.0
    for _ in range(9):
        backlog.postpone(first, now, Pending("a", "b"))
        due = backlog.next_due()
        assert due is not None
        assert backlog.take(due - 0.001) is None
        waits.append(due - now)
        now = due
        assert backlog.take(now) is first
    assert waits[0] == FIRST_SECONDS
    assert waits[-1] == LONGEST_SECONDS
    assert waits == sorted(waits)
    backlog.answer(second)
    assert len(backlog) == 1


def test_an_answer_of_a_request_that_was_replaced_does_not_count() -> None:
    backlog = Backlog()
    backlog.put(request(uid="old"), 0.0)
    old = backlog.take(0.0)
    assert old is not None
    backlog.put(request(uid="new"), 1.0)
    backlog.answer(old)
    backlog.postpone(old, 1.0)
    new = backlog.take(1.0)
    assert new is not None
    assert new.request.metadata.uid == "new"
    assert backlog.take(100.0) is None
    backlog.put(request(uid="new", final=True), 2.0)
    assert (len(backlog), backlog.next_due()) == (0, None)
