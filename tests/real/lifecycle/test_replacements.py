"""Raw resources that replace others in one commit, as clients without `ignore_resource_deletion` follow them.

Where a client learns of the new resources step by step, the old ones must outlast the last step.
"""

from collections.abc import Sequence

import pytest

from testbed.backend.backend import Backends
from testbed.manifest import Endpoint, Files, Manifest
from tests.real.conftest import Connect, Steer

_TYPE = "type.googleapis.com/envoy"


def _listener(manager: Manifest) -> Manifest:
    return {
        "@type": f"{_TYPE}.config.listener.v3.Listener",
        "name": "raw",
        "api_listener": {
            "api_listener": {
                "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "http_filters": [
                    {
                        "name": "router",
                        "typed_config": {"@type": f"{_TYPE}.extensions.filters.http.router.v3.Router"},
                    }
                ],
                **manager,
            }
        },
    }


def _routes(name: str, cluster: str) -> Manifest:
    route = {"match": {"prefix": ""}, "route": {"cluster": cluster}}
    return {"name": name, "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}


def _inline(cluster: str) -> list[Manifest]:
    """A listener with its routes inside."""
    return [_listener({"route_config": _routes("", cluster)})]


def _over_rds(name: str, cluster: str) -> list[Manifest]:
    """A listener and its routes."""
    rds = {"route_config_name": name, "config_source": {"ads": {}}}
    routes = {"@type": f"{_TYPE}.config.route.v3.RouteConfiguration", **_routes(name, cluster)}
    return [_listener({"rds": rds}), routes]


def _served(cluster: str, assignment: str, address: str) -> list[Manifest]:
    """A cluster and its one endpoint."""
    endpoint = Endpoint(address)
    socket = {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}
    return [
        {
            "@type": f"{_TYPE}.config.cluster.v3.Cluster",
            "name": cluster,
            "type": "EDS",
            "eds_cluster_config": {"eds_config": {"ads": {}}, "service_name": assignment},
        },
        {
            "@type": f"{_TYPE}.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": assignment,
            "endpoints": [
                {
                    "locality": {"zone": "a"},
                    "load_balancing_weight": 1,
                    "lb_endpoints": [{"endpoint": {"address": socket}}],
                }
            ],
        },
    ]


def _steps(a: str, b: str) -> Sequence[tuple[str, str, list[Manifest]]]:
    """Each with the backend that answers from then on. What the one before had is gone, unless it stands here, too."""
    return [
        ("routes leave the listener", b, [*_over_rds("r", "b"), *_served("b", "b1", b)]),
        ("another cluster", a, [*_over_rds("r", "a"), *_served("a", "a1", a)]),
        ("other routes", b, [*_over_rds("s", "b"), *_served("b", "b1", b)]),
        ("another assignment", a, [*_over_rds("s", "b"), *_served("b", "b2", a)]),
        ("routes move into the listener", b, [*_inline("c"), *_served("c", "c1", b)]),
        ("another cluster inline", a, [*_inline("a"), *_served("a", "a1", a)]),
    ]


@pytest.mark.timeout(180)
def test_no_call_fails_when_raw_resources_are_replaced(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    a, b = backends.open(2)
    files.write("raw.yaml", *_inline("a"), *_served("a", "a1", a))
    channel = connect(steer(), keeps_deleted=False).dial("xds:///raw")
    channel.wait_for_answer()
    with channel.load(300) as load:
        for _ in range(3):
            for what, backend, documents in _steps(a, b):
                files.write("raw.yaml", *documents)
                load.settle(backend)
                assert load.lost == [], what
