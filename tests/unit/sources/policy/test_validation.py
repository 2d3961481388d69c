"""Errors that make a Service, EndpointSlice or route invalid as a whole."""

from typing import Any

import msgspec
import pytest

from steerway.sources.objects.core import EndpointSlice, ObjectMeta, Service
from steerway.sources.objects.slim import NOISY_ANNOTATIONS
from steerway.sources.policy.gateway import GRPCRoute, HTTPRoute
from steerway.sources.policy.validation import validation_errors
from steerway.sources.policy.validation_error import conversion_error, json_path

GOOD_SERVICE: dict[str, Any] = {
    "metadata": {"name": "backend", "namespace": "shop"},
    "spec": {"ports": [{"name": "grpc", "port": 50051}, {"name": "dns", "port": 53, "protocol": "UDP"}]},
}
GOOD_SLICE: dict[str, Any] = {
    "metadata": {"name": "backend-1.x", "namespace": "shop"},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}],
    "ports": [{"port": 50051}, {"port": None}],
}


def changed(good: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with the value at `path` replaced."""
    copy = msgspec.json.decode(msgspec.json.encode(good))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return dict(copy)


def test_valid_objects_have_no_error() -> None:
    """What an API server accepts is accepted; an empty string is an absent field."""
    assert list(validation_errors(msgspec.convert(GOOD_SERVICE, Service))) == []
    empty = changed(GOOD_SERVICE, ("spec", "ports", 0, "protocol"), "")
    assert list(validation_errors(msgspec.convert(empty, Service))) == []
    assert list(validation_errors(msgspec.convert(GOOD_SLICE, EndpointSlice))) == []
    fqdn = changed(
        changed(GOOD_SLICE, ("addressType",), "FQDN"), ("endpoints", 0, "addresses", 0), "a.example"
    )
    assert list(validation_errors(msgspec.convert(fqdn, EndpointSlice))) == []


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("metadata", "name"), "", "the name is empty"),
        (("metadata", "name"), "Backend", "'Backend' is not a valid name"),
        (("metadata", "name"), "a.b", "'a.b' is not a valid name"),
        (("metadata", "name"), "a" * 64, "is not a valid name"),
        (("metadata", "namespace"), "", "'' is not a valid namespace"),
        (("spec", "ports", 0, "port"), 0, "port 0 is out of range"),
        (("spec", "ports", 0, "port"), 65536, "port 65536 is out of range"),
        (("spec", "ports", 0, "port"), -1, "port -1 is out of range"),
        (("spec", "ports", 0, "protocol"), "tcp", "unknown protocol 'tcp'"),
        (("spec", "ports", 0, "name"), None, "a port of several has no name"),
        (("spec", "type"), "ExternalName", "an ExternalName has no externalName"),
        (("spec", "ports", 0, "name"), "dns", "two ports are named 'dns'"),
    ],
)
def test_an_invalid_service_has_path_reason_and_hint(path: tuple[Any, ...], value: Any, reason: str) -> None:
    invalid = next(validation_errors(msgspec.convert(changed(GOOD_SERVICE, path, value), Service)), None)
    assert invalid is not None
    assert reason in invalid.reason
    assert invalid.hint
    if "two ports" not in reason and "externalName" not in reason:
        assert invalid.path == path


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("db.example.org", True),
        ("db.example.org.", True),
        ("10.0.0.1", True),
        ("DB.example.org", False),
        ("", False),
    ],
)
def test_an_external_name_is_a_host_name(name: str, good: bool) -> None:
    """A name in the form of an address is valid for the API server."""
    external = changed(GOOD_SERVICE, ("spec", "type"), "ExternalName")
    invalid = next(
        validation_errors(msgspec.convert(changed(external, ("spec", "externalName"), name), Service)), None
    )
    assert (invalid is None) is good
    if invalid is not None:
        assert invalid.path == ("spec", "externalName")


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("addressType",), "IPv5", "unknown addressType 'IPv5'"),
        (("endpoints", 1, "addresses", 0), "10.0.0.999", "'10.0.0.999' is not an IP address"),
        (("endpoints", 1, "addresses", 0), "010.0.0.1", "'010.0.0.1' is not an IP address"),
        (("endpoints", 1, "addresses", 0), "fe80::1%eth0", "is not an IP address"),
        (
            ("endpoints", 1, "addresses", 0),
            "fd00::1",
            "fd00::1 is IPv6, the addressType of the slice is IPv4",
        ),
        (("endpoints", 1, "addresses"), [], "an endpoint has 0 addresses"),
        (("endpoints", 1, "addresses"), ["10.0.0.1"] * 101, "an endpoint has 101 addresses"),
        (("ports", 0, "port"), 0, "port 0 is out of range"),
        (("ports", 0, "protocol"), "HTTP", "unknown protocol 'HTTP'"),
    ],
)
def test_an_invalid_slice_has_path_reason_and_hint(path: tuple[Any, ...], value: Any, reason: str) -> None:
    invalid = next(validation_errors(msgspec.convert(changed(GOOD_SLICE, path, value), EndpointSlice)), None)
    assert invalid is not None
    assert reason in invalid.reason
    assert invalid.hint
    assert invalid.path == path


def test_a_duplicate_port_is_an_error_but_one_per_protocol_is_not() -> None:
    """TCP and UDP may share a number (Service v1, ports: unique by port and protocol)."""
    twice = changed(GOOD_SERVICE, ("spec", "ports"), [{"name": "a", "port": 53}, {"name": "b", "port": 53}])
    assert "listed twice" in str(next(validation_errors(msgspec.convert(twice, Service)), None))
    both = changed(
        GOOD_SERVICE,
        ("spec", "ports"),
        [{"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP"}],
    )
    assert next(validation_errors(msgspec.convert(both, Service)), None) is None


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({}, (), "field metadata is missing"),
        ({"metadata": {}}, ("metadata",), "field name is missing"),
        ({"metadata": []}, ("metadata",), "expected a mapping, got a list"),
        (
            {"metadata": {"name": "a"}, "spec": {"ports": [{"port": "80"}]}},
            ("spec", "ports", 0, "port"),
            "expected a number, got a string",
        ),
        (
            {"metadata": {"name": "a"}, "spec": {"publishNotReadyAddresses": "yes"}},
            ("spec", "publishNotReadyAddresses"),
            "expected true or false, got a string",
        ),
        ({"metadata": {"name": 1}}, ("metadata", "name"), "expected a string, got a number"),
    ],
)
def test_wrong_types_are_reported_with_their_path(value: Any, path: tuple[Any, ...], reason: str) -> None:
    """msgspec's message is split into path and text, and gets a hint."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, Service)
    invalid = conversion_error(caught.value)
    assert (invalid.path, invalid.reason) == (path, reason)
    assert invalid.hint


def test_paths_are_written_as_kubectl_does() -> None:
    """Names with dots, indexes in brackets."""
    assert json_path(("spec", "ports", 0, "port")) == "$.spec.ports[0].port"


def test_irrelevant_metadata_does_not_make_objects_differ() -> None:
    """Bookkeeping annotations and empty labels are dropped, so that equal manifests are equal objects."""
    noisy = dict.fromkeys(NOISY_ANNOTATIONS, "x")
    assert ObjectMeta("a", "b", labels={}, annotations=noisy) == ObjectMeta("a", "b")
    object_meta = ObjectMeta("a", "b", annotations={**noisy, "mine": "y"})
    assert object_meta.annotations == {"mine": "y"}


def test_the_uid_is_kept_for_services_only() -> None:
    """It distinguishes a recreated Service. Slices are many, and theirs has no use."""
    metadata = {"name": "a", "namespace": "b"}
    first, second = (msgspec.convert({"metadata": {**metadata, "uid": uid}}, Service) for uid in "12")
    assert (first.metadata.uid, second.metadata.uid) == ("1", "2")
    assert first != second
    assert first == msgspec.convert({"metadata": {**metadata, "uid": "1"}}, Service)
    assert msgspec.convert({"metadata": {**metadata, "uid": None}}, Service).metadata.uid is None
    slices = [
        msgspec.convert({"metadata": {**metadata, "uid": uid}, "addressType": "IPv4"}, EndpointSlice)
        for uid in "12"
    ]
    assert slices[0] == slices[1]


def route(kind: str, *matches: dict[str, Any], name: str = "r") -> GRPCRoute | HTTPRoute:
    value = {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"rules": [{}, {"matches": [{}, *matches]}]},
    }
    return msgspec.convert(value, GRPCRoute if kind == "GRPCRoute" else HTTPRoute)


BAD = {"type": "RegularExpression", "name": "x-user", "value": "(?=a)"}
FIRST = ("spec", "rules", 1, "matches", 1)


@pytest.mark.parametrize(
    ("kind", "match", "path"),
    [
        ("GRPCRoute", {"method": {"type": "RegularExpression", "service": "("}}, ("method", "service")),
        ("GRPCRoute", {"method": {"type": "RegularExpression", "method": "("}}, ("method", "method")),
        ("GRPCRoute", {"headers": [{"name": "a", "value": "("}, BAD]}, ("headers", 1, "value")),
        ("HTTPRoute", {"path": {"type": "RegularExpression", "value": ""}}, ("path", "value")),
        ("HTTPRoute", {"headers": [BAD]}, ("headers", 0, "value")),
        ("HTTPRoute", {"queryParams": [BAD]}, ("queryParams", 0, "value")),
        ("HTTPRoute", {"headers": [BAD | {"value": "a" * 1025}]}, ("headers", 0, "value")),
        ("HTTPRoute", {"headers": [{"name": "x user", "value": "a"}]}, ("headers", 0, "name")),
        ("GRPCRoute", {"headers": [{"name": "x-user\n", "value": "a"}]}, ("headers", 0, "name")),
        ("GRPCRoute", {"headers": [{"name": "", "value": "a"}]}, ("headers", 0, "name")),
        ("GRPCRoute", {"headers": [{"name": "x-user", "value": ""}]}, ("headers", 0, "value")),
        ("HTTPRoute", {"headers": [{"name": "x-user", "value": ""}]}, ("headers", 0, "value")),
        ("HTTPRoute", {"headers": [{"name": "x-user", "value": "a" * 4097}]}, ("headers", 0, "value")),
        ("HTTPRoute", {"queryParams": [{"name": "q", "value": ""}]}, ("queryParams", 0, "value")),
    ],
)
def test_a_route_that_would_crash_a_client_is_invalid(
    kind: str, match: dict[str, Any], path: tuple[Any, ...]
) -> None:
    """Regular expressions in every field that may have one, and names of headers."""
    invalid = next(validation_errors(route(kind, match)), None)
    assert invalid is not None
    assert invalid.path == (*FIRST, *path)
    assert invalid.hint


def test_a_route_that_clients_can_use_is_valid() -> None:
    """Values of other types than RegularExpression are no expressions; lengths are those of the Gateway API."""
    header = {"name": "x-`user`", "value": "(" * 4096}
    match = {"method": {"service": "("}, "headers": [header]}
    assert next(validation_errors(route("GRPCRoute", match, name="a.b")), None) is None
    path = {"path": {"value": "/("}, "queryParams": [{"name": "a b", "value": "("}]}
    assert next(validation_errors(route("HTTPRoute", path)), None) is None


def test_a_route_name_may_be_a_dns_subdomain() -> None:
    """With dots, of up to 253 characters; a label has at most 63."""
    invalid = next(validation_errors(route("GRPCRoute", name="a" * 64)), None)
    assert invalid is not None
    assert invalid.path == ("metadata", "name")
    assert "at most 253" in invalid.hint


def _rule_of_http(**rule: Any) -> HTTPRoute:
    value = {"metadata": {"name": "r", "namespace": "shop"}, "spec": {"rules": [rule]}}
    return msgspec.convert(value, HTTPRoute)


def _header(**change: Any) -> dict[str, Any]:
    return {"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": change}]}


def _path(kind: str, filter: str, **change: Any) -> dict[str, Any]:
    return {"filters": [{"type": kind, filter: change}]}


MANY = [{"name": f"x-{number}", "value": "a"} for number in range(17)]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        (_header(set=[{"name": "Host", "value": "a"}]), ("set", 0, "name")),
        (_header(add=[{"name": ":path", "value": "a"}]), ("add", 0, "name")),
        (_header(set=[{"name": "x", "value": "a\nb"}]), ("set", 0, "value")),
        (_header(set=[{"name": "x", "value": "a" * 4097}]), ("set", 0, "value")),
        (_header(add=MANY), ("add",)),
        (_header(remove=["x", "host"]), ("remove", 1)),
        (_header(remove=[":path"]), ("remove", 0)),
        (_path("URLRewrite", "urlRewrite", hostname="a b"), ("hostname",)),
        (
            _path("URLRewrite", "urlRewrite", path={"type": "ReplaceFullPath", "replaceFullPath": "/a\r"}),
            ("path", "replaceFullPath"),
        ),
        (
            _path("URLRewrite", "urlRewrite", path={"type": "X", "replacePrefixMatch": "/\0"}),
            ("path", "replacePrefixMatch"),
        ),
        (_path("RequestRedirect", "requestRedirect", hostname="a\n"), ("hostname",)),
        (_path("RequestRedirect", "requestRedirect", scheme="ftp"), ("scheme",)),
        (_path("RequestRedirect", "requestRedirect", port=0), ("port",)),
        ({"matches": [{"path": {"value": "/a?b"}}]}, ("path", "value")),
        ({"matches": [{"path": {"type": "Exact", "value": "a"}}]}, ("path", "value")),
        ({"matches": [{"queryParams": [{"name": "", "value": "a"}]}]}, ("queryParams", 0, "name")),
        ({"matches": [{"queryParams": [{"name": "a", "value": "b" * 1025}]}]}, ("queryParams", 0, "value")),
    ],
)
def test_a_route_that_envoy_would_refuse_is_invalid(rule: dict[str, Any], path: tuple[Any, ...]) -> None:
    """Envoy accepts all routes or none: one route must not block others. In backends, too."""
    invalid = next(validation_errors(_rule_of_http(**rule)), None)
    assert invalid is not None
    assert invalid.path[-len(path) :] == path
    assert invalid.hint
    if "filters" in rule:
        assert next(validation_errors(_rule_of_http(backendRefs=[{"name": "a", **rule}])), None) is not None


def test_changes_that_envoy_accepts_are_valid() -> None:
    """At the limits of the Gateway API."""
    change = {"set": MANY[:16], "add": [{"name": "x", "value": "100% ä" + "a" * 4090}], "remove": ["x-host"]}
    assert next(validation_errors(_rule_of_http(**_header(**change))), None) is None
    path = {"type": "ReplaceFullPath", "replaceFullPath": "/\\1"}
    rewrite = _path("URLRewrite", "urlRewrite", hostname="a.example.org", path=path)
    assert next(validation_errors(_rule_of_http(**rewrite)), None) is None
    redirect = _path("RequestRedirect", "requestRedirect", scheme="https", port=65535)
    assert next(validation_errors(_rule_of_http(**redirect)), None) is None


def test_a_route_whose_weights_exceed_32_bits_is_invalid() -> None:
    """gRFC A28: a client refuses their sum. 4,295 backends of the maximum weight are too many, one fewer is valid."""
    backends = [{"name": "a", "port": 1, "weight": 1_000_000}] * 4295
    invalid = next(validation_errors(_rule_of_http(backendRefs=backends)), None)
    assert invalid is not None
    assert invalid.path == ("spec", "rules", 0, "backendRefs")
    assert next(validation_errors(_rule_of_http(backendRefs=backends[1:])), None) is None
