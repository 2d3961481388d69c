"""Which clusters and virtual hosts Envoys of a namespace have, as sidecars and as gateways."""

from dataclasses import replace

from envoy.config.route.v3 import route_pb2
from envoy.config.route.v3.route_components_pb2 import VirtualHost as Host

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import ANY_PORT, Port, Service
from steerway.catalog.model.route import Backend, BackendPort, Entry, Match, MatchType, Mirror, Routing, Rule
from steerway.translate.destination import BLACKHOLE, either
from steerway.translate.envoy import exposure, route
from steerway.translate.envoy.virtual_host import VirtualHosts

DOMAIN = "cluster.local"


def to(name: str, port: int = 80, namespace: str = "shop") -> BackendPort:
    return BackendPort(ServiceId(namespace, name), port)


def routing(backend: BackendPort, *hostnames: str, path: str = "/", foreign: str = "") -> Routing:
    """One rule; of the Service's namespace, or of another one."""
    rule = Rule("r", (Backend(backend),), hostnames=hostnames)
    table = (Entry(Match(MatchType.PREFIX, path, elements=True), rule),)
    return Routing(consumers=((foreign, table),)) if foreign else Routing(table)


def service(name: str, *ports: Port, namespace: str = "shop") -> Service:
    return Service(ServiceId(namespace, name), ports or (Port(80),))


def hosts(*services: Service, namespace: str = "shop", gateway: int | None = None) -> list[Host]:
    """As Envoy reads them; the same in any order of the services, and when they were made before."""
    known = {item.id: item for item in services}
    virtual_hosts = VirtualHosts(known.get, DOMAIN)
    bodies = {
        route.build("routes", virtual_hosts.parts(order, namespace, gateway))
        for order in (services, services, services[::-1])
    }
    (body,) = bodies
    manifests = list(route_pb2.RouteConfiguration.FromString(body).virtual_hosts)
    domains = [domain for host in manifests for domain in host.domains]
    assert len(domains) == len(set(domains)), "Envoy refuses a domain that is there twice"
    return manifests


def clusters(host: Host) -> list[str]:
    weighted = [
        cluster.name for manifest in host.routes for cluster in manifest.route.weighted_clusters.clusters
    ]
    return weighted or [manifest.route.cluster for manifest in host.routes]


class TestSidecar:
    def test_a_port_has_every_name_that_a_client_may_dial(self) -> None:
        """Without a port where it is the one that is meant then, short in the own namespace alone."""
        web = service("web", Port(80, "http"), Port(50051, "grpc"))
        first, second = hosts(web)
        assert list(first.domains) == [
            f"{name}:80" for name in ("web.shop", "web.shop.svc", f"web.shop.svc.{DOMAIN}", "web")
        ]
        assert set(second.domains) >= {"web.shop", "web", "web:50051", f"web.shop.svc.{DOMAIN}"}
        foreign = {domain for host in hosts(web, namespace="pay") for domain in host.domains}
        assert "web.shop" in foreign
        assert not {"web", "web:80"} & foreign

    def test_a_port_without_a_number_has_names_with_every_port(self) -> None:
        """A Service of the short mapping."""
        (only,) = hosts(service("web", Port(ANY_PORT)))
        assert {"web", "web:*", "web.shop", "web.shop:*"} <= set(only.domains)
        assert only.name == f"web.shop.svc.{DOMAIN}"
        assert clusters(only) == [only.name]

    def test_a_target_that_means_no_single_port_is_no_name(self) -> None:
        """Two ports look like gRPC."""
        result = hosts(service("web", Port(1, "grpc-a"), Port(2, "grpc-b")))
        assert all(":" in domain for host in result for domain in host.domains)

    def test_a_client_that_may_not_see_a_service_has_nothing_of_it(self) -> None:
        """Neither what is not exported there nor what is private elsewhere."""
        exported = replace(service("a"), exported_to=frozenset({"pay"}))
        private = replace(service("b"), private=True)
        for item, metadata in ((exported, ["shop", "pay"]), (private, ["shop"])):
            for namespace in ("shop", "pay", "x"):
                seen = list(exposure.clusters(item, namespace, DOMAIN, gateway=False))
                assert bool(seen) == bool(hosts(item, namespace=namespace)) == (namespace in metadata)

    def test_names_that_differ_in_capitals_alone_are_one(self) -> None:
        """The short mapping format may have such; the first has it."""
        (result,) = hosts(service("Web"), service("web"))
        assert result.name == f"Web.shop.svc.{DOMAIN}:80"

    def test_backends_of_routes_are_seen_before_they_exist(self) -> None:
        """Also mirrors, by both names that a cluster may have; in other namespaces those of their own routes."""
        table = (Entry(Match(), Rule("r", (Backend(to("b")), Backend(None)), mirrors=(Mirror(to("m")),))),)
        other = (Entry(Match(), Rule("c", (Backend(to("c")),))),)
        web = service("web", Port(80, routing=Routing(table, (("pay", other),))))
        named = (f"{name}.shop.svc.{DOMAIN}:80" for name in ("b", "m"))
        names = {f"web.shop.svc.{DOMAIN}:80", *(item for name in named for item in either(name))}
        assert set(exposure.clusters(web, "shop", DOMAIN, gateway=False)) == names
        assert f"c.shop.svc.{DOMAIN}:80" in exposure.clusters(web, "pay", DOMAIN, gateway=False)
        (host,) = hosts(web)
        assert set(clusters(host)) == {BLACKHOLE}


class TestGateway:
    def test_nothing_is_exposed_by_existing_or_by_others(self) -> None:
        """A route of the own namespace is what it takes."""
        plain, foreign = service("a"), service("b", Port(80, routing=routing(to("b"), foreign="pay")))
        for item in (plain, foreign):
            assert hosts(item, gateway=8080) == []
            assert list(exposure.clusters(item, "pay", DOMAIN, gateway=True)) == []

    def test_it_needs_the_clusters_of_its_routes(self) -> None:
        """Not that of the Service itself."""
        web = service("web", Port(80, routing=routing(to("b"))))
        assert list(exposure.clusters(web, "edge", DOMAIN, gateway=True)) == [
            *either(f"b.shop.svc.{DOMAIN}:80")
        ]

    def test_hostnames_are_taken_with_any_port(self) -> None:
        """Beside a wildcard with those in use, since Envoy knows one wildcard in a domain; short names are not."""
        web = service("web", Port(80, routing=routing(to("web"), "Shop.example.org", "*.example.org")))
        own, wild, exact = hosts(web, gateway=8080)
        assert own.domains[:2] == ["web.shop:80", "web.shop"]
        assert list(wild.domains) == ["*.example.org", *(f"*.example.org:{port}" for port in (8080, 80, 443))]
        assert set(exact.domains) >= {"shop.example.org", "shop.example.org:*", "shop.example.org:8080"}
        assert not any(domain.startswith("web:") or domain == "web" for domain in own.domains)

    def test_services_share_a_hostname_and_the_most_specific_match_counts(self) -> None:
        """Whose route it is makes no difference."""
        web = service("a", Port(80, routing=routing(to("a"), "x.org")))
        api = service("b", Port(80, routing=routing(to("b"), "x.org", path="/api")))
        shared = next(host for host in hosts(web, api, gateway=80) if "x.org" in host.domains)
        assert clusters(shared) == [f"b.shop.svc.{DOMAIN}:80", f"a.shop.svc.{DOMAIN}:80"]

    def test_a_hostname_has_the_rules_of_the_routes_that_name_it(self) -> None:
        """Another route of the same port is not open under it."""
        inside, outside = (routing(to(name), *names) for name, names in (("a", ()), ("b", ("x.org",))))
        assert inside.producer is not None
        assert outside.producer is not None
        web = service("web", Port(80, routing=Routing((*inside.producer, *outside.producer))))
        known = hosts(web, service("a"), service("b"), gateway=80)
        results = {domain: clusters(host) for host in known for domain in host.domains}
        assert results["x.org"] == [f"b.shop.svc.{DOMAIN}:80"]
        assert results["web.shop"] == [f"a.shop.svc.{DOMAIN}:80", f"b.shop.svc.{DOMAIN}:80"]

    def test_a_hostname_of_a_route_for_another_namespace_is_none(self) -> None:
        """Else anybody could claim one at everybody's gateway."""
        own, foreign = routing(to("web")), routing(to("thief"), "x.org", foreign="pay")
        web = service("web", Port(80, routing=Routing(own.producer, foreign.consumers)))
        assert not [host for host in hosts(web, gateway=80) if "x.org" in host.domains]

    def test_a_hostname_cannot_take_the_name_of_a_service(self) -> None:
        """A route of another namespace could claim them."""
        web = service("web", Port(80, routing=routing(to("web"))))
        thief = service("t", Port(80, routing=routing(to("t", namespace="pay"), "web.shop")), namespace="pay")
        results = {
            domain: clusters(host) for host in hosts(web, thief, gateway=80) for domain in host.domains
        }
        assert results["web.shop"] == results["web.shop:80"] == [f"web.shop.svc.{DOMAIN}:80"]


class TestKeeping:
    """What was made of a service before is used again, and only as long as it is right."""

    def test_a_backend_that_comes_and_goes_changes_the_routes_to_it(self) -> None:
        """Its service is not the one that has the routes."""
        web, other = service("web", Port(80, routing=routing(to("b")))), service("b")
        known = {web.id: web}
        virtual_hosts = VirtualHosts(known.get, DOMAIN)

        def named() -> list[str]:
            (only,) = virtual_hosts.parts([web], "shop")
            return sorted(only.clusters)

        assert named() == []
        known[other.id] = other
        assert named() == [f"b.shop.svc.{DOMAIN}:80"]
        del known[other.id]
        assert named() == []

    def test_namespaces_differ_where_it_matters(self) -> None:
        """In whatever order they ask."""
        web, private = service("web"), replace(service("b"), private=True)
        known = {item.id: item for item in (web, private)}
        virtual_hosts = VirtualHosts(known.get, DOMAIN)
        for namespace, metadata in (("pay", 1), ("shop", 2), ("pay", 1), ("x", 1), ("shop", 2)):
            parts = virtual_hosts.parts(known.values(), namespace)
            assert len([part for part in parts if part.domains]) == metadata
            short = "web" in frozenset().union(*(part.domains for part in parts))
            assert short is (namespace == "shop")
