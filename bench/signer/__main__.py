"""`python -m bench.signer`: certificates for PodCertificateRequests on a real etcd and API server. Needs Go once.

Pods are objects on a node that does not run, so that no kubelet takes CPU; the requests are those of a kubelet, each
with a key of its own. *Latency*: from the POST of a request until a watch shows its certificate. *Paced*: so many
requests per second. *Burst*: all at once, as when a node pool comes up; *rate* is that of the certificates. *CPU*: of
the signer, per certificate.
"""

import asyncio
import base64
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from rich.console import Console
from rich.table import Table

from bench.child import Child
from bench.machine import facts
from bench.usage import cpu_seconds, rss_bytes
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from testbed.cluster.build import build
from testbed.cluster.cluster import Cluster
from testbed.cluster.network import Network

_SIGNER, _NAMESPACE, _NODE = "steerway.io/spiffe", "shop", "bench"
_CORE, _REQUESTS = "/api/v1", f"/apis/certificates.k8s.io/v1/namespaces/{_NAMESPACE}/podcertificaterequests"
_AT_ONCE = 32
_PATIENCE_SECONDS = 300.0


@dataclass(slots=True)
class Phase:
    """Times of requests by name, in seconds of one monotonic clock."""

    sent: dict[str, float] = field(default_factory=dict)
    issued: dict[str, float] = field(default_factory=dict)

    @property
    def latencies(self) -> list[float]:
        return sorted(self.issued[name] - sent for name, sent in self.sent.items())

    @property
    def seconds(self) -> float:
        return max(self.issued.values()) - min(self.sent.values())


class Kubelet:
    """Creates the objects of pods, and their requests."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._specs: list[dict[str, Any]] = []

    async def prepare(self, pods: int) -> None:
        """Pods with a certificate volume, on a node of their own."""
        await self._client.post(f"{_CORE}/namespaces", {"metadata": {"name": _NAMESPACE}})
        node = json.loads(await self._client.post(f"{_CORE}/nodes", {"metadata": {"name": _NODE}}))
        accounts = f"{_CORE}/namespaces/{_NAMESPACE}/serviceaccounts"
        account = json.loads(await self._client.post(accounts, {"metadata": {"name": "cart"}}))
        source = {
            "podCertificate": {"signerName": _SIGNER, "keyType": "ECDSAP256", "credentialBundlePath": "a"}
        }
        spec = {
            "nodeName": _NODE,
            "serviceAccountName": "cart",
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "none"}],
            "volumes": [{"name": "certificates", "projected": {"sources": [source]}}],
            "tolerations": [{"operator": "Exists"}],
        }
        for number in range(pods):
            body = {"metadata": {"name": f"cart-{number}"}, "spec": spec}
            pod = json.loads(await self._client.post(f"{_CORE}/namespaces/{_NAMESPACE}/pods", body))
            self._specs.append(
                {
                    "signerName": _SIGNER,
                    "podName": pod["metadata"]["name"],
                    "podUID": pod["metadata"]["uid"],
                    "serviceAccountName": "cart",
                    "serviceAccountUID": account["metadata"]["uid"],
                    "nodeName": _NODE,
                    "nodeUID": node["metadata"]["uid"],
                }
            )

    async def send(self, name: str, number: int, csr: str, phase: Phase) -> None:
        spec = {**self._specs[number % len(self._specs)], "stubPKCS10Request": csr}
        phase.sent[name] = time.monotonic()
        await self._client.post(_REQUESTS, {"metadata": {"name": name}, "spec": spec})


def csrs(count: int) -> list[str]:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    requests = (builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()) for _ in range(count))
    return [base64.b64encode(request.public_bytes(Encoding.DER)).decode() for request in requests]


async def watch(client: KubernetesClient, phase: Phase, count: int) -> None:
    """Until all requests have their certificates. The API server may end a watch; the next begins with all objects."""
    while len(phase.issued) < count:
        async with client.stream(_REQUESTS, {"watch": "1"}, _PATIENCE_SECONDS) as lines:
            async for line in lines:
                request = json.loads(line)["object"]
                name = request["metadata"]["name"]
                if name in phase.sent and request.get("status", {}).get("certificateChain"):
                    phase.issued.setdefault(name, time.monotonic())
                    if len(phase.issued) == count:
                        return


async def measure(kubelet: Kubelet, client: KubernetesClient, name: str, count: int, rate: float) -> Phase:
    """`rate` per second; 0: at once, `_AT_ONCE` POSTs at a time."""
    phase, keys = Phase(), csrs(count)
    watching = asyncio.create_task(watch(client, phase, count))
    slots = asyncio.Semaphore(_AT_ONCE)

    async def send(number: int) -> None:
        async with slots:
            await kubelet.send(f"{name}-{number}", number, keys[number], phase)

    began, sending = time.monotonic(), []
    for number in range(count):
        if rate:
            await asyncio.sleep(began + number / rate - time.monotonic())
        sending.append(asyncio.create_task(send(number)))
    await asyncio.gather(*sending)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await watching
    return phase


async def run(kubeconfig: Path, signer: Child, count: int, rate: float) -> list[tuple[str, ...]]:
    """One row per phase."""
    client = KubernetesClient(Access((kubeconfig,)))
    try:
        kubelet = Kubelet(client)
        await kubelet.prepare(pods=100)
        await measure(kubelet, client, "first", 10, 0)
        rows = []
        for name, pace in (("paced", rate), ("burst", 0.0)):
            before = cpu_seconds(signer.pid)
            phase = await measure(kubelet, client, name, count, pace)
            cpu = (cpu_seconds(signer.pid) - before) / count
            p50, p99 = (quantile(phase.latencies, share) * 1000 for share in (0.5, 0.99))
            rates = (f"{count / phase.seconds:.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{cpu * 1000:.2f}")
            rows.append((name, *rates, f"{rss_bytes(signer.pid) / 2**20:.0f}"))
        return rows
    finally:
        await client.close()


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@click.command()
@click.option("--certificates", type=click.IntRange(10, 100_000), default=1_000, show_default=True)
@click.option(
    "--rate", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Paced, per second."
)
def main(certificates: int, rate: int) -> None:
    """Latency and CPU of certificates of workloads, on a real Kubernetes API server."""
    table = Table("requests", "certificates/s", "p50 ms", "p99 ms", "CPU ms each", "RSS MiB")
    with tempfile.TemporaryDirectory(prefix="steerway-bench-") as folder:
        network = Network("steerway-bench-signer")
        network.delete()
        cluster = Cluster(build(), Path(folder), network, ends_with_parent=True)
        try:
            cluster.start()
            with network.entered():
                kubeconfig = cluster.commands.kubeconfig
                command = [sys.executable, "-m", "steerway", "signer", "--kubeconfig", str(kubeconfig)]
                with Child([*command, "--signer-listen", "127.0.0.1:0", "--log-level", "warning"]) as signer:
                    signer.hear(re.compile("signer on"), _PATIENCE_SECONDS)
                    for row in asyncio.run(run(kubeconfig, signer, certificates, rate)):
                        table.add_row(*row)
        finally:
            cluster.stop()
    console = Console(width=None if sys.stdout.isatty() else 160)
    machine = facts()
    console.print(
        f"{machine.date}, {machine.cores} cores, {machine.processor}, load {machine.load_average:.1f}"
    )
    console.print(table)


if __name__ == "__main__":
    main()
