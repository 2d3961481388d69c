"""Certificates in injected pods: chart, signer, webhook, API server and kubelet as in a cluster of a user."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from testbed.cluster.api import Api
from testbed.cluster.cluster import Cluster
from testbed.cluster.command import API_SERVER, NODES
from testbed.cluster.namespace import Namespace
from testbed.helm.tools import Tools
from testbed.manifest import Manifest
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.injection.conftest import Create, label, variables
from tests.cluster.install.release import Release
from tests.cluster.kubelet.conftest import IDLE, Pod

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go")]

MESH = "mesh-certificates"
TRUST_DOMAIN = "mesh.example"
VOLUME = "steerway-certificates"
FOLDER = "/var/run/secrets/steerway.io/certificates"
OFF = {"steerway.io/inject-certificates": "disabled"}


@pytest.fixture(scope="module")
def release(helmbox: Path, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """One installation for the module."""
    folder = tmp_path_factory.mktemp("certificates")
    tools = Tools(helmbox, folder / "home", cluster.commands.kubeconfig)
    created = Release(tools, cluster, folder, MESH, TRUST_DOMAIN, kubernetes={"policies": False})
    with cluster.network.entered():
        created.install()
    yield created
    with cluster.network.entered():
        created.remove()


@pytest.fixture(autouse=True)
def injecting(release: Release, namespace: Namespace, create: Create) -> None:  # noqa: ARG001
    """The namespace of the test has the label, and the webhook works."""
    label(namespace, "enabled")
    until(lambda: "GRPC_XDS_BOOTSTRAP_CONFIG" in variables(create()), "an injected pod")


def test_a_pod_gets_a_certificate_of_its_service_account(
    release: Release, namespace: Namespace, tmp_path: Path
) -> None:
    """OpenSSL verifies it against the roots, and the bootstrap names the files."""
    namespace.account("cart")
    pod = _start(namespace, "cart-0", account="cart").wait_until_ready()
    for name in ("tls.key", "tls.crt", "ca.crt"):
        (tmp_path / name).write_text(pod.shell(f"cat {FOLDER}/{name}") + "\n")
    command = "openssl verify -x509_strict -CAfile ca.crt -untrusted tls.crt tls.crt"
    verified = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    leaf, *_ = x509.load_pem_x509_certificates((tmp_path / "tls.crt").read_bytes())
    (identity,) = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert identity.value == f"spiffe://{TRUST_DOMAIN}/ns/{namespace.name}/sa/cart"
    bootstrap = json.loads(pod.shell("printenv GRPC_XDS_BOOTSTRAP_CONFIG"))
    config = bootstrap["certificate_providers"]["steerway"]["config"]
    files = [path for key, path in config.items() if key.endswith("_file")]
    assert pod.shell(f"ls {' '.join(files)} | wc -l") == "3"
    assert bootstrap["node"]["metadata"]["steerway.io/certificate-provider"] == "steerway"
    for name in ("pod-certificates", "signer", "trust-bundle", "permissions"):
        assert release.checker.is_ok(name), release.checker.results(name)


def test_only_the_node_of_a_pod_may_request_its_certificate(cluster: Cluster, namespace: Namespace) -> None:
    """The admission plugin NodeRestriction is in force: not for a pod of another node, and only for one that mounts
    the volume."""
    _start(namespace, "with").wait_until_ready()
    _start(namespace, "without", annotations=OFF).wait_until_ready()
    (request,) = namespace.api.list("PodCertificateRequest", namespace.name)
    spec = request["spec"]
    node = _as_node(cluster, spec["nodeName"])
    assert node.refusal(_request(namespace, spec)) == ""
    (other,) = set(NODES) - {spec["nodeName"]}
    reason = _as_node(cluster, other).refusal(_request(namespace, spec))
    assert "not the requesting node" in reason
    pod = namespace.api.get("Pod", namespace.name, "without")
    wrong = {**spec, "podName": "without", "podUID": pod["metadata"]["uid"]}
    wrong |= {"nodeName": pod["spec"]["nodeName"]}
    wrong["nodeUID"] = namespace.api.get("Node", "", wrong["nodeName"])["metadata"]["uid"]
    reason = _as_node(cluster, wrong["nodeName"]).refusal(_request(namespace, wrong))
    assert "does not mount a podCertificate" in reason


def test_a_pod_that_chooses_none_has_no_volume(namespace: Namespace, create: Create) -> None:
    """Injected without certificates, or not at all."""
    without = create(annotations=OFF)
    assert VOLUME not in _volumes(without)
    bootstrap = json.loads(variables(without)["GRPC_XDS_BOOTSTRAP_CONFIG"])
    assert "certificate_providers" not in bootstrap
    assert bootstrap["node"]["metadata"] == {"NAMESPACE": "$(INJECTED_POD_NAMESPACE)"}
    assert VOLUME not in _volumes(create(label="disabled"))
    assert VOLUME in _volumes(create())
    _start(namespace, "plain", annotations=OFF).wait_until_ready()


def test_a_pod_waits_for_the_signer(release: Release, namespace: Namespace) -> None:
    """Its Event names the reason, and it starts when the signer is back."""
    release.scale_signer(0)
    until(lambda: not release.has_signer(), "no pod of the signer")
    pod = _start(namespace, "waiting")
    (message,) = until(lambda: pod.events("FailedMount"), "an Event of the volume") or ()
    assert f'volume "{VOLUME}" : credential bundle is not issued yet' in message
    (failure,) = release.checker.failures("signer")
    assert "no replica that is ready" in failure.text
    release.scale_signer(1)
    pod.wait_until_ready()


def _start(
    namespace: Namespace, name: str, account: str = "default", annotations: Manifest | None = None
) -> Pod:
    spec = {
        "containers": [{"name": "main", "image": "none", "command": [*IDLE]}],
        "serviceAccountName": account,
        "terminationGracePeriodSeconds": 0,
    }
    namespace.create_pod(name, spec, annotations=annotations or {})
    return Pod(namespace, name)


def _volumes(pod: Manifest) -> set[str]:
    return {volume["name"] for volume in pod["spec"].get("volumes", [])}


def _request(namespace: Namespace, spec: Manifest) -> Manifest:
    metadata = {"generateName": "req-", "namespace": namespace.name}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "PodCertificateRequest",
        "metadata": metadata,
        "spec": spec,
    }


def _as_node(cluster: Cluster, name: str) -> Api:
    """Requests as the kubelet of a node makes them."""
    file = yaml.safe_load(cluster.commands.credentials.kubeconfig(name).read_text())
    token = file["users"][0]["user"]["token"]
    return Api(API_SERVER, cluster.commands.certificate, token)
