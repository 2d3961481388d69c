"""Services of several clusters as one: the members in use, their order, and the result for clients."""

from collections import Counter
from collections.abc import Mapping

import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from hypothesis import given
from hypothesis import strategies as st

from steerway.catalog.catalog import Catalog
from steerway.catalog.federation import Federation, Member, Policy
from steerway.catalog.model.mesh import Service as MergedService
from steerway.catalog.model.mesh import ServiceId
from steerway.sources.objects.core import (
    EXPORT_ANNOTATION,
    PRIVATE_ANNOTATION,
    SERVICE_NAME_LABEL,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Object,
    ObjectKey,
    ObjectMeta,
    Service,
    ServiceMeta,
    ServicePort,
    ServiceSpec,
)
from steerway.translate.xds import endpoint as translate
from testbed.mesh import groups
from tests.support.model.attached import EvaluatedMesh

ID = ServiceId("shop", "cart")


def catalog(
    *addresses: str,
    ports: tuple[int, ...] = (80,),
    zone: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Catalog:
    """One service with these endpoints on each of its ports; without a port there is no service."""
    service = Service(
        ServiceMeta("cart", "shop", annotations=dict(annotations or {})),
        ServiceSpec([ServicePort(port, str(port)) for port in ports] or None),
    )
    slice_ = EndpointSlice(
        ObjectMeta("cart-1", "shop", {SERVICE_NAME_LABEL: "cart"}),
        "IPv4",
        [Endpoint([address], zone=zone) for address in addresses],
        [EndpointPort(str(port), 8000 + port) for port in ports],
    )
    objects: dict[ObjectKey, Object] = {service.key: service, slice_.key: slice_}
    made = Catalog()
    made.update(objects.get, objects)
    return made


def member(name: str, result: Catalog, priority: int = 1, in_use: bool = True) -> Member:
    return Member(name, result, f"region-{name}", priority, in_use)


def shown(federation: Federation, port: int = 80) -> list[tuple[str, str, int]]:
    """Address, region and priority of the endpoints of a port."""
    service = federation.service(ID)
    assert service is not None
    (result,) = (item for item in service.ports if item.number == port)
    return [(endpoint.address, endpoint.locality.region, endpoint.priority) for endpoint in result.endpoints]


LOCAL = ("10.0.0.1", "", 0)


@pytest.mark.parametrize(
    ("policy", "in_use", "names"),
    [
        ("local_first", True, ["cart", "remote"]),
        ("local_first", False, ["cart"]),
        ("local_only", True, ["cart"]),
    ],
)
def test_all_services_are_those_of_members_in_use(policy: Policy, in_use: bool, names: list[str]) -> None:
    """Each once, merged as when it is asked for alone."""
    other = Service(ServiceMeta("remote", "shop"), ServiceSpec([ServicePort(80)]))
    remote = catalog("10.0.0.2")
    remote.update({other.key: other}.get, [other.key])
    federation = Federation(catalog("10.0.0.1"), [member("b", remote, in_use=in_use)], policy)
    assert sorted(item.id.name for item in federation) == names
    assert all(item == federation.service(item.id) for item in federation)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("local_only", [LOCAL]),
        ("local_first", [LOCAL, ("10.1.0.1", "region-east", 1), ("10.2.0.1", "region-west", 2)]),
        ("all", [LOCAL, ("10.1.0.1", "region-east", 0), ("10.2.0.1", "region-west", 0)]),
    ],
)
def test_a_policy_selects_the_clusters_of_endpoints(
    policy: Policy, expected: list[tuple[str, str, int]]
) -> None:
    east, west = member("east", catalog("10.1.0.1")), member("west", catalog("10.2.0.1"), 2)
    assert shown(Federation(catalog("10.0.0.1"), [west, east], policy)) == expected


def test_what_is_not_in_use_does_not_count_and_comes_and_goes() -> None:
    east = member("east", catalog("10.1.0.1"), in_use=False)
    federation = Federation(catalog("10.0.0.1"), [east], "local_first")
    assert shown(federation) == [LOCAL]
    for east.in_use in (True, False):
        federation.changed([ID])
        assert len(shown(federation)) == 1 + east.in_use


def test_a_service_that_is_only_elsewhere_is_served() -> None:
    federation = Federation(catalog(ports=()), [member("east", catalog("10.1.0.1"))], "local_first")
    assert shown(federation) == [("10.1.0.1", "region-east", 1)]
    assert (
        Federation(catalog(ports=()), [member("east", catalog(ports=()))], "local_first").service(ID) is None
    )


def test_an_address_of_two_clusters_is_that_of_the_nearer_one() -> None:
    east, west = member("east", catalog("10.0.0.1", "10.1.0.1")), member("west", catalog("10.1.0.1"), 2)
    assert shown(Federation(catalog("10.0.0.1"), [west, east], "local_first")) == [
        LOCAL,
        ("10.1.0.1", "region-east", 1),
    ]


def test_ports_of_all_members_are_served_under_the_name_of_the_nearest() -> None:
    federation = Federation(
        catalog("10.0.0.1"), [member("east", catalog("10.1.0.1", ports=(80, 90)))], "local_first"
    )
    assert [len(shown(federation, port)) for port in (80, 90)] == [2, 1]


def merged_of(*annotations: Mapping[str, str]) -> MergedService:
    """The service of clusters whose Services have these annotations, the local one first."""
    local, *others = (catalog(f"10.{index}.0.1", annotations=has) for index, has in enumerate(annotations))
    members = [member(str(number), other) for number, other in enumerate(others)]
    service = Federation(local, members, "local_first").service(ID)
    assert service is not None
    return service


@pytest.mark.parametrize("private", [(True, False), (False, True), (True, True), (False, False)])
def test_a_service_that_is_private_in_one_cluster_is_private(private: tuple[bool, ...]) -> None:
    """The clusters are one mesh: a client sees what every cluster allows."""
    words = [{PRIVATE_ANNOTATION: "true"} if item else {} for item in private]
    assert merged_of(*words).private == any(private)


@pytest.mark.parametrize(
    ("exports", "expected"),
    [
        ((None, None), None),
        (("a,b", None), {"a", "b"}),
        ((None, "a,b"), {"a", "b"}),
        (("a,b", "b,c"), {"b"}),
        (("a", "c"), set()),
    ],
)
def test_a_service_is_exported_to_namespaces_of_every_cluster(
    exports: tuple[str | None, ...], expected: set[str] | None
) -> None:
    """A cluster without the annotation exports it to all."""
    words = [{} if export is None else {EXPORT_ANNOTATION: export} for export in exports]
    assert merged_of(*words).exported_to == expected


CATALOGS = st.builds(
    lambda addresses, there, zone: catalog(*addresses, ports=(80,) if there else (), zone=zone),
    st.lists(st.sampled_from([f"10.0.0.{number}" for number in range(1, 5)]), max_size=3, unique=True),
    st.booleans(),
    st.sampled_from((None, "a", "b")),
)


@given(
    CATALOGS,
    st.lists(st.tuples(CATALOGS, st.integers(1, 5), st.booleans()), max_size=3),
    st.sampled_from(("local_first", "all")),
)
def test_what_clients_get_is_what_they_accept(
    local: Catalog, others: list[tuple[Catalog, int, bool]], policy: Policy
) -> None:
    """Priorities from 0 without a gap, each locality once in its priority, no address twice."""
    members = [member(str(number), *other) for number, other in enumerate(others)]
    service = Federation(local, members, policy).service(ID)
    counting = [local, *(item.catalog for item in members if item.in_use)]
    assert (service is None) == all(item.service(ID) is None for item in counting)
    if service is None:
        return
    made = ClusterLoadAssignment.FromString(translate.build("c", groups(service.ports[0].endpoints)))
    localities = Counter(
        (endpoint.priority, endpoint.locality.region, endpoint.locality.zone) for endpoint in made.endpoints
    )
    assert set(localities.values()) <= {1}
    assert {endpoint.priority for endpoint in made.endpoints} == set(
        range(len({endpoint.priority for endpoint in made.endpoints}))
    )
    addresses = [
        lb_endpoint.endpoint.address.socket_address.address
        for group in made.endpoints
        for lb_endpoint in group.lb_endpoints
    ]
    known = {
        endpoint.address
        for first in counting
        if (result := first.service(ID))
        for endpoint in result.ports[0].endpoints
    }
    assert sorted(addresses) == sorted(known)


@pytest.mark.parametrize("policy", ["local_only", "local_first", "all"])
def test_a_peek_sees_the_same_and_keeps_nothing(policy: Policy) -> None:
    """A merge in another thread must not reach the next client."""
    east = member("east", catalog("10.1.0.1"), in_use=False)
    federation = Federation(catalog("10.0.0.1"), [east], policy)
    assert federation.peek(ID) is not None
    east.in_use = True
    assert federation.service(ID) == federation.peek(ID)
    assert len(shown(federation)) == (1 if policy == "local_only" else 2)


def test_a_policy_of_the_local_cluster_is_for_ports_of_the_others_too() -> None:
    """Which are ports of the same Service."""
    local = EvaluatedMesh(
        "kind: Service\nmetadata: {name: cart}\nspec: {ports: [{port: 80, name: '80'}]}\n---\n"
        "kind: BackendTLSPolicy\nmetadata: {name: p}\n"
        "spec: {targetRefs: [{group: '', kind: Service, name: cart}], validation: {hostname: a.b}}\n"
    )
    remote = catalog("10.1.0.1", ports=(80, 81))
    merged = Federation(local.catalog, [Member("east", remote, in_use=True)], "local_first").service(ID)
    assert merged is not None
    origins = [(port.number, port.tls and port.tls.origin) for port in merged.ports]
    assert origins == [(80, "BackendTLSPolicy shop/p"), (81, "BackendTLSPolicy shop/p")]
