"""Clients that the address of their pod authenticates: addresses of loopback are those of pods of a fake API server."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import yaml
from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.json_format import ParseDict

from steerway.testing.ads_client import AdsClient, DeltaStream, StreamEndedError
from steerway.translate.xds.type_url import LISTENER
from testbed.api_server import ApiServer
from testbed.backend.backend import Backends
from testbed.certificate import Authority
from testbed.client.grpc_client import Client, Library
from testbed.cluster.forwarder import Forwarder
from testbed.manifest import NAMESPACE, Files, Manifest, service
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes
from tests.real.conftest import GRPC_GO, GRPC_JAVA, GRPC_JS, Steer

WEB, LEDGER, NEW, STRANGER = "127.0.0.21", "127.0.0.22", "127.0.0.23", "127.0.0.24"
PUBLIC, PRIVATE = "backend.shop", "ledger.pay"

Dial = Callable[..., contextlib.AbstractContextManager[AdsClient]]


def pod(name: str, address: str, namespace: str = "shop", account: str = "web", **spec: object) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": "n1", "serviceAccountName": account, **spec},
        "status": {"phase": "Running", "podIPs": [{"ip": address}]},
    }


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path / "kubeconfig")
    server.put(pod("web-1", WEB), pod("ledger-1", LEDGER, "pay", "ledger"))
    yield server
    server.close()


@pytest.fixture
def plane(steer: Steer, api_server: ApiServer, files: Files) -> ControlPlane:
    """Serves a public service of shop and a private one of pay to pods."""
    files.write("backend.yaml", service("backend", {"grpc": 50051}))
    ledger = service("ledger", {"grpc": 50051}, namespace="pay")
    ledger["metadata"]["annotations"] = {"steerway.io/private": "true"}
    files.write("ledger.yaml", ledger)
    options = ["--kubernetes", "--kubeconfig", str(api_server.kubeconfig), "--namespace", "all"]
    options += ["--authentication-pod-address", "plaintext", "--authentication-timeout-seconds", "2"]
    made = steer(*options)
    until(made.ready, "ready")
    return made


@pytest.fixture
def dial(plane: ControlPlane) -> Dial:
    """A grpcio client at this address: `dial(WEB, namespace="shop")`."""

    @contextlib.contextmanager
    def client(address: str, namespace: str = "") -> Iterator[AdsClient]:
        metadata = {"NAMESPACE": namespace} if namespace else {}
        node = ParseDict({"id": "test", "metadata": metadata}, Node())
        with (
            Forwarder(plane.address, source=address) as forwarder,
            AdsClient(forwarder.address, node) as made,
        ):
            yield made

    return client


def ask(client: AdsClient) -> DeltaStream:
    stream = client.delta()
    stream.request(LISTENER, PUBLIC, PRIVATE)
    return stream


def seen(stream: DeltaStream) -> dict[str, bool]:
    """Which of the two services the client of a stream is given."""
    results: dict[str, bool] = {}
    while len(results) < 2:
        response = stream.read()
        stream.ack(response)
        results |= {resource.name: True for resource in response.resources}
        results |= dict.fromkeys(response.removed_resources, False)
    return results


def ended(client: AdsClient) -> tuple[grpc.StatusCode, str]:
    """The status with which the server ends a stream."""
    with pytest.raises(StreamEndedError) as end:
        seen(ask(client))
    return end.value.code, end.value.details


def test_each_pod_is_its_service_account(plane: ControlPlane, dial: Dial) -> None:
    """It sees what its namespace may see, and claims no other; the log, the metrics and the streams show the method."""
    with dial(WEB) as web, dial(LEDGER) as ledger:
        assert seen(ask(web)) == {PUBLIC: True, PRIVATE: False}
        assert seen(ask(ledger)) == {PUBLIC: True, PRIVATE: True}
        identities = {stream["address"].partition(":")[0]: stream["identity"] for stream in plane.streams()}
    assert identities == {
        WEB: {"method": "pod_address", "name": "service account shop/web"},
        LEDGER: {"method": "pod_address", "name": "service account pay/ledger"},
    }
    with dial(WEB, namespace="pay") as liar:
        code, message = ended(liar)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert "service account shop/web of namespace shop may not claim" in message
    assert plane.metric("steerway_authentications_total", method="pod_address", outcome="accepted") == 2
    opened = [line for line in plane.process.errors if "stream_opened" in line and "pod_address" in line]
    assert len(opened) == 2


def test_an_address_of_no_pod_is_refused(plane: ControlPlane, api_server: ApiServer, dial: Dial) -> None:
    """So is one of a node. The client gets the address and the fix, the log the rest."""
    with dial(STRANGER) as stranger:
        code, message = ended(stranger)
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert message.startswith(f"the address {STRANGER} does not identify one pod: connect from a pod without")
    api_server.put(pod("agent-1", STRANGER, hostNetwork=True))
    until(lambda: _refused_as_node(dial), "the pod on the network of its node")
    refusals = [line for line in plane.process.errors if "stream_refused" in line]
    assert "no running pod has it" in refusals[0]
    assert "node n1, which all pods with hostNetwork share" in refusals[-1]


def _refused_as_node(dial: Dial) -> bool:
    """At once, not after the wait for a Pod."""
    with dial(STRANGER) as client:
        stream = client.delta()
        stream.request(LISTENER, PUBLIC)
        return stream.end().code is grpc.StatusCode.UNAUTHENTICATED


def test_a_pod_whose_event_comes_late_is_served(
    plane: ControlPlane, api_server: ApiServer, dial: Dial
) -> None:
    """Its stream waits, so that the first call does not fail."""
    with dial(NEW) as new:
        stream = ask(new)
        until(lambda: plane.metric("steerway_streams") == 1, "the stream")
        api_server.put(pod("new-1", NEW, "pay", "ledger"))
        assert seen(stream) == {PUBLIC: True, PRIVATE: True}


def test_a_reused_address_is_the_new_pods(plane: ControlPlane, api_server: ApiServer, dial: Dial) -> None:
    """Also while the old Pod is there. Streams of before go on."""
    with dial(WEB) as old, dial(WEB) as new:
        assert seen(ask(old)) == {PUBLIC: True, PRIVATE: False}
        going = pod("web-1", WEB)
        going["metadata"]["deletionTimestamp"] = "2099-01-01T00:00:00Z"
        api_server.put(going, pod("ledger-2", WEB, "pay", "ledger"))
        until(lambda: _sees_all(dial), "the new pod")
        assert seen(ask(new)) == {PUBLIC: True, PRIVATE: True}
        assert len(plane.streams()) == 2


def _sees_all(dial: Dial) -> bool:
    with dial(WEB) as client:
        try:
            return all(seen(ask(client)).values())
        except StreamEndedError:
            return False


def test_an_outage_of_the_api_server(plane: ControlPlane, api_server: ApiServer, dial: Dial) -> None:
    """Known pods are served; others try again, for they may be new."""
    api_server.lose()
    plane.wait_for_problem("", "cannot")
    with dial(WEB) as web, dial(STRANGER) as stranger:
        assert seen(ask(web)) == {PUBLIC: True, PRIVATE: False}
        code, message = ended(stranger)
    assert code is grpc.StatusCode.UNAVAILABLE
    assert message == f"the pod with the address {STRANGER} is not known at the moment; try again"


AUTHORITY = Authority()


@pytest.mark.parametrize("library", [GRPC_JAVA, GRPC_JS])
@pytest.mark.parametrize("beside", [GRPC_GO])
def test_libraries_without_credentials_beside_one_with_tls_and_a_token(
    library: Library,
    beside: Library,
    steer: Steer,
    api_server: ApiServer,
    backends: Backends,
    files: Files,
    processes: Processes,
    tmp_path: Path,
) -> None:
    """One replica, closed to all others: plaintext by the address of the pod, TLS with a token."""
    (backend,) = backends.open(1)
    files.publish([backend])
    certificate = AUTHORITY.issue("127.0.0.1", usage="server")
    content = {
        "ca": AUTHORITY.certificate,
        "tls.crt": certificate.certificate,
        "tls.key": certificate.key,
        "token": api_server.issuer.token("shop", "web").encode(),
    }
    for name, text in content.items():
        (tmp_path / name).write_bytes(text)
    settings = {
        "plaintext_listen": "127.0.0.1:0",
        "tls": {"certificate": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")},
        "kubernetes": {"enabled": True, "kubeconfig": str(api_server.kubeconfig), "namespaces": ["all"]},
        "authentication": {"service_account": "token_review", "pod_address": "plaintext"},
    }
    (tmp_path / "steerway.yaml").write_text(yaml.safe_dump(settings))
    plane = steer("--config", str(tmp_path / "steerway.yaml"))
    until(plane.ready, "ready")
    with Forwarder(plane.plaintext_address(), source=WEB) as forwarder:
        options = ["--namespace", NAMESPACE, "--creds"]
        secure = [*options, "tls", "--ca", str(tmp_path / "ca"), "--token-file", str(tmp_path / "token")]
        with_tls = plane.bootstrap(tmp_path / "tls.json", *secure)
        plaintext = plane.bootstrap(
            tmp_path / "plaintext.json", "--namespace", NAMESPACE, server=forwarder.address
        )
        token = {"GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS": "true"}
        for client in (
            Client(processes, library, plaintext),
            Client(processes, beside, with_tls, token),
        ):
            channel = client.dial("xds:///backend")
            assert channel.call()[0].backend == backend
        methods = {stream["identity"]["method"]: stream["identity"]["name"] for stream in plane.streams()}
        assert methods == dict.fromkeys(("pod_address", "service_account"), "service account shop/web")
        headers = [("authorization", f"Bearer {api_server.issuer.token('pay', 'ledger')}")]
        with AdsClient(forwarder.address, metadata=headers) as careless:
            stream = careless.delta()
            stream.request(LISTENER, "backend")
            assert stream.read()
        warnings = [line for line in plane.process.errors if "clear_text" in line or "without_tls" in line]
        assert [(WEB in line, "token_without_tls" in line) for line in warnings] == [(True, True)]
        assert plane.metric("steerway_authentications_total", method="service_account") == 2
