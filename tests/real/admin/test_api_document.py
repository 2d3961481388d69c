"""The OpenAPI document against a replica with real streams: each documented request gets a documented response."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from envoy.config.core.v3.base_pb2 import Node
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from steerway.testing.ads_client import AdsClient
from steerway.translate.xds import type_url
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes

ENDLESS = "/api/v1/events"
"""Its response does not end; tests/real/admin/test_events.py reads it."""
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
)
EXAMPLES = 25
MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: shop}
spec: {ports: [{name: grpc, port: 50051}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: backend-1, namespace: shop, labels: {kubernetes.io/service-name: backend}}
addressType: IPv4
ports: [{name: grpc, port: 50051}]
endpoints:
- {addresses: [127.0.0.1], zone: eu-1a}
- {addresses: [127.0.0.2], conditions: {ready: false}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: all, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: backend}]
  rules: [{backendRefs: [{name: backend, port: 50051}, {name: gone, port: 1}]}]
"""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A replica with a client in each state that a file can cause, and a problem."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "mesh.yaml").write_text(MANIFESTS)
    with Processes() as processes:
        plane = ControlPlane(processes, ["--files", str(folder)])
        with AdsClient(plane.address, node=Node(id="web-0", user_agent_name="gRPC Go")) as client:
            stream = client.sotw()
            stream.request(type_url.LISTENER, "backend.shop:50051", "bakend.shop")
            stream.ack(stream.read())
            stream.request(type_url.CLUSTER, "backend.shop.svc.cluster.local:50051")
            stream.nack(stream.read(), "no")
            until(lambda: _refused(plane), "the refusal in the list of clients")
            yield plane
        plane.close()


def _refused(plane: ControlPlane) -> bool:
    rows = plane.get("/api/v1/clients?by=node")["items"]
    return [(row["id"], row["state"]) for row in rows] == [("web-0", "refused")]


def test_valid_requests_get_documented_responses(plane: ControlPlane) -> None:
    """Also for objects that do not exist."""
    operations = _operations(plane)
    assert len(operations) > 12
    for operation in operations:
        _check(operation, GenerationMode.POSITIVE)


@pytest.mark.parametrize(
    ("path", "path_parameters", "query"),
    [
        ("/services/{namespace}/{name}", {"namespace": "shop", "name": "backend"}, {}),
        ("/services", {}, {"fields": "state,clients", "limit": 1}),
        ("/clients", {}, {"by": "node", "client": "web-*"}),
        ("/clients/{node}", {"node": "web-0"}, {}),
        ("/endpoints", {}, {"target": ["backend.shop", "bakend.shop"]}),
        ("/endpoints", {}, {"target": ["backend.shop"], "node": "web-0"}),
        ("/explain", {}, {"target": "backend.shop:50051"}),
        ("/streams", {}, {"resources": "true"}),
        ("/resources/{path}", {"path": "lds/backend.shop:50051"}, {}),
        ("/resources/{path}", {"path": "eds"}, {}),
    ],
)
def test_responses_about_real_objects_are_documented(
    plane: ControlPlane, path: str, path_parameters: dict[str, str], query: dict[str, Any]
) -> None:
    schema = schemathesis.openapi.from_url(f"{plane.admin}/api/v1/openapi.json")
    case = schema[f"/api/v1{path}"]["GET"].Case(path_parameters=path_parameters, query=query)
    assert case.call_and_validate(checks=CHECKS[:-1]).status_code == 200


def test_requests_with_invalid_values_get_400(plane: ControlPlane) -> None:
    """Where the document excludes values at all."""
    operations = [operation for operation in _operations(plane) if any(map(_excludes, operation.query))]
    assert len(operations) > 5
    for operation in operations:
        _check(operation, GenerationMode.NEGATIVE)


def _operations(plane: ControlPlane) -> list[schemathesis.schemas.APIOperation]:
    schema = schemathesis.openapi.from_url(f"{plane.admin}/api/v1/openapi.json").exclude(path=ENDLESS)
    return [result.ok() for result in schema.get_all_operations()]


def _excludes(parameter: Any) -> bool:
    """Whether a parameter has invalid values: all texts are valid for the others."""
    return bool(parameter.definition["schema"].keys() - {"type"})


def _check(operation: schemathesis.schemas.APIOperation, mode: GenerationMode) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    check()
