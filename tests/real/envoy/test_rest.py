"""A real Envoy that polls: clusters, listeners, routes and endpoints by REST-JSON, and each change of them."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Client
from testbed.envoy.envoy_proxy import POLLED, EnvoyProxy
from testbed.manifest import Files
from testbed.process.deadline import until
from testbed.process.free_port import free_port
from testbed.process.process import Processes
from tests.real.conftest import Steer

_TYPE = "type.googleapis.com/envoy"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def listener(port: int) -> dict[str, Any]:
    """A listener whose routes are polled."""
    manager = {
        "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "rds": {"route_config_name": "routes", "config_source": POLLED},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    return {
        "@type": f"{_TYPE}.config.listener.v3.Listener",
        "name": "edge",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def routes(cluster: str) -> dict[str, Any]:
    """Everything goes to `cluster`."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": cluster}}
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": "routes",
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
    }


def cluster(name: str) -> dict[str, Any]:
    """A cluster whose endpoints are polled."""
    options = {
        "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": POLLED},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: options},
    }


def assignment(cluster: str, address: str) -> dict[str, Any]:
    """One endpoint."""
    host, _, port = address.rpartition(":")
    endpoint = {"address": {"socket_address": {"address": host, "port_value": int(port)}}}
    return {
        "@type": f"{_TYPE}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
    }


@pytest.fixture
def port() -> int:
    """A TCP port of loopback."""
    return free_port()


@pytest.mark.needs("envoy")
def test_an_envoy_that_polls_follows_endpoints_routes_and_clusters(
    backends: Backends, files: Files, steer: Steer, processes: Processes, tmp_path: Path, port: int
) -> None:
    """Other endpoints, then another cluster under the route: no call fails."""
    first, second, third = backends.open(3)
    files.write("listener.yaml", listener(port))
    files.write("blue.yaml", cluster("blue"), assignment("blue", first))
    files.write("routes.yaml", routes("blue"))
    plane = steer("--rest-listen", "127.0.0.1:0")
    envoy = EnvoyProxy(processes, plane, tmp_path, "rest")
    envoy.wait_until_listening(port)
    channel = Client(processes, "grpcio", tmp_path / "no-bootstrap.json").dial(f"ipv4:127.0.0.1:{port}")
    healthy = "cluster.green.membership_healthy"
    with channel.load() as load:
        load.settle(first)
        files.write("blue.yaml", cluster("blue"), assignment("blue", second))
        load.settle(second)
        files.write("green.yaml", cluster("green"), assignment("green", third))
        # Each type is polled by itself: only a stream can bring a route after its cluster.
        until(lambda: envoy.stats(healthy) == {healthy: 1}, lambda: "an endpoint of green")
        files.write("routes.yaml", routes("green"))
        load.settle(third)
    assert load.failures == []
    # A poll may be under way at any moment; none stays.
    until(lambda: plane.metric("steerway_streams") == 0, lambda: "no stream of a poll left")


def test_curl_gets_what_a_service_has(files: Files, steer: Steer, backends: Backends) -> None:
    """Names of gRPC services are translated on demand; the second poll has no changes."""
    files.publish(backends.open(1))
    plane = steer("--rest-listen", "127.0.0.1:0")
    name = "backend.shop.svc.cluster.local:50051"
    asked: dict[str, Any] = {"node": {"id": "curl"}, "resource_names": [name]}
    with httpx.Client(base_url=plane.rest_address(), trust_env=False) as http:
        answer = http.post("/v3/discovery:endpoints", json=asked)
        assert answer.status_code == 200
        body = answer.json()
        (resource,) = body["resources"]
        assert (resource["cluster_name"], body["type_url"]) == (name, resource["@type"])
        asked["version_info"] = body["version_info"]
        again = http.post("/v3/discovery:endpoints", json=asked)
        assert (again.status_code, again.content) == (304, b"")
        asked["resource_names"] = ["absent.shop.svc.cluster.local:1"]
        nothing = http.post("/v3/discovery:endpoints", json=asked)
        assert nothing.status_code == 200
        assert "resources" not in nothing.json()
        for path, sent, status, reason in [
            ("/v3/discovery:clusters", {}, 400, "node.id"),
            ("/v3/discovery:clusters", {"node": 1}, 400, "DiscoveryRequest"),
            ("/v3/discovery:other", {}, 404, "listeners"),
            ("/v2/discovery:clusters", {}, 404, "/v3/discovery"),
        ]:
            refused = http.post(path, json=sent)
            assert (refused.status_code, reason in refused.json()["error"]) == (status, True), refused.text
