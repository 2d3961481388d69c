"""`steerway signer` with its own permissions only, and pods with certificates of it."""

import json
import re
import signal
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from cryptography import x509

from steerway.signer.authority.bundle import bundle_name
from steerway.signer.permission import Rule, cluster_rules, namespace_rules
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.process import Process, Processes, installed
from tests.cluster.kubelet.conftest import IDLE, Pod, container

FOLDER = "/var/run/secrets/steerway.io/certificates"
SECRET, LEASE = "steerway-signer", "steerway-signer"
TRUST_DOMAIN = "mesh.example"
_RBAC = "rbac.authorization.k8s.io"
_ANNOUNCED = re.compile(r"signer on (\S+)")


class Replica:
    """A running signer."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._http = httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS)
        self.url = str(process.wait(self._address, "an address"))

    def _address(self) -> str | None:
        return next((match[1] for line in self.process.lines if (match := _ANNOUNCED.search(line))), None)

    def state(self) -> dict[str, Any]:
        """The answer of the readiness probe."""
        answer: dict[str, Any] = self._http.get(f"{self.url}/readyz").json()
        return answer

    def metrics(self) -> str:
        return self._http.get(f"{self.url}/metrics").text

    def stop(self) -> None:
        self.process.signal(signal.SIGTERM)
        assert self.process.ended() == 0, self.process.complaint("has failed")

    def kill(self) -> None:
        self.process.signal(signal.SIGKILL)
        self.process.ended()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Its log lines of one event."""
        lines = [json.loads(line) for line in self.process.errors if line.startswith("{")]
        return [line for line in lines if line["event"] == name]


class Signing:
    """One installation of the signer in the namespace of a test. It has a signer name of its own."""

    def __init__(self, namespace: Namespace, processes: Processes) -> None:
        self.namespace, self.api = namespace, namespace.api
        self.signer_name = f"steerway.io/{namespace.name}"
        self._processes = processes
        self._account = namespace.account()
        self._everywhere: list[tuple[str, str]] = []

    def allow(self, ca_secret: str | None = None, everywhere: bool = True) -> None:
        """The permissions of the signer, and no others; `everywhere` False: only those in its own namespace."""
        if everywhere:
            self._grant("Cluster", f"{self.namespace.name}-signer", cluster_rules(self.signer_name))
        self._grant("", "signer", namespace_rules(SECRET, ca_secret, LEASE))

    def _grant(self, prefix: str, name: str, rules: Sequence[Rule]) -> None:
        scope = {} if prefix else {"namespace": self.namespace.name}
        role = {"kind": f"{prefix}Role", "metadata": {"name": name, **scope}, "rules": rules}
        subject = {"kind": "ServiceAccount", "name": "steerway", "namespace": self.namespace.name}
        reference = {"apiGroup": _RBAC, "kind": f"{prefix}Role", "name": name}
        binding = {
            "kind": f"{prefix}RoleBinding",
            "metadata": {"name": name, **scope},
            "roleRef": reference,
            "subjects": [subject],
        }
        for manifest in (role, binding):
            self.api.apply({"apiVersion": f"{_RBAC}/v1", **manifest})
            if prefix:
                self._everywhere.append((str(manifest["kind"]), name))

    def start(self, *options: str) -> Replica:
        """Start a replica."""
        command = [installed("steerway"), "signer", "--kubeconfig", str(self._account.kubeconfig())]
        command += ["--signer-listen", "127.0.0.1:0", "--log-format", "json"]
        command += ["--identity-signer-name", self.signer_name, "--identity-trust-domain", TRUST_DOMAIN]
        return Replica(self._processes.start("steerway signer", [*command, *options]))

    def start_pod(self, name: str, **source: object) -> Pod:
        """Create a pod with a certificate volume as the injection webhook adds it; `source` are further fields of its
        podCertificate."""
        certificate = {
            "signerName": self.signer_name,
            "keyType": "ECDSAP256",
            "keyPath": "tls.key",
            "certificateChainPath": "tls.crt",
            **source,
        }
        # By name, the kubelet has changes of a bundle of a signer minutes later (1.37).
        bundle = {"signerName": self.signer_name, "labelSelector": {}, "path": "ca.crt"}
        sources = [{"podCertificate": certificate}, {"clusterTrustBundle": bundle}]
        volume = {"name": "certificates", "projected": {"sources": sources}}
        mount = {"name": "certificates", "mountPath": FOLDER, "readOnly": True}
        spec = {
            "containers": [container(*IDLE, volumeMounts=[mount])],
            "volumes": [volume],
            "terminationGracePeriodSeconds": 0,
        }
        self.namespace.create_pod(name, spec)
        return Pod(self.namespace, name)

    def requests(self, pod: str) -> list[Manifest]:
        """The PodCertificateRequests of a pod."""
        requests = self.api.list("PodCertificateRequest", self.namespace.name)
        return [request for request in requests if request["spec"]["podName"] == pod]

    def roots(self) -> list[x509.Certificate]:
        """The published roots; none before there is a bundle."""
        name = bundle_name(self.signer_name)
        if not self.api.exists("ClusterTrustBundle", "", name):
            return []
        bundle = self.api.get("ClusterTrustBundle", "", name)["spec"]["trustBundle"]
        return x509.load_pem_x509_certificates(bundle.encode())

    def wait_for_roots(self, count: int) -> list[x509.Certificate]:
        return (
            until(
                lambda: roots if len(roots := self.roots()) == count else None,
                lambda: f"{count} roots: {len(self.roots())}",
            )
            or []
        )

    def remove(self) -> None:
        """Delete what is not in the namespace."""
        for kind, name in self._everywhere:
            self.api.delete(kind, "", name)
        if self.roots():
            self.api.delete("ClusterTrustBundle", "", bundle_name(self.signer_name))


@pytest.fixture
def signing(namespace: Namespace, processes: Processes) -> Iterator[Signing]:
    """An installation without a replica."""
    created = Signing(namespace, processes)
    yield created
    created.remove()
