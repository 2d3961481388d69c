"""`steerway explain`: from manifests, from a control plane, and what goes wrong with either."""

import json
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from steerway.catalog.service import service
from steerway.cli import explanation
from steerway.sources.objects.core import Service as ServiceFact

Run = Callable[..., tuple[int, str, str]]

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: shop, annotations: {steerway.io/balancing: LeastRequest, team: a}}
spec: {ports: [{port: 50051, name: grpc}, {port: 80, name: http}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: backend-1, namespace: shop, labels: {kubernetes.io/service-name: backend}}
addressType: IPv4
endpoints:
- {addresses: [10.0.0.1], zone: eu-1a}
- {addresses: [10.0.0.2], zone: eu-1b}
- {addresses: [10.0.0.3], zone: eu-1b, conditions: {ready: false, serving: true, terminating: true}}
ports: [{name: grpc, port: 50051}]
---
apiVersion: steerway.io/v1alpha1
kind: TrafficPolicy
metadata: {name: backend, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: backend}]
  zones: {mode: Failover}
  retry: {codes: [Unavailable], attempts: 2}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 50051}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: web}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /a}, method: GET}]
    backendRefs: [{name: gone, port: 50051}]
  - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: "1"}]}}]
    backendRefs: [{name: backend, port: 50051}]
"""


@pytest.fixture
def manifests(tmp_path: Path) -> str:
    """A directory with a service, its policy, and a route to it."""
    (tmp_path / "a.yaml").write_text(MANIFESTS)
    return str(tmp_path)


def test_manifests_are_explained_on_a_screen(steerway: Run, manifests: str) -> None:
    """From the target to the localities; no client is connected."""
    client = ("--client", "grpcio/1.85", "--node-zone", "eu-1a")
    code, out, err = steerway("explain", "xds:///backend.shop", *client, "--files", manifests)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "✓ xds:///backend.shop is port 50051 (grpc) of Service shop/backend: it is named grpc",
        "facts",
        "  ✓ 3 endpoints in 1 EndpointSlice; eu-1a 1 healthy; eu-1b 1 healthy, 1 draining",
        "  - annotation steerway.io/balancing: LeastRequest",
        "  - no route: calls go to its own endpoints",
        "policy",
        "  zones: mode Failover — TrafficPolicy shop/backend",
        "  balancing: policy LeastRequest, choices 2 — Service shop/backend annotations",
        "  retry: codes unavailable, attempts 2, backoff base 25ms — TrafficPolicy shop/backend",
        "  default: subset, outlierDetection, limits, safety, healthCheck, timeout, session, fault",
        "C-core (C++, Python, Ruby) 1.85 in namespace shop, zone eu-1a (audience grpc/core/shop/eu-1a/-)",
        "  ✗ least_request (gRFC A48) is not supported by C-core (C++, Python, Ruby) 1.85:"
        " it falls back to round_robin",
        "  backend.shop.svc.cluster.local:50051",
        "    priority 0: eu-1a with weight 1, 1 endpoint",
        "      10.0.0.1:50051",
        "    priority 1: eu-1b with weight 1, 2 endpoints",
        "      10.0.0.2:50051",
        "      10.0.0.3:50051 (draining)",
        "resources",
        "  ✓ lds backend.shop",
        "  ✓ rds backend.shop.svc.cluster.local:50051",
        "  ✓ cds backend.shop.svc.cluster.local:50051",
        "  ✓ eds backend.shop.svc.cluster.local:50051",
        "connected clients",
        "  - not known: these are manifests, not a control plane",
    ]


def test_the_reason_for_no_endpoints_is_stated(steerway: Run, tmp_path: Path) -> None:
    """Names of ports that differ, and Endpoints, which an API server would mirror to an EndpointSlice."""
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop}\nspec: {ports: [{port: 5432}]}\n---\n"
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n"
        "metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}\n"
        "ports: [{name: postgres, port: 5432}]\nendpoints: [{addresses: [10.0.0.1]}]\n---\n"
        "apiVersion: v1\nkind: Endpoints\nmetadata: {name: db, namespace: shop}\n"
        "subsets: [{addresses: [{ip: 10.0.0.9}], ports: [{port: 5432}]}]\n"
    )
    code, out, _ = steerway("explain", "db.shop", "--files", str(tmp_path))
    assert code == 0
    lines = out.splitlines()
    assert lines[2:5] == [
        "  ✗ 0 endpoints in 1 EndpointSlice",
        "    - slice db-1 has 1 endpoint for port postgres; the Service's port has no name: names must be equal",
        "    - Endpoints shop/db are not read in files:"
        " write an EndpointSlice with the label kubernetes.io/service-name",
    ]


def test_a_route_is_shown_with_its_limitations(steerway: Run, manifests: str) -> None:
    """Its rules in their order, the backend that is not there, and what the client leaves out."""
    code, out, _ = steerway("explain", "web.shop", "--client", "grpc-go", "--files", manifests)
    assert code == 0
    for line in (
        "  ✗ HTTPRoute shop/web rule 0: prefix /a by GET → shop/gone:50051 1 (not served: calls fail)",
        "  ✓ HTTPRoute shop/web rule 1: any path → shop/backend:50051 1",
        "    - changes headers of requests",
        "    retry: codes unavailable, attempts 2, backoff base 25ms — TrafficPolicy shop/backend",
        "  ✗ HTTPRoute shop/web rule 0: matches by HTTP method or query parameter are not supported by grpc-go:"
        " they never match a gRPC call",
        "  ✗ HTTPRoute shop/web rule 1: changes of headers are not supported by grpc-go: gRPC clients send the"
        " request as it is",
    ):
        assert line in out.splitlines()


def test_log_lines_do_not_mix_with_the_answer(
    steerway: Run, manifests: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go to stderr."""
    build = service.build

    def failing(fact: ServiceFact, *rest: Any) -> Any:
        return 1 // 0 if fact.key.name == "web" else build(fact, *rest)

    monkeypatch.setattr(service, "build", failing)
    _, out, err = steerway("explain", "xds:///backend.shop", "--files", manifests, "--output", "json")
    json.loads(out)
    assert "internal_error" in err


def test_json_is_one_document_on_stdout(steerway: Run, manifests: str) -> None:
    """With every section of the policy, and bodies."""
    code, out, err = steerway("explain", "backend.shop:grpc", "--files", manifests, "--output", "json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert list(document) == ["target", "facts", "policy", "access", "client", "resources", "clients"]
    assert document["target"] == {
        "asked": "backend.shop:grpc",
        "service": "shop/backend",
        "port": 50051,
        "port_name": "grpc",
        "pod": None,
        "why": "the target names it",
        "name": "backend.shop.svc.cluster.local:50051",
    }
    assert document["facts"]["endpoints"][1] == {
        "region": "",
        "zone": "eu-1b",
        "healthy": 1,
        "draining": 1,
        "unready": 0,
    }
    assert len(document["policy"]) == 11
    assert document["policy"][0] == {
        "section": "zones",
        "value": "mode Failover",
        "source": "TrafficPolicy shop/backend",
    }
    assert [(resource["type"], resource["version"]) for resource in document["resources"]] == [
        ("lds", None),
        ("rds", None),
        ("cds", None),
        ("eds", None),
    ]
    assert document["resources"][3]["body"]["cluster_name"] == document["target"]["name"]
    assert document["clients"] is None


def test_verbose_adds_defaults_and_bodies(steerway: Run, manifests: str) -> None:
    """As much as there is."""
    _, out, _ = steerway("explain", "backend.shop", "--files", manifests, "-v")
    assert "  subset: every endpoint — default" in out.splitlines()
    assert '"cluster_name": "backend.shop.svc.cluster.local:50051"' in out


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("backnd.shop", "error: service shop/backnd not found\nnote: there is shop/backend"),
        ("backend", "error: service default/backend not found\nnote: there is shop/backend"),
        ("backend.shop:9", "error: service shop/backend has no TCP port 9; it has 50051 (grpc), 80 (http)"),
        ("xds:///a..b", "error: 'a..b' has an empty label"),
    ],
)
def test_an_invalid_target_is_refused_with_a_reason(
    steerway: Run, manifests: str, target: str, error: str
) -> None:
    """With the nearest names, where it is one of a service."""
    code, out, err = steerway("explain", target, "--files", manifests)
    assert (code, out) == (1, "")
    assert err.startswith(error)


def test_an_unknown_client_is_refused(steerway: Run, manifests: str) -> None:
    """With the names that there are."""
    code, _, err = steerway("explain", "backend.shop", "--files", manifests, "--client", "curl")
    assert code == 2
    assert "'curl' is no client: write NAME or NAME/MAJOR.MINOR, with one of c-core, envoy" in err


class Plane(HTTPServer):
    """A control plane that has one answer, and keeps the request."""

    status = 200
    body = "{}"
    path = ""
    token: str | None = None


class _Answer(BaseHTTPRequestHandler):
    server: Plane

    def do_GET(self) -> None:
        self.server.path, self.server.token = self.path, self.headers.get("Authorization")
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Tests report errors themselves."""


@pytest.fixture
def plane() -> Iterator[Plane]:
    """Listening on loopback."""
    with Plane(("127.0.0.1", 0), _Answer) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_control_plane_is_asked_with_its_token(steerway: Run, plane: Plane, tmp_path: Path) -> None:
    """Only given values are in the query."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    admin = ("--admin", f"127.0.0.1:{plane.server_port}", "--token-file", str(token))
    code, out, _ = steerway("explain", "backend.shop:grpc", "--node-zone", "a", *admin, "--output", "json")
    assert (code, json.loads(out)) == (0, {})
    assert plane.path == "/api/v1/explain?target=backend.shop:grpc&zone=a"
    assert plane.token == "Bearer 0123456789abcdef"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, '{"error": "no a", "nearest": ["shop/b"]}', "error: no a\nnote: there is shop/b\n"),
        (400, '{"error": "wrong"}', "error: wrong\n"),
        (401, '{"error": "token"}', "error: http://ADMIN wants a token: give its file with --token-file\n"),
        (
            404,
            '{"error": "Not Found", "see": []}',
            "error: http://ADMIN does not have /api/v1/explain: it is an older version of steerway, or another"
            " server\n",
        ),
        (
            500,
            "oops",
            "error: http://ADMIN answers with status 500: is it the admin address of steerway?\n",
        ),
    ],
)
def test_a_refusal_is_reported(steerway: Run, plane: Plane, status: int, body: str, error: str) -> None:
    """With its own message, and a hint where there is one."""
    plane.status, plane.body = status, body
    address = f"127.0.0.1:{plane.server_port}"
    code, out, err = steerway("explain", "a", "--admin", f"http://{address}/")
    assert (code, out) == (1, "")
    assert err.replace(address, "ADMIN").replace("ADMIN/", "ADMIN") == error


def test_without_a_control_plane_a_hint_is_printed(steerway: Run) -> None:
    """Start one, give its address, or give manifests."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, _, err = steerway("explain", "a", "--admin", f"http://127.0.0.1:{port}")
    assert code == 1
    message = f"error: no control plane answers at http://127.0.0.1:{port}: Connection refused; start one"
    assert err.startswith(message)


def test_connected_clients_are_listed_with_their_nacks(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that lag or refused come first."""

    def client(node: str, in_sync: bool, **row: object) -> dict[str, Any]:
        plain = {
            "type": "cds",
            "name": "b",
            "status": "acked",
            "version": "v3",
            "current": True,
            "error": None,
        }
        return {
            "node": node,
            "client": "grpc-go 1.85",
            "address": "10.0.0.1:1",
            "age_seconds": 90.0,
            "limitations": [],
            "in_sync": in_sync,
            "resources": [plain | {"sent_age_seconds": 3.0} | row],
            "absent": {},
        }

    explanation._clients(
        [
            client("web-1", True),
            client("web-2", False, status="nacked", error="no such policy"),
            client("web-3", False, current=False),
        ]
    )
    assert capsys.readouterr().out.splitlines() == [
        "connected clients",
        "  ✗ web-2 (grpc-go 1.85, 10.0.0.1:1) has acknowledged 0 of 1, the last of it 3 s ago; connected for 2 m",
        "    ✗ refused cds b version v3: no such policy",
        "  ✗ web-3 (grpc-go 1.85, 10.0.0.1:1) has acknowledged 0 of 1, the last of it 3 s ago; connected for 2 m",
        "    ✗ cds b is acked, and not the newest",
        "  ✓ web-1 (grpc-go 1.85, 10.0.0.1:1) has acknowledged all, the last of it 3 s ago; connected for 2 m",
    ]
