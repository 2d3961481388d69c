"""The short mapping becomes Services and EndpointSlices."""

import pytest

from steerway.sources.files.document import Document, read_documents
from steerway.sources.files.entry import Entry, Origin
from steerway.sources.files.mapping import is_mapping, read_mapping
from steerway.sources.objects.core import ANY_PORT, SERVICE_NAME_LABEL, EndpointSlice, Service


def read(text: str) -> list[Entry]:
    (document,) = read_documents(text)
    assert isinstance(document, Document)
    return list(read_mapping(document.value, (), Origin("mapping.yaml", document, "own")))


def parts(entry: Entry) -> tuple[Service, list[EndpointSlice]]:
    assert entry.problem is None, entry.problem
    service, *slices = entry.objects
    assert isinstance(service, Service)
    return service, [endpoint_slice for endpoint_slice in slices if isinstance(endpoint_slice, EndpointSlice)]


def test_a_service_of_two_zones_is_one_slice_with_zones() -> None:
    """The endpoint's zone takes precedence over that of the key above it."""
    (entry,) = read(
        "example-server:\n  eu-a:\n  - {ip: 127.0.0.1, port: 8000, zone: eu-x}\n  - {ip: 127.0.0.2, port: 8000}\n"
        "  eu-b:\n  - {ip: 127.0.0.3, port: 8000}\n"
    )
    service, (slice_,) = parts(entry)
    assert (entry.where, entry.kind, entry.name) == ("mapping.yaml:1", "mapping", "own/example-server")
    assert service.spec.cluster_ip == "None"
    assert [(port.port, port.name) for port in service.spec.ports or []] == [(ANY_PORT, None)]
    assert slice_.metadata.labels == {SERVICE_NAME_LABEL: "example-server"}
    assert [(endpoint.addresses, endpoint.zone) for endpoint in slice_.endpoints or []] == [
        (["127.0.0.1"], "eu-x"),
        (["127.0.0.2"], "eu-a"),
        (["127.0.0.3"], "eu-b"),
    ]


def test_endpoints_of_different_ports_and_families_are_slices_of_their_own() -> None:
    """The service's port does not depend on them."""
    (entry,) = read(
        "s:\n  z:\n  - {ip: 10.0.0.1, port: 2}\n  - {ip: 10.0.0.2, port: 1}\n  - {ip: fd00::1, port: 2}\n"
    )
    service, slices = parts(entry)
    assert [port.port for port in service.spec.ports or []] == [ANY_PORT]
    assert [(endpoint_slice.metadata.name, endpoint_slice.address_type) for endpoint_slice in slices] == [
        ("s-ipv4-1", "IPv4"),
        ("s-ipv4-2", "IPv4"),
        ("s-ipv6-2", "IPv6"),
    ]


@pytest.mark.parametrize(
    ("key", "namespace", "port"),
    [
        ("backend", "own", ANY_PORT),
        ("backend:50051", "own", 50051),
        ("backend.shop", "shop", ANY_PORT),
        ("backend.shop:50051", "shop", 50051),
        ("shop/backend", "shop", ANY_PORT),
        ("shop/backend:50051", "shop", 50051),
    ],
)
def test_a_key_may_have_a_namespace_and_a_port(key: str, namespace: str, port: int) -> None:
    """The port is that of the Service, which clients dial; endpoints have their own."""
    (entry,) = read(f"{key}:\n  z:\n  - {{ip: 10.0.0.1, port: 8000}}\n")
    service, (slice_,) = parts(entry)
    assert entry.name == f"{namespace}/backend"
    assert (service.metadata.namespace, service.metadata.name) == (namespace, "backend")
    assert [named.port for named in service.spec.ports or []] == [port]
    assert slice_.metadata.namespace == namespace
    assert [endpoint_port.port for endpoint_port in slice_.ports or []] == [8000]


@pytest.mark.parametrize("empty", ["s:\n", "s: {}\n", "s: {z: }\n", "s: {z: []}\n"])
def test_a_service_without_endpoints_is_known_and_empty(empty: str) -> None:
    """An empty service is no unknown one, so it has a port."""
    (entry,) = read(empty)
    service, slices = parts(entry)
    assert slices == []
    assert [port.port for port in service.spec.ports or []] == [ANY_PORT]


def test_a_top_level_key_makes_a_mapping_of_any_file() -> None:
    """`mapping:` wraps services; in mapping.yaml itself a service may have that name."""
    assert is_mapping({"mapping": {}}, "anything")
    assert is_mapping({"a": {}, "b": {}}, "mapping")
    assert not is_mapping({"a": {}}, "anything")
    assert [entry.name for entry in read("mapping:\n  a: {}\n  b: {}\n")] == ["own/a", "own/b"]
    assert [entry.name for entry in read("mapping:\n  zone: [{ip: 10.0.0.1, port: 1}]\n")] == ["own/mapping"]
    assert read("mapping:\n") == []
    (broken,) = read("mapping: 7\n")
    assert broken.problem is not None


@pytest.mark.parametrize(
    ("text", "line", "reason", "hint"),
    [
        ("s:\n  z:\n  - ip: 10.0.0.1\n    prot: 1\n", 4, "unknown key 'prot'", "did you mean port?"),
        (
            "s:\n  z:\n  - ip: 10.0.0.1\n    weight: 1\n",
            4,
            "unknown key 'weight'",
            "known keys: ip, port, zone",
        ),
        ("s:\n  z:\n  - ip: 10.0.0.999\n    port: 1\n", 3, "'10.0.0.999' is not an IP address", "IP literal"),
        ("s:\n  z:\n  - port: 1\n", 3, "ip is missing", "write ip"),
        ("s:\n  z:\n  - ip: 10.0.0.1\n    port: 0\n", 4, "port 0 is out of range", "1 to 65535"),
        ("s:\n  z:\n  - ip: 10.0.0.1\n    port: '1'\n", 4, "'1' is not a port number", "a number"),
        ("s:\n  z:\n  - ip: 10.0.0.1\n    port: true\n", 4, "True is not a port number", "a number"),
        ("s:\n  z:\n  - ip: 10.0.0.1\n", 3, "port is missing", "write port"),
        ("s:\n  z:\n  - {ip: 10.0.0.1, port: 1, zone: [a]}\n", 3, "['a'] is not a zone", "a string"),
        ("s:\n  z:\n  - x\n", 3, "expected an endpoint", "{ip: 10.0.0.1"),
        ("s:\n  z: {ip: 10.0.0.1}\n", 2, "expected a list of endpoints", "zone: ["),
        ("s: 7\n", 1, "expected zones", "service: {zone:"),
        ("s-: {}\n", 1, "'s-' in 's-' is not a service name", "write SERVICE, SERVICE.NAMESPACE or"),
        ("a.b.c: {}\n", 1, "'b.c' in 'a.b.c' is not a namespace", "write SERVICE, SERVICE.NAMESPACE or"),
        ("a.B: {}\n", 1, "'B' in 'a.B' is not a namespace", "NAMESPACE/SERVICE"),
        ("a.: {}\n", 1, "'' in 'a.' is not a namespace", "NAMESPACE/SERVICE"),
        ("/a: {}\n", 1, "'' in '/a' is not a namespace", "NAMESPACE/SERVICE"),
        ("a/b/c: {}\n", 1, "'b/c' in 'a/b/c' is not a service name", "NAMESPACE/SERVICE"),
        ("a/b.c: {}\n", 1, "'b.c' in 'a/b.c' is not a service name", "NAMESPACE/SERVICE"),
        (f"{'x' * 64}: {{}}\n", 1, "is not a service name", "SERVICE.NAMESPACE"),
        (f"a.{'x' * 64}: {{}}\n", 1, "is not a namespace", "SERVICE.NAMESPACE"),
        ("a:grpc: {}\n", 1, "'grpc' in 'a:grpc' is not a port number", "optional :PORT"),
        ("'a:': {}\n", 1, "'' in 'a:' is not a port number", "optional :PORT"),
        ("a:-1: {}\n", 1, "'-1' in 'a:-1' is not a port number", "optional :PORT"),
        ("a:0: {}\n", 1, "port 0 is out of range", "use a number from 1 to 65535"),
        ("a:65536: {}\n", 1, "port 65536 is out of range", "use a number from 1 to 65535"),
    ],
)
def test_an_error_in_a_mapping_has_its_line(text: str, line: int, reason: str, hint: str) -> None:
    """The format is the product's own, so unknown keys are errors, too."""
    entry, good = read(text + "good: {}\n")
    assert entry.problem is not None
    assert entry.problem.where == f"mapping.yaml:{line}"
    assert reason in entry.problem.reason
    assert hint in entry.problem.hint
    assert good.ok
