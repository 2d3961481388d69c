"""Why a port has no endpoint that takes traffic: one sentence for each EndpointSlice."""

from typing import Any

import msgspec
import pytest

from steerway.catalog.model.mesh import ServiceId
from steerway.sources.objects.core import EndpointSlice, ServicePort
from testbed.mesh import Mesh, endpoint, endpoint_slice, service

UNREADY = endpoint("10.0.0.1", ready=False)
DRAINING = endpoint("10.0.0.2", ready=False, serving=True, terminating=True)


def sentences(port: ServicePort, *slices: EndpointSlice, **spec: Any) -> tuple[str, ...]:
    """The reasons for the only port of `shop/backend`, of which none may be healthy."""
    mesh = Mesh(service(port, **spec), *slices)
    built = mesh.catalog.service(ServiceId("shop", "backend"))
    assert built is not None
    assert not built.ports[0].has_healthy
    return mesh.catalog.metadata(mesh.facts.get, built.id).missing[port.port]


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        (None, "postgres", "has 1 endpoint for port postgres; the Service's port has no name"),
        ("grpc", None, "has 1 endpoint for a port without a name; the Service's port is named grpc"),
        ("grpc", "", "has 1 endpoint for a port without a name; the Service's port is named grpc"),
        ("grpc", "http", "has 1 endpoint for port http; the Service's port is named grpc"),
    ],
)
def test_names_of_ports_must_be_equal(ours: str | None, theirs: str | None, reason: str) -> None:
    """Both ways round: numbers do not matter."""
    slice_ = endpoint_slice("10.0.0.1", name="db-1", port_name=theirs)
    assert sentences(ServicePort(50051, ours), slice_) == (f"slice db-1 {reason}: names must be equal",)


@pytest.mark.parametrize(
    ("slice_", "reason"),
    [
        (endpoint_slice(name="a"), "has no endpoints"),
        (endpoint_slice("10.0.0.1", name="a", ports=[]), "has 1 endpoint and names no port"),
        (
            endpoint_slice("a.example", name="a", address_type="FQDN"),
            "has addressType FQDN: clients need IP addresses",
        ),
        (
            endpoint_slice("10.0.0.1", name="a", protocol="UDP"),
            "states protocol UDP for the port: gRPC needs TCP",
        ),
        (endpoint_slice("10.0.0.1", name="a", port=None), "gives the port no number: clients cannot dial it"),
        (
            endpoint_slice("fd00::1", name="a", address_type="IPv6"),
            "has IPv6 addresses: ipFamilies of the Service lists IPv4 only",
        ),
        (endpoint_slice(UNREADY, name="a"), "has 1 not ready"),
        (endpoint_slice(UNREADY, DRAINING, name="a"), "has 1 not ready, has 1 terminating"),
    ],
)
def test_every_other_reason_is_stated(slice_: EndpointSlice, reason: str) -> None:
    """Each as the first thing that leaves the slice out."""
    assert sentences(ServicePort(50051), slice_, ip_families=["IPv4"]) == (f"slice a {reason}",)


@pytest.mark.parametrize(
    ("slice_", "reason"),
    [
        (
            endpoint_slice(name="a"),
            "has no endpoints: the selector of the Service matches no pod with an address",
        ),
        (
            endpoint_slice("10.0.0.1", name="a", ports=[]),
            "has 1 endpoint and names no port: no container of its pods has a port with the name in targetPort",
        ),
    ],
)
def test_a_slice_of_a_selector_has_the_cause_in_the_service(slice_: EndpointSlice, reason: str) -> None:
    """Kubernetes made it, so that the Service or its pods are to be corrected."""
    labels = {
        **(slice_.metadata.labels or {}),
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    made = msgspec.structs.replace(slice_, metadata=msgspec.structs.replace(slice_.metadata, labels=labels))
    assert sentences(ServicePort(50051), made) == (f"slice a {reason}",)


def test_a_service_without_slices_has_one_reason() -> None:
    """And one with very many a bounded number."""
    assert sentences(ServicePort(50051)) == ("no EndpointSlice belongs to the Service",)
    many = sentences(ServicePort(50051), *(endpoint_slice(name=f"s{number}") for number in range(10)))
    assert (len(many), many[-1]) == (9, "and 2 more slices")
