"""The client status discovery service about a real gRPC client."""

from tempfile import TemporaryDirectory

import grpc
import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.service.status.v3 import csds_pb2 as csds

from testbed.backend.backend import Backends
from testbed.manifest import Files
from testbed.process.deadline import PATIENCE_SECONDS, until
from tests.real.conftest import Connect, Steer

FETCH = "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus"


@pytest.mark.parametrize("connect", ["grpcio"], indirect=True)
def test_a_real_client_has_taken_all_that_its_target_needs(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Listener, route, cluster and endpoints, each with its version and its body, the backend's address among them."""
    (backend,) = backends.open(1)
    files.publish([backend])
    with TemporaryDirectory() as directory:  # pytest's own directories are too deep for a socket
        socket = f"unix:{directory}/xds.sock"
        plane = steer("--listen", socket)
        channel = connect(plane).dial("xds:///backend.shop:50051")
        with channel.load() as load:
            load.settle(backend)
        rows = _acknowledged(socket)
        _assert_hidden(plane.address)
    types = [row.type_url.rpartition(".")[2] for row in rows]
    assert sorted(set(types)) == ["Cluster", "ClusterLoadAssignment", "Listener", "RouteConfiguration"]
    assert all(row.version_info and row.xds_config.value for row in rows)
    (endpoints,) = [row.xds_config for row in rows if row.type_url.endswith("ClusterLoadAssignment")]
    assignment = ClusterLoadAssignment.FromString(endpoints.value)
    address = assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    assert f"{address.address}:{address.port_value}" == backend


def _acknowledged(socket: str) -> list[csds.ClientConfig.GenericXdsConfig]:
    """The rows of the one client, once it has acknowledged everything."""
    with grpc.insecure_channel(socket) as asking:
        ask = asking.unary_unary(FETCH, response_deserializer=csds.ClientStatusResponse.FromString)

        def in_sync() -> list[csds.ClientConfig.GenericXdsConfig]:
            (client,) = ask(b"", timeout=PATIENCE_SECONDS).config
            rows = list(client.generic_xds_configs)
            return rows if all(row.config_status == csds.SYNCED for row in rows) else []

        return until(in_sync, "the client has acknowledged everything")


def _assert_hidden(address: str) -> None:
    """The TCP port, which every pod can reach, shows no client; the status names the ways to see them."""
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as asking:
        with pytest.raises(grpc.RpcError) as refused:
            asking.unary_unary(FETCH)(b"", timeout=PATIENCE_SECONDS)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "listen: unix:/PATH" in refused.value.details()
