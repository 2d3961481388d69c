"""Strategies for legal Services and EndpointSlices, and for targets: few names, so that they meet."""

from hypothesis import strategies as st
from tests.support.mesh import endpoint, endpoint_slice, service

from steerway.sources.objects import EndpointPort, EndpointSlice, Service, ServicePort
from steerway.sources.validation import first_fault
from steerway.translate import type_url

NAMES = ("a", "b", "svc")
NAMESPACES = ("shop", "svc")
PORT_NAMES = ("grpc", "grpc-x", "http")
NUMBERS = (80, 50051, 65535)
DOMAIN = "cluster.local"
V4 = tuple(f"10.0.0.{number}" for number in range(1, 7))
V6 = ("fd00::1", "FD00:0::1", "fd00::2", "::ffff:10.0.0.1", "2001:db8::1")

_protocols = st.sampled_from([None, "TCP", "TCP", "UDP", "SCTP"])
_conditions = st.sampled_from([None, True, True, False])


@st.composite
def services(draw: st.DrawFn) -> Service:
    """One Service: one port that may be unnamed, or several that are named; any type and families."""
    names: list[str | None] = list(draw(st.lists(st.sampled_from(PORT_NAMES), unique=True, max_size=3)))
    if len(names) < 2:
        names = draw(st.sampled_from([[], [None], [""], names]))
    numbers = draw(st.permutations(NUMBERS))
    ports = [
        ServicePort(number, name, draw(_protocols), draw(st.sampled_from([None, "grpc", "http"])))
        for name, number in zip(names, numbers, strict=False)
    ]
    families = st.sampled_from([None, ["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"]])
    found = service(
        *ports,
        name=draw(st.sampled_from(NAMES)),
        namespace=draw(st.sampled_from(NAMESPACES)),
        type=draw(st.sampled_from([None, None, None, "ClusterIP", "ExternalName"])),
        ip_families=draw(families),
        publish_not_ready_addresses=draw(st.sampled_from([False, False, True])),
    )
    assert first_fault(found) is None
    return found


@st.composite
def endpoint_slices(draw: st.DrawFn) -> EndpointSlice:
    """One slice of a service that may not exist: endpoints in every state, ports of every kind, any family."""
    family = draw(st.sampled_from(["IPv4", "IPv4", "IPv6", "FQDN"]))
    pool = {"IPv4": V4, "IPv6": V6, "FQDN": ("db.example.org",)}[family]
    pods = st.builds(
        endpoint,
        st.sampled_from(pool),
        zone=st.sampled_from([None, "", "z1", "z2"]),
        hostname=st.sampled_from([None, "web-0", "web-1"]),
        ready=_conditions,
        serving=_conditions,
        terminating=_conditions,
    )
    ports = st.builds(
        EndpointPort,
        st.sampled_from([None, "", *PORT_NAMES]),
        st.sampled_from([None, *NUMBERS]),
        _protocols,
    )
    found = endpoint_slice(
        *draw(st.lists(pods, max_size=5)),
        ports=draw(st.lists(ports, max_size=3)),
        name=draw(st.sampled_from(["s1", "s2", "s3", "s4"])),
        service=draw(st.sampled_from([*NAMES, "nobody"])),
        namespace=draw(st.sampled_from(NAMESPACES)),
        address_type=family,
    )
    assert first_fault(found) is None
    return found


AUDIENCES = st.builds(
    "{}/{}".format, st.sampled_from(["grpc/plain", "grpc/core", "envoy/all"]), st.sampled_from(NAMESPACES)
)


@st.composite
def targets(draw: st.DrawFn) -> str:
    """Any spelling of a service, a pod or something that is neither, with any port."""
    labels = draw(st.lists(st.sampled_from([*NAMES, *NAMESPACES, "web-0"]), min_size=1, max_size=3))
    suffix = draw(st.sampled_from(["", "", ".svc", f".svc.{DOMAIN}"]))
    port = draw(st.sampled_from(["", "", *(f":{number}" for number in NUMBERS), ":grpc", ":1"]))
    return f"{'.'.join(labels)}{suffix}{port}"


@st.composite
def demands(draw: st.DrawFn) -> tuple[str, str, str]:
    """A name of a type that services give, from any audience."""
    served = draw(st.sampled_from([type_url.LISTENER, type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT]))
    name = draw(targets())
    if served != type_url.LISTENER and draw(st.booleans()):
        where = f"{draw(st.sampled_from(NAMES))}.{draw(st.sampled_from(NAMESPACES))}.svc.{DOMAIN}"
        name = f"{draw(st.sampled_from(['', 'web-0.']))}{where}:{draw(st.sampled_from(NUMBERS))}"
    return served, name, draw(AUDIENCES)
