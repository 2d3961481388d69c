"""Which clients are asked for load reports: those that can, and none unless an operator wants it."""

import pytest
from envoy.config.cluster.v3 import cluster_pb2

from steerway.translate.xds import type_url
from testbed.mesh import CORE, NO_LRS, UNKNOWN, Mesh, endpoint_slice, service

NAME = "backend.shop.svc.cluster.local:50051"


def mesh(load_reporting: bool) -> Mesh:
    """One service with one endpoint."""
    return Mesh(service(50051), endpoint_slice("10.0.0.1"), load_reporting=load_reporting)


def asks(mesh: Mesh, audience: str) -> bool:
    """Whether the cluster has a load reporting server, which can be `self` only (gRFC A27)."""
    cluster = cluster_pb2.Cluster.FromString(mesh.get(type_url.CLUSTER, NAME, audience))
    assert cluster.HasField("lrs_server") is cluster.lrs_server.HasField("self")
    return cluster.HasField("lrs_server")


@pytest.mark.parametrize(("audience", "asked"), [(CORE, True), (UNKNOWN, True), (NO_LRS, False)])
def test_clients_that_can_are_asked(audience: str, asked: bool) -> None:
    """Whichever others are connected at the same time."""
    mixed = mesh(load_reporting=True)
    for other in (CORE, UNKNOWN, NO_LRS):
        mixed.get(type_url.CLUSTER, NAME, other)
    assert asks(mixed, audience) is asked


@pytest.mark.parametrize("audience", [CORE, UNKNOWN, NO_LRS])
def test_no_client_is_asked_by_default(audience: str) -> None:
    """A second stream for each client is a cost that is off by default."""
    assert not asks(mesh(load_reporting=False), audience)


def test_clients_that_are_not_asked_are_served_like_all_others() -> None:
    """They get no draining endpoints, as other clients of no known library."""
    quiet = mesh(load_reporting=True)
    assert quiet.dial("backend", NO_LRS) == quiet.dial("backend", UNKNOWN) == ["10.0.0.1:50051"]
    assert quiet.assignment("backend", NO_LRS) == quiet.assignment("backend", UNKNOWN)
