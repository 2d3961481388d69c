"""Pods get certificates with the identity of their service account, through the kubelet."""

import subprocess
from pathlib import Path

from cryptography import x509

from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.signer.conftest import FOLDER, TRUST_DOMAIN, Signing

pytestmark = NEEDS_CLUSTER


def test_a_pod_gets_a_certificate_that_its_roots_verify(signing: Signing, tmp_path: Path) -> None:
    """Key, chain and roots are in one volume, and OpenSSL verifies them."""
    signing.allow()
    replica = signing.start()
    pod = signing.start_pod("backend").wait_until_ready()
    files = {name: pod.shell(f"cat {FOLDER}/{name}") for name in ("tls.key", "tls.crt", "ca.crt")}
    leaf, intermediate = x509.load_pem_x509_certificates(files["tls.crt"].encode())
    identities = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert identities.critical
    assert [str(name.value) for name in identities.value] == [
        f"spiffe://{TRUST_DOMAIN}/ns/{signing.namespace.name}/sa/default"
    ]
    assert not leaf.subject.rdns
    leaf.verify_directly_issued_by(intermediate)
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    command = "openssl verify -x509_strict -purpose sslserver -CAfile ca.crt -untrusted tls.crt tls.crt"
    verified = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    public = subprocess.check_output(["openssl", "pkey", "-in", "tls.key", "-pubout"], cwd=tmp_path)
    certified = subprocess.check_output(
        ["openssl", "x509", "-in", "tls.crt", "-noout", "-pubkey"], cwd=tmp_path
    )
    assert public == certified
    (line,) = replica.events("identity_issued")
    assert line["pod"] == f"{signing.namespace.name}/backend"
    assert line["serial"] == f"{leaf.serial_number:x}"
    assert 'steerway_signer_requests_total{result="issued"} 1.0' in replica.metrics()
    assert replica.state() == {"ready": True, "active": True, "problems": []}
    replica.stop()


def test_a_shorter_lifetime_is_that_of_the_volume(signing: Signing) -> None:
    signing.allow()
    signing.start("--signer-leaf-seconds", "7200")
    for name, seconds in (("short", 3600), ("long", 86400)):
        signing.start_pod(name, maxExpirationSeconds=seconds).wait_until_ready()
    lifetimes = {}
    for name in ("short", "long"):
        (request,) = signing.requests(name)
        (leaf, _) = x509.load_pem_x509_certificates(request["status"]["certificateChain"].encode())
        lifetimes[name] = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds()
    assert lifetimes == {"short": 3600, "long": 7200}


def test_annotations_are_denied(signing: Signing) -> None:
    """They can never be right, so that the pod's condition has the reason."""
    signing.allow()
    replica = signing.start()
    signing.start_pod("annotated", userAnnotations={"example.com/role": "admin"})
    request = until(
        lambda: next(
            (r for r in signing.requests("annotated") if r.get("status", {}).get("conditions")), None
        ),
        "an answer",
    )
    assert request is not None
    (condition,) = request["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("Denied", "InvalidUnverifiedUserAnnotations")
    assert "example.com/role" in condition["message"]
    until(lambda: replica.events("identity_denied"), "an audit line")
