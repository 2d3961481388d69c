"""EndpointSlices as a real API server takes and gives them: several of one Service, duplicates, two families."""

from collections import Counter

from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import PORT
from testbed.manifest import Endpoint, Manifest, service, slices
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Open, Steer

pytestmark = NEEDS_CLUSTER


def test_several_slices_of_a_service_are_one_set_of_endpoints(
    namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """A slice that comes or goes adds or takes its endpoints; an address that two of them have counts once."""
    first, second, third = open_backends(3)
    namespace.api.apply(
        service("backend", {"grpc": PORT}, namespace=namespace.name),
        _slice(namespace, "backend-a", first, second),
        _slice(namespace, "backend-b", second, third),
    )
    plane = steer()
    channel = connect(plane).dial(namespace.target())
    with channel.load() as load:
        load.settle(first, second, third)
        assert _addresses(plane.bodies("eds", _cluster(namespace))) == Counter([first, second, third])
        namespace.api.delete("EndpointSlice", namespace.name, "backend-a")
        load.settle(second, third)
        namespace.api.apply(_slice(namespace, "backend-c", first))
        load.settle(first, second, third)
    assert load.failures == []


def test_endpoints_that_are_not_ready_or_terminating_get_no_calls(
    namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """The conditions of the slice decide, not whether somebody would answer."""
    ready, starting, going = open_backends(3)
    not_ready = Endpoint(starting, ready=False, serving=False)
    namespace.publish([ready, not_ready, Endpoint(going, ready=False, terminating=True)])
    channel = connect(steer()).dial(namespace.target())
    with channel.load() as load:
        load.settle(ready)
        namespace.publish([ready, starting])
        load.settle(ready, starting)
    assert {answer.backend for answer in load.answers} == {ready, starting}


def test_a_dual_stack_service_is_reached_by_the_first_of_its_families(
    namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """The API server gives such a Service an address of each family; no pod is dialled by two addresses."""
    (ipv4,), (ipv6,) = open_backends(1), open_backends(1, "fd00:10::%x")
    families = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]}
    manifest = service("backend", {"grpc": PORT}, namespace=namespace.name, **families)
    namespace.api.apply(manifest, *slices("backend", [ipv4, ipv6], "grpc", namespace.name))
    assert len(namespace.api.get("Service", namespace.name, "backend")["spec"]["clusterIPs"]) == 2
    channel = connect(steer()).dial(namespace.target())
    assert {answer.backend for answer in channel.call(10)} == {ipv6}


def test_host_names_in_a_slice_name_single_pods(
    namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """`web-1.backend` is the endpoint with that `hostname`, as in the cluster's DNS."""
    addresses = open_backends(2)
    namespace.publish([Endpoint(address, hostname=f"web-{i}") for i, address in enumerate(addresses)])
    client = connect(steer())
    for index, address in enumerate(addresses):
        answers = client.dial(namespace.target(f"web-{index}.backend")).call(5)
        assert {answer.backend for answer in answers} == {address}, answers


def test_a_list_longer_than_a_page_is_read_whole(
    namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """600 Services come in two pages; the last of them is served as the first."""
    (address,) = open_backends(1)
    others = (f"other-{index:03}" for index in range(598))
    namespace.api.apply(*(service(name, {"": 1}, headless=True, namespace=namespace.name) for name in others))
    for name in ("a-first", "z-last"):
        namespace.publish([address], name)
    plane = steer("--namespace", namespace.name)
    client = connect(plane)
    for name in ("a-first", "z-last"):
        assert client.dial(namespace.target(name)).call()[0].backend == address
    assert plane.metric("steerway_informer_events_total", kind="Service", event="put") == 600


def _slice(namespace: Namespace, name: str, *addresses: str) -> Manifest:
    (manifest,) = slices("backend", addresses, "grpc", namespace.name)
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


def _cluster(namespace: Namespace) -> str:
    return f"backend.{namespace.name}.svc.cluster.local:{PORT}"


def _addresses(assignments: list[Manifest]) -> Counter[str]:
    (assignment,) = assignments
    socket_addresses = [
        endpoint["endpoint"]["address"]["socket_address"]
        for locality in assignment["endpoints"]
        for endpoint in locality["lb_endpoints"]
    ]
    return Counter(f"{socket['address']}:{socket['port_value']}" for socket in socket_addresses)
