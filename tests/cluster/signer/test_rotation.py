"""Intermediate and root are replaced while certificates of the former ones are valid."""

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from steerway.certificate.pair import Pair, new_authority
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.kubelet.conftest import Pod
from tests.cluster.signer.conftest import FOLDER, SECRET, Signing

pytestmark = NEEDS_CLUSTER


class Chain:
    """What a pod presents, and what it trusts."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.presented = pod.shell(f"cat {FOLDER}/tls.crt").encode()
        self.intermediate = x509.load_pem_x509_certificates(self.presented)[1]

    @property
    def trusted(self) -> bytes:
        return self.pod.shell(f"cat {FOLDER}/ca.crt").encode()

    def roots(self) -> int:
        return len(x509.load_pem_x509_certificates(self.trusted))


def accepts(verifier: Chain, other: Chain, folder: Path) -> bool:
    """Whether OpenSSL, with the roots of one pod, accepts the chain of another."""
    (folder / "roots.pem").write_bytes(verifier.trusted + b"\n")
    (folder / "chain.pem").write_bytes(other.presented + b"\n")
    command = "openssl verify -x509_strict -CAfile roots.pem -untrusted chain.pem chain.pem"
    return subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode == 0


def rotate(signing: Signing, value: str) -> None:
    """As the operator requests it."""
    signing.api.annotate("Secret", signing.namespace.name, SECRET, {"steerway.io/rotate": value})


def secret(signing: Signing) -> dict[str, bytes]:
    data = signing.api.get("Secret", signing.namespace.name, SECRET)["data"]
    return {key: base64.b64decode(value) for key, value in data.items()}


def write(signing: Signing, data: dict[str, bytes], name: str = SECRET, **fields: object) -> None:
    """Create a Secret, or change some of its keys."""
    signing.api.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": signing.namespace.name},
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
            **fields,
        }
    )


def write_state(signing: Signing, **times: object) -> None:
    """Change times in the Secret, as if they had passed."""
    state = json.loads(secret(signing)["state.json"]) | times
    write(signing, {"state.json": json.dumps(state).encode()})


def test_a_new_root_is_published_used_and_alone(signing: Signing, tmp_path: Path) -> None:
    """Chains of the former and of the new root are valid for all pods at each step, until the former one is removed."""
    signing.allow()
    replica = signing.start("--signer-propagation-seconds", "86400")
    old = Chain(signing.start_pod("old").wait_until_ready())
    (first,) = signing.wait_for_roots(1)
    rotate(signing, "once")
    roots = signing.wait_for_roots(2)
    assert first in roots
    published = Chain(signing.start_pod("published").wait_until_ready())
    assert published.intermediate == old.intermediate, "a root is not used before workloads have read it"
    until(lambda: old.roots() == 2, "the kubelet writes the new root into a running pod")
    past = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    until(lambda: json.loads(secret(signing)["state.json"])["published"], "the time of publication")
    write_state(signing, published=past)
    until(
        lambda: len(replica.events("root_in_use")) == 2, lambda: replica.process.complaint("keeps the root")
    )
    new = Chain(signing.start_pod("new").wait_until_ready())
    assert new.intermediate.issuer != old.intermediate.issuer
    for verifier, other in ((old, new), (new, old), (new, new)):
        assert accepts(verifier, other, tmp_path)
    write_state(signing, retired=[past])
    (only,) = signing.wait_for_roots(1)
    assert only != first
    until(
        lambda: (old.roots(), new.roots()) == (1, 1), "the kubelet removes the former root from running pods"
    )
    assert accepts(old, new, tmp_path)
    assert not accepts(new, old, tmp_path)


def test_a_new_intermediate_needs_no_new_root(signing: Signing, tmp_path: Path) -> None:
    """One that a third of its life has left is replaced, below the same root."""
    signing.allow()
    first = signing.start()
    old = Chain(signing.start_pod("old").wait_until_ready())
    first.stop()
    (root,) = signing.wait_for_roots(1)
    write(signing, _short_intermediate(secret(signing)))
    replica = signing.start()
    until(lambda: replica.events("intermediate_in_use"), lambda: replica.process.complaint("keeps the CA"))
    new = Chain(signing.start_pod("new").wait_until_ready())
    assert new.intermediate != old.intermediate
    assert signing.roots() == [root]
    for verifier, other in ((old, new), (new, old)):
        assert accepts(verifier, other, tmp_path)


def _short_intermediate(data: dict[str, bytes]) -> dict[str, bytes]:
    """Certificate and key of an intermediate that is at its end."""
    root = Pair(data["root.crt"], data["root.key"])
    now = datetime.now(UTC) - timedelta(days=20)
    short = new_authority("short", now, timedelta(days=21), issuer=root)
    return {"issuer.crt": short.certificate, "issuer.key": short.key}


def test_a_brought_ca_is_used_and_its_successor_published_first(signing: Signing, tmp_path: Path) -> None:
    """As cert-manager writes it: an intermediate with its root."""
    signing.allow(ca_secret="company")
    replica = signing.start("--signer-ca-secret", "company", "--signer-propagation-seconds", "1")
    until(
        lambda: any("does not exist" in problem["reason"] for problem in replica.state()["problems"]),
        lambda: f"a problem: {replica.state()}",
    )
    first = _bring(signing)
    old = Chain(signing.start_pod("old").wait_until_ready())
    assert signing.roots() == [first]
    assert old.intermediate.issuer == first.subject
    second = _bring(signing)
    until(lambda: len(replica.events("root_in_use")) == 2, lambda: replica.process.complaint("keeps the CA"))
    new = Chain(signing.start_pod("new").wait_until_ready())
    assert new.intermediate.issuer == second.subject
    assert set(signing.roots()) == {first, second}
    until(lambda: old.roots() == 2, "the kubelet writes the new root into a running pod")
    for verifier, other in ((old, new), (new, old)):
        assert accepts(verifier, other, tmp_path)


def _bring(signing: Signing) -> x509.Certificate:
    """Write a new CA below a new root; returns the root."""
    now, lifetime = datetime.now(UTC), timedelta(days=90)
    root = new_authority(f"company {now.timestamp()}", now, 10 * lifetime, path_length=1)
    issuer = new_authority("mesh", now, lifetime, issuer=root)
    data = {"tls.crt": issuer.certificate, "tls.key": issuer.key, "ca.crt": root.certificate}
    write(signing, data, "company", type="kubernetes.io/tls")
    return root.x509
