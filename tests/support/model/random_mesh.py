"""Strategies for legal Services and EndpointSlices, and for targets: few names, so that they meet."""

from hypothesis import strategies as st

from steerway.sources.objects.core import Endpoint, EndpointPort, EndpointSlice, Object, Service, ServicePort
from steerway.sources.policy.validation import validation_errors
from steerway.translate.xds import type_url
from testbed.mesh import endpoint, endpoint_slice, service

NAMES = ("a", "svc")
NAMESPACES = ("shop", "svc")
PORT_NAMES = ("grpc", "grpc-x", "http")
NUMBERS = (80, 50051)
DOMAIN = "cluster.local"
V4 = tuple(f"10.0.0.{number}" for number in range(1, 5))
V6 = ("fd00::1", "FD00:0::1", "fd00::2", "::ffff:10.0.0.1", "2001:db8::1")

# Hypothesis draws each element of a list equally often: what is there more than once is what makes things meet.
_names = st.sampled_from(["a", "a", "a", "svc"])
_namespaces = st.sampled_from(["shop", "shop", "shop", "svc"])
_protocols = st.sampled_from([None, "TCP", "TCP", "UDP"])
_conditions = st.sampled_from([None, True, False])
_states = st.one_of(
    st.just((None, None, None)),
    st.just((False, True, True)),
    st.tuples(st.just(False), _conditions, st.just(True)),
    st.tuples(_conditions, _conditions, _conditions),
)
"""(ready, serving, terminating): the combinations that decide are few, and half of what is drawn."""


_distributions = st.sampled_from(
    [
        {},
        {},
        {"traffic_distribution": "PreferSameZone"},
        {"traffic_distribution": "PreferSameNode", "session_affinity": "ClientIP"},
        {"internal_traffic_policy": "Local"},
    ]
)


@st.composite
def services(draw: st.DrawFn, placed: bool = True) -> Service:
    """One Service: one port that may be unnamed, or several that are named; any type and families. Unless `placed` is
    false it may be another one for clients at other places."""
    shapes: list[list[str | None]] = [["grpc"], ["grpc", "http"], ["http", "grpc-x"], [None], [""], []]
    names = draw(st.sampled_from(shapes))
    numbers = draw(st.permutations(NUMBERS))
    ports = [
        ServicePort(number, name, draw(_protocols), draw(st.sampled_from([None, "grpc", "http"])))
        for name, number in zip(names, numbers, strict=False)
    ]
    families = st.sampled_from([None, ["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"]])
    result = service(
        *ports,
        name=draw(_names),
        namespace=draw(_namespaces),
        type=draw(st.sampled_from([None, "ClusterIP"])),
        external_name=draw(st.sampled_from([None, None, None, None, "db.example.org", "10.0.0.1"])),
        ip_families=draw(families),
        publish_not_ready_addresses=draw(st.sampled_from([False, False, True])),
        uid=draw(st.sampled_from([None, "1", "2"])),
        **(draw(_distributions) if placed else {}),
    )
    assert list(validation_errors(result)) == []
    return result


@st.composite
def endpoint_slices(draw: st.DrawFn, of: Service | None = None) -> EndpointSlice:
    """One slice of a Service that may not exist: endpoints in every state, ports of every kind, any family."""
    port_names: list[str | None] = ["", "grpc", "http"]
    if of is not None:
        port_names = [port.name for port in of.spec.ports or ()] or port_names
    family = draw(st.sampled_from(["IPv4", "IPv4", "IPv4", "IPv6", "IPv6", "FQDN"]))
    pool = {"IPv4": V4, "IPv6": V6, "FQDN": ("db.example.org",)}[family]
    pods = st.builds(
        _endpoint,
        st.sampled_from(pool),
        _states,
        zone=st.sampled_from([None, "", "z1", "z2"]),
        hostname=st.sampled_from([None, "web-0", "web-1"]),
        node=st.sampled_from([None, "n1", "n2"]),
    )
    ports = st.builds(
        EndpointPort,
        st.sampled_from(port_names),
        st.sampled_from([*NUMBERS, *NUMBERS, None]),
        _protocols,
    )
    result = endpoint_slice(
        *draw(st.lists(pods, max_size=5)),
        ports=draw(st.lists(ports, min_size=1, max_size=3)),
        name=draw(st.sampled_from(["s1", "s2", "s3"])),
        service=draw(_names | st.just("absent")) if of is None else of.metadata.name,
        namespace=draw(_namespaces) if of is None else of.metadata.namespace,
        address_type=family,
    )
    assert list(validation_errors(result)) == []
    return result


def _endpoint(
    address: str, state: tuple[bool | None, bool | None, bool | None], **rest: str | None
) -> Endpoint:
    ready, serving, terminating = state
    return endpoint(address, ready=ready, serving=serving, terminating=terminating, **rest)


@st.composite
def objects(draw: st.DrawFn) -> list[Object]:
    """Some Services, each with some slices of its own, and slices of anything; in any order."""
    manifests: list[Object] = list(draw(st.lists(services(), min_size=1, max_size=3)))
    for obj in [obj for obj in manifests if isinstance(obj, Service)]:
        manifests += draw(st.lists(endpoint_slices(obj), max_size=3))
    manifests += draw(st.lists(endpoint_slices(), max_size=2))
    return draw(st.permutations(manifests))


def _audiences(*kinds: str) -> st.SearchStrategy[str]:
    """As one control plane gives them: all have buckets, or none has."""
    return st.builds(
        "{}/{}/{}".format,
        st.sampled_from(kinds),
        st.sampled_from(NAMESPACES),
        st.sampled_from(["-/-/0", "-/-/1", "z1/-/0", "z1/-/3", "z2/-/3", "z1/n1/2", "-/n2/1"]),
    )


_GRPC = ("grpc/unknown", "grpc/core", "grpc/go", "grpc/java", "grpc/no-lrs", "grpc/go-a42", "grpc/core-a27")
GRPC_AUDIENCES = _audiences(*_GRPC)
AUDIENCES = _audiences(*_GRPC, "envoy/sidecar", "envoy/gateway")


@st.composite
def targets(draw: st.DrawFn) -> str:
    """Any spelling of a service, a pod or something that is neither, with any port."""
    service_of_namespace = f"{draw(_names)}.{draw(_namespaces)}"
    any_labels = draw(st.lists(st.sampled_from([*NAMES, *NAMESPACES, "web-0"]), min_size=1, max_size=4))
    host = draw(
        st.sampled_from(
            [service_of_namespace, f"web-0.{service_of_namespace}", draw(_names), ".".join(any_labels)]
        )
    )
    suffix = draw(st.sampled_from(["", "", ".svc", f".svc.{DOMAIN}"]))
    port = draw(st.sampled_from(["", "", *(f":{number}" for number in NUMBERS), ":grpc", ":1"]))
    return f"{host}{suffix}{port}"


@st.composite
def demands(draw: st.DrawFn, audiences: st.SearchStrategy[str] = AUDIENCES) -> tuple[str, str, str]:
    """A name of a type that services give, from any audience; a third of them by names that the type does not have."""
    derived = (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT, type_url.ENDPOINT)
    served = draw(st.sampled_from([type_url.LISTENER, *derived]))
    name = draw(targets())
    if served != type_url.LISTENER and draw(st.sampled_from([True, True, False])):
        pod = draw(st.sampled_from(["", "", "web-0."]))
        name = f"{pod}{draw(_names)}.{draw(_namespaces)}.svc.{DOMAIN}:{draw(st.sampled_from(NUMBERS))}"
    return served, name, draw(audiences)
