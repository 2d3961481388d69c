"""A real Envoy reaches the engine with TLS and a client certificate, and stays through a rotation."""

from pathlib import Path
from typing import Any

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from google.protobuf.json_format import ParseDict

from steerway.commit import Put
from steerway.engine.engine import Closed, HandshakeFailed, Opened
from steerway.translate.xds.type_url import CLUSTER, LISTENER
from testbed.certificate import Authority
from testbed.envoy.envoy_proxy import EnvoyProxy, Protocol, Tls
from testbed.process.deadline import until
from testbed.process.process import Processes
from testbed.xds_server import XdsServer

pytestmark = [pytest.mark.needs("envoy")]

NAME = "xds.test"
IDENTITY = "spiffe://cluster.local/ns/edge/sa/envoy"


def _cluster(name: str) -> Put:
    fields: dict[str, Any] = {"name": name, "type": "STATIC", "connect_timeout": "1s"}
    return Put(CLUSTER, name, "", ParseDict(fields, Cluster()).SerializeToString(), (), "", 0.0)


def _serve(server: XdsServer) -> None:
    server.publish([_cluster("blue")], complete=[(CLUSTER, "test"), (LISTENER, "test")])
    server.engine.set_serving(True)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_envoy_with_a_client_certificate_lives_through_a_rotation(
    protocol: Protocol, processes: Processes, tmp_path: Path
) -> None:
    """It is known by its SPIFFE identity; new certificates on both sides do not end its stream."""
    authority, client_authority, successor = Authority(), Authority("clients"), Authority("successor")
    certificate, renewed = authority.issue(NAME), successor.issue(NAME)
    tls = Tls(authority.certificate, NAME, client_authority.issue(IDENTITY, usage="client"))
    with XdsServer(tls=True) as server:
        server.engine.set_tls(certificate.certificate, certificate.key, client_authority.certificate, True)
        _serve(server)
        envoy = EnvoyProxy(processes, server, tmp_path, protocol, tls)
        until(
            lambda: envoy.stats("cluster_manager.active_clusters$")["cluster_manager.active_clusters"] == 2,
            "blue",
        )
        (opened,) = server.wait(Opened)
        assert opened.certificate == [f"URI:{IDENTITY}"]
        server.engine.set_tls(renewed.certificate, renewed.key, successor.certificate, True)
        server.publish([_cluster("green")])
        until(
            lambda: envoy.stats("cluster_manager.active_clusters$")["cluster_manager.active_clusters"] == 3,
            "green",
        )
        assert not [event for event in server.events if isinstance(event, Closed | HandshakeFailed)]
        assert envoy.stats("control_plane.connected_state$") == {"control_plane.connected_state": 1}


def test_envoy_with_a_certificate_without_identity_is_refused(processes: Processes, tmp_path: Path) -> None:
    """And comes again, with a pause."""
    authority, client_authority = Authority(), Authority("clients")
    certificate = authority.issue(NAME)
    with XdsServer(tls=True) as server:
        server.engine.set_tls(certificate.certificate, certificate.key, client_authority.certificate, True)
        _serve(server)
        tls = Tls(authority.certificate, NAME, authority.issue(IDENTITY))
        EnvoyProxy(processes, server, tmp_path, "delta", tls)
        (failed,) = server.wait(HandshakeFailed)
        assert failed.reason == "unknown_ca"
