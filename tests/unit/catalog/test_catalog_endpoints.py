"""From EndpointSlices to the endpoints of a port: merging, states, families, duplicates."""

import itertools

import pytest

from steerway.catalog.model.mesh import Endpoint, EndpointState, Locality, Service, ServiceId
from steerway.sources.objects.core import Endpoint as EndpointFact
from steerway.sources.objects.core import EndpointHints, EndpointPort, EndpointSlice, Hint, ServicePort
from steerway.sources.objects.core import Service as ServiceFact
from testbed.mesh import Mesh, endpoint, endpoint_slice, service


def served(*objects: ServiceFact | EndpointSlice) -> Service:
    """The service `backend` that the catalog makes of these objects."""
    built = Mesh(*objects).catalog.service(ServiceId("shop", "backend"))
    assert built is not None
    return built


def shown(*slices: EndpointSlice, fact: ServiceFact | None = None) -> list[str]:
    """`ADDRESS:PORT` of the endpoints of the only port, in order; those that drain have a `-` in front."""
    (port,) = served(service(50051) if fact is None else fact, *slices).ports
    return [
        f"{'-' if item.state is EndpointState.DRAINING else ''}{item.address}:{item.port}"
        for item in port.endpoints
    ]


YES, NO, NIL = True, False, None
ANY = (YES, NO, NIL)


@pytest.mark.parametrize(
    ("ready", "serving", "terminating", "state"),
    [
        # A nil `ready` means true, and `ready` alone decides (API reference): publishNotReadyAddresses
        # makes the API server set it for a pod that terminates.
        *(
            (ready, *rest, EndpointState.HEALTHY)
            for ready in (YES, NIL)
            for rest in itertools.product(ANY, ANY)
        ),
        (NO, YES, YES, EndpointState.DRAINING),
        # A nil `serving` means the same as `ready`, a nil `terminating` means false.
        (NO, NIL, YES, None),
        (NO, NO, YES, None),
        *((NO, serving, terminating, None) for serving in ANY for terminating in (NO, NIL)),
    ],
)
def test_conditions_decide_what_traffic_an_endpoint_gets(
    ready: bool | None, serving: bool | None, terminating: bool | None, state: EndpointState | None
) -> None:
    """Healthy, draining, or none at all; with publishNotReadyAddresses always healthy."""
    pods = endpoint_slice(endpoint("10.0.0.1", ready=ready, serving=serving, terminating=terminating))
    expected = {
        EndpointState.HEALTHY: ["10.0.0.1:50051"],
        EndpointState.DRAINING: ["-10.0.0.1:50051"],
        None: [],
    }
    assert shown(pods) == expected[state]
    assert shown(pods, fact=service(50051, publish_not_ready_addresses=True)) == ["10.0.0.1:50051"]


def test_an_endpoint_without_conditions_is_ready() -> None:
    """As hand-written manifests have it."""
    assert shown(endpoint_slice(EndpointFact(["10.0.0.1"]))) == ["10.0.0.1:50051"]


def test_several_slices_of_a_service_merge() -> None:
    """In a stable order, whatever the slices are called."""
    first = endpoint_slice("10.0.0.3", "10.0.0.1", name="z")
    second = endpoint_slice("10.0.0.2", name="a")
    assert shown(first, second) == shown(second, first) == [f"10.0.0.{i}:50051" for i in (1, 2, 3)]


def test_a_named_target_port_may_differ_between_pods() -> None:
    """In a rollout that changes the container's port each slice has the numbers of its own pods, and all are right."""
    old = endpoint_slice("10.0.0.1", port=50051, port_name="grpc", name="old")
    new = endpoint_slice("10.0.0.2", port=60061, port_name="grpc", name="new")
    assert shown(old, new, fact=service(ServicePort(80, "grpc"))) == ["10.0.0.1:50051", "10.0.0.2:60061"]


def test_ports_match_by_name_and_not_by_number() -> None:
    """A slice gives all ports of its pods."""
    ports = [EndpointPort("http", 8080), EndpointPort("grpc", 50051), EndpointPort("other", 1)]
    built = served(
        service(ServicePort(80, "http"), ServicePort(8080, "grpc")), endpoint_slice("10.0.0.1", ports=ports)
    )
    assert [(port.name, [item.port for item in port.endpoints]) for port in built.ports] == [
        ("http", [8080]),
        ("grpc", [50051]),
    ]


@pytest.mark.parametrize("name", [None, ""])
def test_an_unnamed_port_matches_an_unnamed_port(name: str | None) -> None:
    """The API server writes "", manifests leave it out."""
    fact = service(ServicePort(50051, name))
    for other in (None, ""):
        assert shown(endpoint_slice("10.0.0.1", port_name=other), fact=fact) == ["10.0.0.1:50051"]


@pytest.mark.parametrize("ours", [None, "", "TCP"])
@pytest.mark.parametrize("theirs", [None, "", "TCP"])
def test_an_empty_protocol_is_tcp(ours: str | None, theirs: str | None) -> None:
    """An empty string is an absent field."""
    fact = service(ServicePort(50051, protocol=ours))
    assert shown(endpoint_slice("10.0.0.1", protocol=theirs), fact=fact) == ["10.0.0.1:50051"]


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_other_protocols_are_not_served(protocol: str) -> None:
    """Also when a port of the same name is TCP elsewhere."""
    other = endpoint_slice("10.0.0.1", protocol=protocol, name="a")
    assert shown(other, endpoint_slice("10.0.0.2", protocol="TCP", name="b")) == ["10.0.0.2:50051"]


def test_a_port_without_number_has_no_endpoints() -> None:
    """ "All ports" (EndpointPort, API reference) is nothing that a client could dial."""
    assert shown(endpoint_slice("10.0.0.1", port=None)) == []


@pytest.mark.parametrize(
    "slice_",
    [
        EndpointSlice(endpoint_slice().metadata, "IPv4"),
        endpoint_slice(),
        endpoint_slice("10.0.0.1", ports=[]),
    ],
    ids=["nothing at all", "no endpoints", "no ports"],
)
def test_an_empty_slice_gives_an_empty_port(slice_: EndpointSlice) -> None:
    """The service is known, and has no endpoints."""
    assert shown(slice_) == []


class TestDuplicates:
    """The same address from several slices, as in the moment in which the controller moves a pod to another slice."""

    def test_an_address_comes_once(self) -> None:
        """Clients refuse an assignment that has it twice."""
        slices = [endpoint_slice("10.0.0.1", "10.0.0.1", name=name) for name in "ab"]
        assert shown(*slices) == ["10.0.0.1:50051"]

    def test_an_address_with_two_ports_is_two_endpoints(self) -> None:
        """Such as two pods on the host network."""
        slices = [endpoint_slice("10.0.0.1", port=port, name=f"p{port}") for port in (2, 1)]
        assert shown(*slices) == ["10.0.0.1:1", "10.0.0.1:2"]

    @pytest.mark.parametrize("order", [1, -1])
    def test_the_healthy_fact_is_kept(self, order: int) -> None:
        """A stale slice that calls the pod draining does not take traffic from it."""
        draining = endpoint("10.0.0.1", "a", ready=False, serving=True, terminating=True)
        slices = [endpoint_slice(draining, name="x"), endpoint_slice(endpoint("10.0.0.1", "b"), name="y")]
        (port,) = served(service(50051), *slices[::order]).ports
        assert port.endpoints == (Endpoint("10.0.0.1", 50051, EndpointState.HEALTHY, Locality(zone="b")),)

    @pytest.mark.parametrize("order", [1, -1])
    def test_of_equal_facts_the_choice_does_not_depend_on_the_order(self, order: int) -> None:
        """Two zones for one address: the first by name."""
        slices = [endpoint_slice(endpoint("10.0.0.1", zone), name=zone) for zone in "ba"]
        (port,) = served(service(50051), *slices[::order]).ports
        assert [item.locality.zone for item in port.endpoints] == ["a"]

    def test_spellings_of_one_ipv6_address_are_one(self) -> None:
        """Clients compare addresses and not texts."""
        spellings = ("2001:DB8::1", "2001:db8:0:0:0:0:0:1", "2001:0db8::0001")
        assert shown(endpoint_slice(*spellings, address_type="IPv6")) == ["2001:db8::1:50051"]


def test_the_first_address_of_an_endpoint_is_used() -> None:
    """All addresses of an endpoint are the same pod; consumers take the first (API reference)."""
    assert shown(endpoint_slice(EndpointFact(["10.0.0.2", "10.0.0.1"]))) == ["10.0.0.2:50051"]


V4 = endpoint_slice("10.0.0.1", name="v4")
V6 = endpoint_slice("fd00::1", name="v6", address_type="IPv6")
V4_EMPTY = endpoint_slice(name="v4")
V4_UNREADY = endpoint_slice(endpoint("10.0.0.1", ready=False), name="v4")
V4_DRAINING = endpoint_slice(endpoint("10.0.0.1", ready=False, serving=True, terminating=True), name="v4")
V6_DRAINING = endpoint_slice(
    endpoint("fd00::1", ready=False, serving=True, terminating=True), name="v6", address_type="IPv6"
)


@pytest.mark.parametrize(
    ("families", "slices", "expected"),
    [
        (["IPv4"], [V4], ["10.0.0.1:50051"]),
        (["IPv6"], [V6], ["fd00::1:50051"]),
        (["IPv4", "IPv6"], [V4, V6], ["10.0.0.1:50051"]),
        (["IPv6", "IPv4"], [V4, V6], ["fd00::1:50051"]),
        (["IPv4", "IPv6"], [V6], ["fd00::1:50051"]),
        (["IPv4", "IPv6"], [V4_EMPTY, V6], ["fd00::1:50051"]),
        (["IPv4", "IPv6"], [V4_UNREADY, V6], ["fd00::1:50051"]),
        (["IPv4", "IPv6"], [V4_DRAINING, V6], ["fd00::1:50051"]),
        (["IPv4", "IPv6"], [V4_DRAINING, V6_DRAINING], ["-10.0.0.1:50051"]),
        (["IPv4"], [V6], []),
        (["IPv4", "IPv6"], [], []),
        (None, [V4], ["10.0.0.1:50051"]),
        (None, [V6], ["fd00::1:50051"]),
        (None, [V4, V6], ["10.0.0.1:50051", "fd00::1:50051"]),
        ([], [V4, V6], ["10.0.0.1:50051", "fd00::1:50051"]),
    ],
)
def test_a_dual_stack_service_shows_its_pods_once(
    families: list[str] | None, slices: list[EndpointSlice], expected: list[str]
) -> None:
    """By the first of its families that can take traffic; without `ipFamilies` none is known to be twice."""
    assert shown(*slices, fact=service(50051, ip_families=families)) == expected


def test_node_and_hints_of_an_endpoint_are_known() -> None:
    """The same whatever order the hints are in; an endpoint without hints is for clients of all zones and nodes."""
    hints = EndpointHints([Hint("b"), Hint("a"), Hint("b")], [Hint("n1")])
    hinted = EndpointFact(["10.0.0.1"], node_name="n1", hints=hints)
    plain = EndpointFact(["10.0.0.2"], hints=EndpointHints())
    (port,) = served(service(50051), endpoint_slice(hinted, plain)).ports
    assert [(item.node, item.for_zones, item.for_nodes) for item in port.endpoints] == [
        ("n1", ("a", "b"), ("n1",)),
        ("", (), ()),
    ]


def test_an_fqdn_slice_is_ignored_with_a_reason() -> None:
    """gRPC refuses host names in endpoints; the other slices of the service are served."""
    fqdn = endpoint_slice("db.example.org", name="fqdn", address_type="FQDN")
    mesh = Mesh(service(50051), fqdn, endpoint_slice("10.0.0.1"))
    assert mesh.dial("backend") == ["10.0.0.1:50051"]
    (problem,) = mesh.catalog.problems()
    assert problem.where == "EndpointSlice shop/fqdn"
    assert problem.reason == "addressType FQDN is ignored: clients need IP addresses"


def test_the_zone_of_an_endpoint_is_its_locality() -> None:
    """And endpoints are sorted by it first."""
    pods = [endpoint("10.0.0.1", "b"), endpoint("10.0.0.3", "a"), endpoint("10.0.0.2")]
    (port,) = served(service(50051), endpoint_slice(*pods)).ports
    assert [(item.locality, item.address) for item in port.endpoints] == [
        (Locality(), "10.0.0.2"),
        (Locality(zone="a"), "10.0.0.3"),
        (Locality(zone="b"), "10.0.0.1"),
    ]
