"""Envoy validates every kind of resource that it can be sent: a static bootstrap made of them is valid."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from steerway.translate.protobuf.message import to_json
from steerway.translate.translator import Translator
from steerway.translate.xds import type_url
from testbed.envoy.envoy_mesh import guide_bootstrap
from testbed.process.process import installed
from testbed.translator_options import translator_options
from tests.support.example import envoy_example

pytestmark = pytest.mark.needs("envoy")


@pytest.mark.parametrize(("role", "clusters"), [("sidecar", 13), ("gateway", 7)])
def test_envoy_takes_everything_that_it_may_be_sent(role: str, clusters: int, tmp_path: Path) -> None:
    """Routes within their listener, and assignments within their clusters, where `--mode validate` looks at them."""
    served = _everything(role)
    listener = _inlined(served[type_url.LISTENER][0], served[type_url.ROUTE][0])
    assignments = {
        item.cluster_name: item
        for item in map(endpoint_pb2.ClusterLoadAssignment.FromString, served[type_url.ENDPOINT])
    }
    results = [
        _static(cluster_pb2.Cluster.FromString(body), assignments) for body in served[type_url.CLUSTER]
    ]
    assert len(results) == clusters
    bootstrap = guide_bootstrap("127.0.0.1:18000")
    bootstrap["static_resources"]["clusters"] += [to_json(cluster) for cluster in results]
    bootstrap["static_resources"]["listeners"] = [to_json(listener)]
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(bootstrap))
    command = [installed("envoy"), "--mode", "validate", "-c", str(file), "--log-level", "warning"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "deprecated" not in result.stderr, result.stderr[-2000:]


def _everything(role: str) -> dict[str, list[bytes]]:
    """All that an Envoy of a role gets, by type."""
    services = {service.id: service for service in envoy_example.services()}
    translator = Translator(services.get, services=services.values, **translator_options())
    translator.start(())
    audience = f"envoy/{role}/{envoy_example.NAMESPACE}/eu-1a"
    wanted = [(type_url.CLUSTER, "*", audience), (type_url.LISTENER, "*", audience)]
    commit = translator.demand([*wanted, (type_url.ROUTE, f"steerway.{role}", audience)])
    named = sorted(
        {reference for put in commit.put for reference in put.references if reference[0] == type_url.ENDPOINT}
    )
    puts = [*commit.put, *translator.demand([(*reference, audience) for reference in named]).put]
    results: dict[str, list[bytes]] = {}
    for put in puts:
        results.setdefault(put.type_url, []).append(put.body)
    return results


def _inlined(listener: bytes, route: bytes) -> listener_pb2.Listener:
    message = listener_pb2.Listener.FromString(listener)
    packed: Any = message.filter_chains[0].filters[0].typed_config
    manager = hcm_pb2.HttpConnectionManager()
    assert packed.Unpack(manager)
    manager.route_config.CopyFrom(route_pb2.RouteConfiguration.FromString(route))
    packed.Pack(manager)
    return message


def _static(
    cluster: cluster_pb2.Cluster, assignments: dict[str, endpoint_pb2.ClusterLoadAssignment]
) -> cluster_pb2.Cluster:
    if cluster.type == cluster_pb2.Cluster.EDS:
        cluster.type = cluster_pb2.Cluster.STATIC
        cluster.load_assignment.CopyFrom(assignments[cluster.eds_cluster_config.service_name])
        cluster.ClearField("eds_cluster_config")
    return cluster
