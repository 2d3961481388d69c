"""REST-JSON discovery over an engine that a test plays: what goes in, what comes out, what is refused."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from steerway.rest import application
from steerway.rest.discovery import TYPES
from steerway.translate.xds import type_url


@dataclass
class Engine:
    """Gives `answer` to every request, and keeps what it was asked."""

    answer: tuple[int, str, bytes] = (0, "", b"")
    asked: list[tuple[str, DiscoveryRequest, str, str]] = field(default_factory=list)

    def fetch(
        self, type_url: str, request: bytes, peer: str, token: str, timeout_seconds: float
    ) -> tuple[int, str, bytes]:
        assert 0 < timeout_seconds < 1, "Envoy's request_timeout is 1 s by default"
        self.asked.append((type_url, DiscoveryRequest.FromString(request), peer, token))
        return self.answer

    def serve(self, *clusters: str, version: str = "v1") -> None:
        """Answer with these clusters."""
        response = DiscoveryResponse(version_info=version, type_url=type_url.CLUSTER)
        for name in clusters:
            response.resources.add().Pack(Cluster(name=name))
        self.answer = (0, "", response.SerializeToString())


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def http(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    transport = httpx.ASGITransport(app=application(engine.fetch), client=("10.0.0.9", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://rest") as client:
        yield client


async def test_a_request_becomes_a_response(engine: Engine, http: httpx.AsyncClient) -> None:
    """Both in protobuf's JSON mapping, resources with their types; fields may have either spelling."""
    engine.serve("a")
    body = {
        "node": {"id": "old", "metadata": {"NAMESPACE": "shop"}},
        "resourceNames": ["a"],
        "newer": {"x": 1},
    }
    headers = {"authorization": "Bearer secret"}
    answer = await http.post("/v3/discovery:clusters", json=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "version_info": "v1",
        "resources": [{"@type": type_url.CLUSTER, "name": "a"}],
        "type_url": type_url.CLUSTER,
    }
    ((asked, request, peer, token),) = engine.asked
    assert (asked, peer, token) == (type_url.CLUSTER, "10.0.0.9:4711", "secret")
    assert (request.node.id, request.node.metadata["NAMESPACE"]) == ("old", "shop")
    assert request.resource_names == ["a"]


@pytest.mark.parametrize("kind", TYPES)
async def test_each_type_has_its_path(engine: Engine, http: httpx.AsyncClient, kind: str) -> None:
    """Its own type may stand in the request, no other."""
    engine.serve()
    body = {"node": {"id": "old"}, "type_url": TYPES[kind]}
    assert (await http.post(f"/v3/discovery:{kind}", json=body)).status_code == 200
    assert engine.asked[0][0] == TYPES[kind]
    wrong = await http.post(f"/v3/discovery:{kind}", json={"type_url": type_url.EXTENSION})
    assert (wrong.status_code, TYPES[kind] in wrong.json()["error"]) == (400, True)


async def test_a_version_that_the_client_has_is_not_sent_again(
    engine: Engine, http: httpx.AsyncClient
) -> None:
    """304 without a body; the engine ignores the ACK or NACK of an earlier response."""
    engine.serve("a", version="v2")
    body = {
        "node": {"id": "old"},
        "version_info": "v2",
        "response_nonce": "7",
        "error_detail": {"message": "no"},
    }
    same = await http.post("/v3/discovery:clusters", json=body)
    assert (same.status_code, same.content) == (304, b"")
    ((_, request, _, _),) = engine.asked
    assert (request.response_nonce, request.HasField("error_detail")) == ("", False)
    body["version_info"] = "v1"
    assert (await http.post("/v3/discovery:clusters", json=body)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b"null", b'{"node": 1}', b'{"resource_names": [1]}', b"\xff", b"[" * 100_000],
)
async def test_a_body_that_is_no_request_is_refused(
    engine: Engine, http: httpx.AsyncClient, body: bytes
) -> None:
    """With words; the engine never sees it."""
    answer = await http.post("/v3/discovery:clusters", content=body)
    assert answer.status_code == 400
    assert "DiscoveryRequest" in answer.json()["error"]
    assert not engine.asked


@pytest.mark.parametrize(
    ("code", "status"), [(3, 400), (4, 503), (7, 403), (8, 429), (13, 500), (14, 503), (16, 401)]
)
async def test_what_the_engine_refuses_has_its_status(
    engine: Engine, http: httpx.AsyncClient, code: int, status: int
) -> None:
    """And its words."""
    engine.answer = (code, "because", b"")
    answer = await http.post("/v3/discovery:clusters", json={"node": {"id": "old"}})
    assert (answer.status_code, answer.json()) == (status, {"error": "because"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v3/discovery:clusters", 405), ("POST", "/v3/discovery:x", 404), ("POST", "/", 404)],
)
async def test_other_paths_and_methods_get_a_hint(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """The error shows the correct request."""
    answer = await http.request(method, path)
    assert (answer.status_code, "clusters" in answer.json()["error"]) == (status, True)
