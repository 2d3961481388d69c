"""The API server calls admission webhooks that are registered by Service."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from testbed.certificate import Authority
from testbed.cluster.api import api_version
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest, service, slices
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER

pytestmark = NEEDS_CLUSTER

_POD = ("10.244.201.1", 8443)
_PATCH = [{"op": "add", "path": "/metadata/labels", "value": {"patched": "yes"}}]


def test_a_mutating_webhook_is_called_by_its_service(namespace: Namespace, tmp_path: Path) -> None:
    """The API server dials the ClusterIP and verifies `webhook.NAMESPACE.svc`."""
    authority = Authority()
    name = f"webhook.{namespace.name}.svc"
    issued = authority.issue(name, usage="server")
    pair = tmp_path / "pair.pem"
    pair.write_bytes(issued.certificate + issued.key)
    namespace.api.apply(
        service("webhook", {"": 443}, namespace=namespace.name),
        *slices("webhook", [f"{_POD[0]}:{_POD[1]}"], namespace=namespace.name),
    )
    configuration = _configuration(namespace, authority)
    with _serving(pair) as paths:
        namespace.api.apply(configuration)
        try:
            numbers = iter(range(1000))
            until(lambda: _patched(namespace, f"account-{next(numbers)}"), "a call of the webhook")
        finally:
            namespace.api.delete(configuration["kind"], "", configuration["metadata"]["name"])
    assert {path.partition("?")[0] for path in paths} == {"/mutate"}


def _patched(namespace: Namespace, name: str) -> bool:
    """Whether a new object is one that the webhook changed: the API server reads its configuration a moment later."""
    namespace.account(name)
    made = namespace.api.get("ServiceAccount", namespace.name, name)
    return bool(made["metadata"].get("labels") == _PATCH[0]["value"])


def _configuration(namespace: Namespace, authority: Authority) -> Manifest:
    hook = {
        "name": "accounts.tests.steerway.io",
        "clientConfig": {
            "service": {"namespace": namespace.name, "name": "webhook", "path": "/mutate"},
            "caBundle": base64.b64encode(authority.certificate).decode(),
        },
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}},
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["serviceaccounts"],
            }
        ],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        # Until the proxy has the rules of the new Service, a call fails.
        "failurePolicy": "Ignore",
    }
    kind = "MutatingWebhookConfiguration"
    metadata = {"name": namespace.name}
    return {"apiVersion": api_version(kind), "kind": kind, "metadata": metadata, "webhooks": [hook]}


@contextmanager
def _serving(pair: Path) -> Iterator[list[str]]:
    """A webhook that labels everything; gives the paths of its requests."""
    paths: list[str] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            review = json.loads(self.rfile.read(int(self.headers["content-length"])))
            patch = base64.b64encode(json.dumps(_PATCH).encode()).decode()
            answer = {
                "uid": review["request"]["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": patch,
            }
            body = json.dumps({**review, "response": answer}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the paths are kept."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with ThreadingHTTPServer(_POD, Webhook) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield paths
        finally:
            server.shutdown()
            thread.join()
