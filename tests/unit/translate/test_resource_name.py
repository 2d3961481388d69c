"""Which port of which service a name means: every spelling, every rule of choice, every reason for none."""

import pytest

from steerway.catalog.model.mesh import ANY_PORT, Port, Service, ServiceId
from steerway.errors import TranslateError
from steerway.translate import resource_name
from steerway.translate.resource_name import Target

BACKEND = ServiceId("shop", "backend")


@pytest.mark.parametrize(
    ("name", "service", "pod"),
    [
        ("backend", BACKEND, ""),
        ("backend.shop", BACKEND, ""),
        ("backend.shop.svc", BACKEND, ""),
        ("backend.shop.svc.cluster.local", BACKEND, ""),
        ("backend.other", ServiceId("other", "backend"), ""),
        ("web-0.backend.shop", BACKEND, "web-0"),
        ("web-0.backend.shop.svc", BACKEND, "web-0"),
        ("web-0.backend.shop.svc.cluster.local", BACKEND, "web-0"),
        # `svc`, `cluster` and `local` are names like any other where no suffix can be meant.
        ("svc", ServiceId("shop", "svc"), ""),
        ("backend.svc", ServiceId("svc", "backend"), ""),
        ("svc.svc.svc", ServiceId("svc", "svc"), ""),
        ("backend.svc.svc.cluster.local", ServiceId("svc", "backend"), ""),
        ("svc.cluster.local", ServiceId("local", "cluster"), "svc"),
        # The short mapping format takes any word.
        ("Example_Server", ServiceId("shop", "Example_Server"), ""),
    ],
)
@pytest.mark.parametrize("port", ["", "50051", "grpc"])
@pytest.mark.parametrize("dot", ["", "."])
def test_a_target_is_a_dns_name_of_any_length_with_an_optional_port(
    name: str, service: ServiceId, pod: str, port: str, dot: str
) -> None:
    """A client in namespace `shop` of a cluster `cluster.local` asks; a final dot makes no difference."""
    target = f"{name}{dot}:{port}" if port else f"{name}{dot}"
    assert resource_name.parse_target(target, "shop", "cluster.local") == Target(service, port, pod)


def test_the_cluster_domain_is_a_setting() -> None:
    """The suffix of another cluster is no suffix here."""
    assert resource_name.parse_target("backend.shop.svc.mesh.example", "x", "mesh.example").service == BACKEND
    assert resource_name.parse_target("backend.shop.svc.internal", "x", "internal").service == BACKEND
    with pytest.raises(TranslateError, match=r"or that with \.svc\.mesh\.example"):
        resource_name.parse_target("backend.shop.svc.cluster.local", "x", "mesh.example")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("", "'' has an empty label"),
        (":50051", "':50051' has an empty label"),
        ("backend:", "no port after the colon in 'backend:'"),
        ("backend..shop", "'backend..shop' has an empty label"),
        (".", "'.' has an empty label"),
        ("backend.shop..", "'backend.shop..' has an empty label"),
        ("-backend.shop", "'-backend' in '-backend.shop' is no DNS label"),
        ("back/end", "'back/end' in 'back/end' is no DNS label"),
        ("b\u00e4ckend", "is no DNS label"),
        ("x" * 64, "is no DNS label"),
        ("x" * 300, "the name is longer than 270 characters"),
        ("a.b.c.d", "expected SERVICE, SERVICE.NAMESPACE or that with .svc.cluster.local"),
        ("a.b.c.d.svc.cluster.local", "is no name of a service"),
        ("xdstp://mesh/envoy.config.listener.v3.Listener/backend", "xdstp names are not served yet"),
    ],
)
def test_a_target_that_means_nothing_has_a_reason(target: str, reason: str) -> None:
    """Operators read it beside the absent Listener."""
    with pytest.raises(TranslateError) as error:
        resource_name.parse_target(target, "shop", "cluster.local")
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        ("backend", True),
        ("backend:50051", True),
        ("backend.:50051", True),
        ("backend.shop", False),
        ("backend.shop:grpc", False),
        ("backend.shop.:grpc", False),
    ],
)
def test_only_a_short_name_depends_on_the_namespace_of_the_client(target: str, needed: bool) -> None:
    """Everything else is published once for all namespaces."""
    assert resource_name.needs_namespace(target) is needed


@pytest.mark.parametrize("pod", ["", "web-0"])
@pytest.mark.parametrize("domain", ["cluster.local", "internal"])
def test_a_canonical_name_stands_for_its_target(pod: str, domain: str) -> None:
    """What `canonical` writes, `parse_canonical` reads."""
    target = Target(BACKEND, "50051", pod)
    name = target.canonical(50051, domain)
    assert name == f"{pod + '.' if pod else ''}backend.shop.svc.{domain}:50051"
    assert resource_name.parse_canonical(name, domain) == target


@pytest.mark.parametrize(
    "name",
    [
        "backend",
        "backend.shop:50051",
        "backend.shop.svc:50051",
        "backend.shop.svc.cluster.local:",
        "backend.shop.svc.cluster.local:grpc",
        "backend.shop.svc.cluster.local:050051",
        "backend.shop.svc.cluster.local:0",
        "backend.shop.svc.cluster.local:\u0665",
        "backend:x.svc.cluster.local:50051",
        "backend.shop.svc.other:50051",
        "",
        ":",
    ],
)
def test_routes_clusters_and_assignments_have_one_spelling(name: str) -> None:
    """Only Listeners have aliases."""
    with pytest.raises(TranslateError, match=r"only SERVICE\.NAMESPACE\.svc\.cluster\.local:PORTNUMBER"):
        resource_name.parse_canonical(name, "cluster.local")


def test_a_name_of_an_object_has_a_mark_of_its_uid() -> None:
    """The same for the same UID everywhere; none where there is no UID."""
    name = "backend.shop.svc.cluster.local:50051"
    marked = resource_name.of_object(name, "9f0e3c3a-5f5e-4a0e-8d0c-3f1f0a5c7d21")
    assert marked == f"{name}~0a6b8f1d8831"
    assert resource_name.of_object(name, "another") not in (name, marked)
    assert resource_name.of_object(name, "") == name
    assert resource_name.without_object(marked) == resource_name.without_object(name) == name
    for other in (f"{name}~", f"{marked}0", f"{marked}\n", f"{name}~0A6B8F1D8831"):
        assert resource_name.without_object(other) == other
    with pytest.raises(TranslateError):
        resource_name.parse_canonical(marked, "cluster.local")


@pytest.mark.parametrize("pod", ["", "web-0"])
def test_a_port_without_a_number_has_a_name_without_one(pod: str) -> None:
    """Targets with any number lead to it; a port with a number is another resource."""
    target = Target(BACKEND, "", pod)
    name = target.canonical(ANY_PORT, "cluster.local")
    assert name == f"{pod + '.' if pod else ''}backend.shop.svc.cluster.local"
    parsed = resource_name.parse_canonical(name, "cluster.local")
    assert (parsed.service, parsed.pod) == (BACKEND, pod)
    unnumbered = Port(ANY_PORT)
    service = Service(BACKEND, (unnumbered,))
    for port in ("", "1", "50051", "65535", parsed.port):
        chosen, why = resource_name.choose_port(service, port)
        assert chosen is unnumbered
        assert why == "it states no port number, so that a target may have any or none"
    for port in ("grpc", "65536", "050051"):
        with pytest.raises(TranslateError, match=f"has no TCP port {port}; it has any"):
            resource_name.select_port(service, port)
    with pytest.raises(TranslateError):
        resource_name.select_port(Service(BACKEND, (Port(50051),)), parsed.port)


def test_a_canonical_name_has_one_meaning() -> None:
    """A domain of one label does not make a pod of a service that is named like the suffix."""
    with pytest.raises(TranslateError):
        resource_name.parse_canonical("x.svc.local:80", "local")


HTTP = Port(80, "http")
GRPC = Port(50051, "grpc")
GRPC_ADMIN = Port(50052, "grpc-admin")
GRPC_WEB = Port(50053, "grpc-web")
BY_PROTOCOL = Port(9000, "api", "grpc")
BY_H2C = Port(9001, "h2", "kubernetes.io/h2c")
METRICS = Port(9090, "metrics", "http")
UNNAMED = Port(50051)


@pytest.mark.parametrize(
    ("ports", "chosen"),
    [
        ([UNNAMED], UNNAMED),
        ([METRICS], METRICS),
        ([HTTP, GRPC], GRPC),
        ([GRPC_ADMIN, BY_PROTOCOL, GRPC], GRPC),
        ([HTTP, GRPC_ADMIN, METRICS], GRPC_ADMIN),
        ([HTTP, BY_PROTOCOL], BY_PROTOCOL),
        ([HTTP, BY_H2C], BY_H2C),
        ([METRICS, HTTP], METRICS),
        ([HTTP, METRICS], HTTP),
    ],
    ids=[
        "the only one",
        "the only one, whatever it is",
        "the one named grpc",
        "the one named grpc before others that look like it",
        "the one named grpc-…",
        "the one with appProtocol grpc",
        "the one with appProtocol kubernetes.io/h2c",
        "the first, when none looks like gRPC",
        "the first in the order of the manifest",
    ],
)
def test_without_a_port_the_service_decides(ports: list[Port], chosen: Port) -> None:
    """The rules of the guide, in their order."""
    assert resource_name.select_port(Service(BACKEND, tuple(ports)), "") is chosen


@pytest.mark.parametrize("ports", [[GRPC_ADMIN, GRPC_WEB], [BY_PROTOCOL, BY_H2C], [GRPC_WEB, HTTP, BY_H2C]])
def test_several_ports_that_look_like_grpc_are_ambiguous(ports: list[Port]) -> None:
    """The reason names them and what to add."""
    with pytest.raises(TranslateError, match=r"several gRPC ports \(\d+ \(.+\), \d+ \(.+\)\); add :PORT"):
        resource_name.select_port(Service(BACKEND, tuple(ports)), "")


@pytest.mark.parametrize(("port", "chosen"), [("80", HTTP), ("http", HTTP), ("50051", GRPC), ("grpc", GRPC)])
def test_a_port_is_a_number_or_a_name(port: str, chosen: Port) -> None:
    """Of the Service, not of the pod."""
    assert resource_name.select_port(Service(BACKEND, (HTTP, GRPC)), port) is chosen


@pytest.mark.parametrize("port", ["81", "080", "grp", "GRPC"])
def test_an_unknown_port_is_reported_with_the_known_ones(port: str) -> None:
    """The reason names what to dial."""
    with pytest.raises(TranslateError) as error:
        resource_name.select_port(Service(BACKEND, (HTTP, UNNAMED)), port)
    assert str(error.value) == f"service shop/backend has no TCP port {port}; it has 80 (http), 50051"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("xds:///backend.shop:50051", ("", "backend.shop:50051")),
        ("xds://mesh.example/backend", ("mesh.example", "backend")),
        ("backend.shop:grpc", ("", "backend.shop:grpc")),
        ("dns:53", ("", "dns:53")),
    ],
)
def test_a_target_is_an_authority_and_a_name(target: str, expected: tuple[str, str]) -> None:
    """A bare name is one, too."""
    assert resource_name.of_target(target) == expected


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("dns:///backend.shop:50051", "dial xds:///backend.shop:50051"),
        ("https://backend.shop", "dial xds:///backend.shop"),
        ("XDS:///backend", "dial xds:///backend"),
        ("xds://backend.shop:50051", "dial xds:///backend.shop:50051, with three slashes"),
        ("xds:///", "dial xds:///SERVICE, with three slashes"),
        ("://", "dial xds:///SERVICE.NAMESPACE:PORT"),
        ("", "dial xds:///SERVICE.NAMESPACE:PORT"),
    ],
)
def test_a_target_of_another_scheme_is_an_error_with_the_right_one(target: str, hint: str) -> None:
    """Nothing else comes from a control plane."""
    with pytest.raises(TranslateError) as caught:
        resource_name.of_target(target)
    assert (repr(target) if target else "empty") in str(caught.value)
    assert hint in str(caught.value)
