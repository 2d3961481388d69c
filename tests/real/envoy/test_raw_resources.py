"""A real Envoy takes listeners, routes, clusters and endpoints from raw resources in files, and follows them."""

from pathlib import Path
from typing import Any

import pytest

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Channel, Client
from testbed.envoy.envoy_proxy import EnvoyProxy, Protocol
from testbed.manifest import Files
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.free_port import free_port
from testbed.process.process import Processes
from tests.real.conftest import Steer

pytestmark = [
    pytest.mark.needs("envoy"),
    pytest.mark.parametrize("protocol", ["sotw", "delta"]),
]

_TYPE = "type.googleapis.com/envoy"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _listener(port: int) -> dict[str, Any]:
    manager = {
        "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "rds": {
            "route_config_name": "routes",
            "config_source": {"resource_api_version": "V3", "ads": {}},
        },
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


def _routes(cluster: str) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": cluster}}
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": "routes",
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
    }


def _cluster(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": {"resource_api_version": "V3", "ads": {}}},
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        **fields,
    }


def _endpoints(cluster: str, *addresses: str) -> dict[str, Any]:
    def endpoint(address: str) -> dict[str, Any]:
        host, _, port = address.rpartition(":")
        return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}

    return {
        "@type": f"{_TYPE}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [
            {"locality": {"zone": "eu-1a"}, "lb_endpoints": [endpoint(address) for address in addresses]}
        ],
    }


@pytest.fixture
def port() -> int:
    """A TCP port of loopback."""
    return free_port()


@pytest.fixture
def plane(steer: Steer) -> ControlPlane:
    """A steerway that has no files yet."""
    return steer()


@pytest.fixture
def through_envoy(processes: Processes, tmp_path: Path, port: int) -> Channel:
    """A gRPC channel to Envoy's listener."""
    client = Client(processes, "grpcio", tmp_path / "no-bootstrap.json")
    return client.dial(f"ipv4:127.0.0.1:{port}")


def _publish(files: Files, port: int, cluster: str, **addresses: list[str]) -> None:
    """Write a listener, its routes to `cluster`, and a cluster with endpoints for each of `addresses`."""
    files.write("listener.yaml", _listener(port))
    for name, listed in addresses.items():
        files.write(f"cluster-{name}.yaml", _cluster(name), _endpoints(name, *listed))
    files.write("routes.yaml", _routes(cluster))


def test_envoy_follows_listeners_routes_clusters_and_endpoints(
    protocol: Protocol,
    backends: Backends,
    files: Files,
    plane: ControlPlane,
    processes: Processes,
    tmp_path: Path,
    port: int,
    through_envoy: Channel,
) -> None:
    """A call goes through to a backend; a change of endpoints and one of the route are followed without an error."""
    first, second, other = backends.open(3)
    envoy = EnvoyProxy(processes, plane, tmp_path, protocol)
    _publish(files, port, "blue", blue=[first], green=[other])
    envoy.wait_until_listening(port)
    until(lambda: through_envoy.call()[0].ok, "a first answer")
    with through_envoy.load() as load:
        load.settle(first)
        files.write("cluster-blue.yaml", _cluster("blue"), _endpoints("blue", first, second))
        load.settle(first, second)
        files.write("cluster-blue.yaml", _cluster("blue"), _endpoints("blue", second))
        load.settle(second)
        files.write("routes.yaml", _routes("green"))
        load.settle(other)
    assert load.failures == []
    (stream,) = plane.streams()
    assert stream["protocol"] == protocol
    assert {part["type"] for part in stream["types"]} >= {"lds", "cds", "rds", "eds"}
    assert all(part["nack"] is None for part in stream["types"])


def test_envoy_keeps_serving_while_it_refuses_a_resource_and_the_admin_server_shows_why(
    protocol: Protocol,
    backends: Backends,
    files: Files,
    plane: ControlPlane,
    processes: Processes,
    tmp_path: Path,
    port: int,
    through_envoy: Channel,
) -> None:
    """A cluster that Envoy does not accept is NACKed: its message stands in /api/v1/streams until it is fixed."""
    (address,) = backends.open(1)
    envoy = EnvoyProxy(processes, plane, tmp_path, protocol)
    _publish(files, port, "blue", blue=[address])
    envoy.wait_until_listening(port)
    until(lambda: through_envoy.call()[0].backend == address, "a first answer")

    def nacks() -> list[dict[str, Any]]:
        return [part["nack"] for stream in plane.streams("cds") for part in stream["types"] if part["nack"]]

    files.write("cluster-broken.yaml", _cluster("broken", connect_timeout="0s"), _endpoints("broken"))
    (nack,) = until(nacks, "a NACK of the broken cluster")
    assert "ConnectTimeout" in nack["message"], nack
    assert any(envoy.stats("cds.update_rejected").values())
    assert through_envoy.call()[0].backend == address
    files.write("cluster-broken.yaml", _cluster("broken"), _endpoints("broken"))
    until(lambda: not nacks(), "an ACK of the fixed cluster")
    assert through_envoy.call()[0].backend == address


def test_a_move_to_a_new_cluster_loses_no_request(
    protocol: Protocol,
    backends: Backends,
    files: Files,
    plane: ControlPlane,
    processes: Processes,
    tmp_path: Path,
    port: int,
    through_envoy: Channel,
) -> None:
    """One change replaces the cluster, its endpoints and the route to it: Envoy has the new cluster before the route
    and the old one until then, so there is no moment without one."""
    addresses = backends.open(2)
    envoy = EnvoyProxy(processes, plane, tmp_path, protocol)

    def publish(turn: int) -> None:
        name = f"turn-{turn}"
        files.write(
            "all.yaml", _listener(port), _cluster(name), _endpoints(name, addresses[turn % 2]), _routes(name)
        )

    publish(0)
    envoy.wait_until_listening(port)
    until(lambda: through_envoy.call()[0].ok, "a first answer")
    with through_envoy.load() as load:
        for turn in range(1, 9):
            publish(turn)
            load.settle(addresses[turn % 2])
    assert load.failures == []
    until(
        lambda: envoy.stats("cluster_manager.active_clusters") == {"cluster_manager.active_clusters": 2},
        "the clusters of earlier turns to be gone",
    )


def test_what_has_a_time_to_live_outlives_it_with_the_control_plane_only(
    protocol: Protocol,
    files: Files,
    plane: ControlPlane,
    processes: Processes,
    tmp_path: Path,
    port: int,
) -> None:
    """Heartbeats keep a cluster in Envoy; once they stop, Envoy drops it by itself and keeps the others."""
    envoy = EnvoyProxy(processes, plane, tmp_path, protocol)
    wrapped = {"@type": f"{_TYPE}.service.discovery.v3.Resource", "ttl": "2s", "resource": _cluster("brief")}
    files.write("all.yaml", _listener(port), _cluster("lasting"), wrapped, _routes("lasting"))
    files.write("endpoints.yaml", _endpoints("lasting"), _endpoints("brief"))
    envoy.wait_until_listening(port)

    def clusters() -> int:
        return envoy.stats("cluster_manager.active_clusters")["cluster_manager.active_clusters"]

    until(lambda: clusters() == 3, "both clusters beside steerway's own")

    def responses() -> float:
        return plane.metric("steerway_responses_total", type="Cluster")

    before = responses()
    until(lambda: responses() >= before + 4, "heartbeats for longer than the time to live")
    assert clusters() == 3
    plane.kill()
    until(lambda: clusters() == 2, "the brief cluster to be dropped")
