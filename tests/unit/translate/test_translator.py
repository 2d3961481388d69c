"""Resources of services: every spelling of a target, demand and its end, and changes in between."""

import time
from unittest.mock import ANY

import msgspec
import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3.health_check_pb2 import DRAINING, HEALTHY
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.route.v3 import route_pb2

from steerway.catalog.model.mesh import Problem
from steerway.commit import Commit
from steerway.runtime.isolation import HINT
from steerway.sources.objects.core import (
    EXPORT_ANNOTATION,
    PRIVATE_ANNOTATION,
    EndpointSlice,
    Service,
    ServicePort,
    XdsResource,
)
from steerway.translate import translator
from steerway.translate.client.audience import Audience
from steerway.translate.dialect.grpc import GrpcDialect
from steerway.translate.grpc import cluster as cluster_builder
from steerway.translate.xds import type_url
from testbed.mesh import (
    CORE,
    ENVOY,
    UNKNOWN,
    AbsentError,
    Mesh,
    addresses,
    endpoint,
    endpoint_slice,
    service,
    zones,
)

BACKEND = service(ServicePort(50051, "grpc"), ServicePort(9090, "metrics"))
PODS = endpoint_slice("10.0.0.1", "10.0.0.2", port=8081, port_name="grpc")
METRICS = endpoint_slice("10.0.0.1", port=9999, port_name="metrics", name="backend-2")
CANONICAL = "backend.shop.svc.cluster.local:50051"


@pytest.fixture
def mesh() -> Mesh:
    """Service `backend` in namespace `shop`, with two ports and two pods."""
    return Mesh(BACKEND, PODS, METRICS)


def absence(mesh: Mesh, served: str, name: str, audience: str = UNKNOWN) -> str:
    """Why a client gets no such resource."""
    with pytest.raises(AbsentError) as error:
        mesh.get(served, name, audience)
    return str(error.value)


def hosts(assignment: endpoint_pb2.ClusterLoadAssignment) -> list[tuple[str, int]]:
    """Hosts and ports, whatever their state."""
    socket_addresses = (
        lb_endpoint.endpoint.address.socket_address
        for locality in assignment.endpoints
        for lb_endpoint in locality.lb_endpoints
    )
    return [(socket_address.address, socket_address.port_value) for socket_address in socket_addresses]


def entry(served: str, name: str = CANONICAL, audience: str = "grpc") -> tuple[str, str, str]:
    return served, name, audience


class TestTargets:
    @pytest.mark.parametrize("port", ["", ":50051", ":grpc"])
    @pytest.mark.parametrize(
        "host", ["backend", "backend.shop", "backend.shop.svc", "backend.shop.svc.cluster.local"]
    )
    def test_all_spellings_end_at_the_same_endpoints(self, mesh: Mesh, host: str, port: str) -> None:
        """Only the Listener is there once for each spelling."""
        assert mesh.dial(f"{host}{port}") == ["10.0.0.1:8081", "10.0.0.2:8081"]
        derived = [key for key in mesh.published.entries if key[0] != type_url.LISTENER]
        assert derived == [
            entry(type_url.ROUTE),
            entry(type_url.CLUSTER),
            entry(type_url.ENDPOINT, audience="grpc/unknown"),
        ]

    @pytest.mark.parametrize("port", [":9090", ":metrics"])
    def test_another_port_is_another_cluster(self, mesh: Mesh, port: str) -> None:
        """One for each port of the Service, named by its number."""
        assert mesh.dial(f"backend.shop{port}") == ["10.0.0.1:9999"]
        assert entry(type_url.CLUSTER, "backend.shop.svc.cluster.local:9090") in mesh.published.entries

    def test_a_short_name_is_looked_up_in_the_namespace_of_the_client(self, mesh: Mesh) -> None:
        """Two clients that dial the same name may mean different services."""
        mesh.update(
            service(1, namespace="other"), endpoint_slice("10.1.0.1", namespace="other", name="other-1")
        )
        assert mesh.dial("backend", "grpc/unknown/shop") == ["10.0.0.1:8081", "10.0.0.2:8081"]
        assert mesh.dial("backend", "grpc/unknown/other") == ["10.1.0.1:50051"]
        assert mesh.dial("backend.other", "grpc/unknown/shop") == ["10.1.0.1:50051"]
        reason = absence(mesh, type_url.LISTENER, "backend", "grpc/unknown/empty")
        assert reason == "service empty/backend not found"

    def test_one_pod_of_a_headless_service_can_be_dialled(self) -> None:
        """By the `hostname` of its endpoint, with and without port."""
        pods = [endpoint(f"10.0.0.{number}", hostname=f"web-{number}") for number in (1, 2)]
        mesh = Mesh(service(50051, name="web"), endpoint_slice(*pods, service="web"))
        for target in ("web-2.web.shop", "web-2.web.shop:50051", "web-2.web.shop.svc.cluster.local:50051"):
            assert mesh.dial(target) == ["10.0.0.2:50051"]
        assert mesh.dial("web.shop") == ["10.0.0.1:50051", "10.0.0.2:50051"]

    def test_a_pod_that_is_away_is_an_empty_assignment(self) -> None:
        """A StatefulSet's pod comes back under its name: calls fail at once, and recover at once."""
        mesh = Mesh(service(50051, name="web"))
        assert mesh.dial("web-0.web.shop") == []
        mesh.update(endpoint_slice(endpoint("10.0.0.7", hostname="web-0"), service="web"))
        assert mesh.dial("web-0.web.shop") == ["10.0.0.7:50051"]

    def test_the_cluster_domain_is_part_of_the_names(self) -> None:
        """A name under another domain is none."""
        mesh = Mesh(service(50051), endpoint_slice("10.0.0.1"), cluster_domain="mesh.example")
        assert mesh.dial("backend.shop.svc.mesh.example") == ["10.0.0.1:50051"]
        assert entry(type_url.CLUSTER, "backend.shop.svc.mesh.example:50051") in mesh.published.entries
        assert "is no name of a service" in absence(mesh, type_url.LISTENER, f"{CANONICAL}")

    def test_a_name_of_the_short_mapping_may_have_capitals_and_underscores(self) -> None:
        """Its services carry any word."""
        mesh = Mesh(service(80, name="My_Server"), endpoint_slice("10.0.0.1", service="My_Server"))
        assert mesh.dial("My_Server") == ["10.0.0.1:50051"]


class TestAbsence:
    """A name that cannot be answered is absent, with a reason, and is found when it comes into being."""

    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ("cart.shop", "service shop/cart not found"),
            ("backend.shop:1", "service shop/backend has no TCP port 1; it has 50051 (grpc), 9090 (metrics)"),
            ("backend.shop:http", "service shop/backend has no TCP port http"),
            (
                "BACKEND.shop",
                "service shop/BACKEND not found; it has capital letters, and names in Kubernetes are",
            ),
            ("a.b.c.d", "is no name of a service"),
        ],
    )
    def test_an_unknown_name_has_a_reason(self, mesh: Mesh, target: str, reason: str) -> None:
        """Operators see it beside the Listener."""
        assert reason in absence(mesh, type_url.LISTENER, target)

    def test_an_ambiguous_name_has_a_reason(self) -> None:
        """A port in the target settles it."""
        mesh = Mesh(service(ServicePort(1, "grpc-a"), ServicePort(2, "grpc-b")))
        assert absence(mesh, type_url.LISTENER, "backend.shop") == (
            "service shop/backend has several gRPC ports (1 (grpc-a), 2 (grpc-b)); add :PORT to the target"
        )
        assert mesh.dial("backend.shop:2") == []

    @pytest.mark.parametrize("served", [type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT])
    def test_other_types_are_known_by_their_canonical_name_only(self, mesh: Mesh, served: str) -> None:
        """Aliases are Listeners."""
        assert "only SERVICE.NAMESPACE.svc.cluster.local:PORTNUMBER" in absence(mesh, served, "backend.shop")
        assert absence(mesh, served, "cart.shop.svc.cluster.local:1").startswith("service ")
        assert "no TCP port 1" in absence(mesh, served, "backend.shop.svc.cluster.local:1")

    @pytest.mark.parametrize(
        "served", [type_url.SECRET, type_url.RUNTIME, type_url.SCOPED_ROUTE, type_url.EXTENSION]
    )
    def test_types_that_services_do_not_give_come_from_files(self, mesh: Mesh, served: str) -> None:
        """Clients get the absence at once."""
        assert absence(mesh, served, "anything") == "no file gives it"

    @pytest.mark.parametrize("served", [type_url.LISTENER, type_url.ROUTE])
    def test_envoy_gets_no_listener_or_route_made_for_grpc(self, mesh: Mesh, served: str) -> None:
        """It has one of its own, with all services in it."""
        reason = absence(mesh, served, CANONICAL, ENVOY)
        assert reason == "no file gives it"

    def test_a_service_that_comes_later_is_found(self) -> None:
        """All that waits for it is demanded anew, and answered."""
        mesh = Mesh()
        names = [(type_url.LISTENER, "backend"), (type_url.LISTENER, "backend.shop:grpc")]
        names += [(served, CANONICAL) for served in (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT)]
        commit = mesh.demand(*((*name, UNKNOWN) for name in names))
        assert [key[:2] for key in commit.missing] == names
        commit = mesh.update(BACKEND)
        assert sorted(resource[:2] for resource in commit.put) == sorted(names)
        mesh.update(PODS)
        assert mesh.dial("backend") == ["10.0.0.1:8081", "10.0.0.2:8081"]

    def test_a_service_that_goes_is_absent_again(self, mesh: Mesh) -> None:
        """Every resource of it."""
        mesh.dial("backend.shop")
        commit = mesh.update(delete=[BACKEND.key])
        assert len(commit.absent) == 4
        assert {absent.reason for absent in commit.absent} == {"service shop/backend not found"}
        assert not commit.put

    def test_a_port_that_comes_later_is_found(self, mesh: Mesh) -> None:
        """The reason is replaced by the resource."""
        absence(mesh, type_url.LISTENER, "backend.shop:http")
        mesh.update(service(ServicePort(50051, "grpc"), ServicePort(80, "http")))
        assert mesh.dial("backend.shop:http") == []

    def test_a_service_that_is_left_out_by_a_setting_is_absent(self) -> None:
        """`upstream_services`."""
        mesh = Mesh(service(50051), service(50051, name="cart"), only=["cart"])
        assert mesh.dial("cart") == []
        reason = "service shop/backend is not listed in the setting upstream_services, so it is not served"
        assert absence(mesh, type_url.LISTENER, "backend") == reason
        assert absence(mesh, type_url.CLUSTER, CANONICAL) == reason


class TestExports:
    """A Service may be for clients of some namespaces only (`steerway.io/export-to`)."""

    @staticmethod
    def exported(to: str) -> Service:
        metadata = msgspec.structs.replace(BACKEND.metadata, annotations={EXPORT_ANNOTATION: to})
        return msgspec.structs.replace(BACKEND, metadata=metadata)

    def test_clients_of_other_namespaces_get_not_found(self, mesh: Mesh) -> None:
        """By any name of any type; those of its own always get it."""
        mesh.update(self.exported("pay, web"))
        for namespace in ("shop", "pay", "web"):
            assert mesh.dial("backend.shop:50051", f"grpc/unknown/{namespace}") == [
                "10.0.0.1:8081",
                "10.0.0.2:8081",
            ]
        reason = "service shop/backend is not exported to x"
        assert absence(mesh, type_url.LISTENER, "backend.shop:50051", "grpc/unknown/x") == reason
        for served in (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT):
            assert absence(mesh, served, CANONICAL, "grpc/core/x") == reason
        assert absence(mesh, type_url.ENDPOINT, CANONICAL, "envoy/sidecar/x") == reason

    def test_it_is_absent_before_the_namespace_is_known(self, mesh: Mesh) -> None:
        """Nothing is published for an audience that has not asked."""
        mesh.update(self.exported("pay"))
        mesh.dial("backend.shop", "grpc/unknown/pay")
        assert {audience for _, _, audience in mesh.published.entries} == {"grpc/unknown/pay"}

    def test_an_export_may_change_while_clients_listen(self, mesh: Mesh) -> None:
        """Clients that may stay get the same; others lose it at once; the last client takes the answers along."""
        for namespace in ("pay", "x"):
            mesh.dial("backend.shop", f"grpc/unknown/{namespace}")
        commit = mesh.update(self.exported("pay"))
        assert {denied.audience for denied in commit.denied} == {"grpc/unknown/x"}
        assert not commit.absent
        assert mesh.dial("backend.shop", "grpc/unknown/pay") == ["10.0.0.1:8081", "10.0.0.2:8081"]
        absence(mesh, type_url.LISTENER, "backend.shop", "grpc/unknown/x")
        mesh.update(BACKEND)
        assert mesh.dial("backend.shop", "grpc/unknown/x") == ["10.0.0.1:8081", "10.0.0.2:8081"]
        mesh.update(self.exported(""))
        names = [(served, CANONICAL) for served in (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT)]
        for served, name in [(type_url.LISTENER, "backend.shop"), *names]:
            mesh.withdraw(*((served, name, f"grpc/unknown/{namespace}") for namespace in ("pay", "x")))
        assert mesh.published.entries == {}


class TestLocalities:
    """A Service may be another one for clients of each zone or node."""

    ENDPOINTS = endpoint_slice(
        endpoint("10.0.0.1", "a", node="n1"),
        endpoint("10.0.0.2", "b", node="n2"),
        endpoint("10.0.0.3", node="n2"),
    )

    @staticmethod
    def priorities(mesh: Mesh, audience: str) -> list[tuple[int, str]]:
        """Priority and zone of each locality."""
        assignment = mesh.assignment("backend.shop", audience)
        return [(item.priority, item.locality.zone) for item in assignment.endpoints]

    def test_clients_of_each_zone_have_theirs_first(self) -> None:
        """All that others get stands behind it."""
        mesh = Mesh(service(50051, traffic_distribution="PreferSameZone"), self.ENDPOINTS)
        assert self.priorities(mesh, "grpc/unknown/shop/a") == [(0, "a"), (1, ""), (1, "b")]
        assert self.priorities(mesh, "grpc/unknown/x/b") == [(0, "b"), (1, ""), (1, "a")]
        assert self.priorities(mesh, "grpc/unknown/shop") == [(0, ""), (0, "a"), (0, "b")]

    def test_a_later_client_changes_nothing_for_the_others(self) -> None:
        """Its own answer is the only one that is made."""
        mesh = Mesh(service(50051, traffic_distribution="PreferSameZone"), self.ENDPOINTS)
        for zone in ("a", "b"):
            mesh.dial("backend.shop", f"grpc/unknown/shop/{zone}")
        commit = mesh.demand((type_url.ENDPOINT, CANONICAL, "grpc/unknown/shop/c"))
        assert [put.audience for put in commit.put] == ["grpc/unknown/shop/c"]
        commit = mesh.update(endpoint_slice(endpoint("10.0.0.9", "c")))
        assert [put.audience for put in commit.put] == [f"grpc/unknown/shop/{zone}" for zone in "abc"]
        commit = mesh.withdraw((type_url.ENDPOINT, CANONICAL, "grpc/unknown/shop/c"))
        assert commit.forget == [(type_url.ENDPOINT, CANONICAL, "grpc/unknown/shop/c")]

    def test_a_service_that_no_longer_minds_is_published_once_for_all(self) -> None:
        """In one commit, so that no client is without."""
        mesh = Mesh(service(50051, traffic_distribution="PreferSameZone"), self.ENDPOINTS)
        for zone in ("a", "b"):
            mesh.dial("backend.shop", f"grpc/unknown/shop/{zone}")
        commit = mesh.update(service(50051))
        assert [put.audience for put in commit.put if put.type_url == type_url.ENDPOINT] == ["grpc/unknown"]
        assert sorted(forgotten.audience for forgotten in commit.forget) == [
            "grpc/unknown/shop/a",
            "grpc/unknown/shop/b",
        ]

    def test_what_must_not_leave_a_node_does_not(self) -> None:
        """Clients of an unknown node get nothing."""
        mesh = Mesh(service(50051, internal_traffic_policy="Local"), self.ENDPOINTS)
        assert mesh.dial("backend.shop", "grpc/unknown/shop/b/n2") == ["10.0.0.3:50051", "10.0.0.2:50051"]
        assert mesh.dial("backend.shop", "grpc/unknown/shop/-/n1") == ["10.0.0.1:50051"]
        assert mesh.dial("backend.shop", "grpc/unknown/shop/a/-") == []

    def test_short_names_are_the_same_everywhere(self) -> None:
        """Listeners, routes and clusters know no places."""
        mesh = Mesh(service(50051, traffic_distribution="PreferSameZone"), self.ENDPOINTS)
        for zone in ("a", "b"):
            mesh.dial("backend", f"grpc/unknown/shop/{zone}")
        audiences = {(served, audience) for served, _, audience in mesh.published.entries}
        assert audiences == {
            (type_url.LISTENER, "grpc/unknown/shop"),
            (type_url.ROUTE, "grpc"),
            (type_url.CLUSTER, "grpc"),
            (type_url.ENDPOINT, "grpc/unknown/shop/a"),
            (type_url.ENDPOINT, "grpc/unknown/shop/b"),
        }

    def test_a_sticky_service_hashes_channels(self) -> None:
        """gRFC A42, in all three resources that have a part in it."""
        mesh = Mesh(service(50051, session_affinity="ClientIP"), self.ENDPOINTS)
        mesh.dial("backend.shop")
        route = route_pb2.RouteConfiguration.FromString(mesh.get(type_url.ROUTE, CANONICAL))
        (policy,) = route.virtual_hosts[0].routes[0].route.hash_policy
        assert policy.filter_state.key == "io.grpc.channel_id"
        cluster = cluster_pb2.Cluster.FromString(mesh.get(type_url.CLUSTER, CANONICAL))
        assert cluster.lb_policy == cluster_pb2.Cluster.RING_HASH


class TestTimeouts:
    """gRFC A31, and what C-core makes of it."""

    @staticmethod
    def metadata(mesh: Mesh, audience: str) -> float:
        """Seconds."""
        route_configuration = route_pb2.RouteConfiguration.FromString(
            mesh.get(type_url.ROUTE, CANONICAL, audience)
        )
        most = route_configuration.virtual_hosts[0].routes[0].route.max_stream_duration.max_stream_duration
        return most.ToMilliseconds() / 1000

    def test_c_core_gets_two_seconds_more(self) -> None:
        """It takes one to two off (grpc/grpc 34547); no limit stays none, and the route of the others is theirs."""
        annotated = service(50051)
        for value, expected in (("300ms", (0.3, 2.3)), ("0s", (0.0, 0.0))):
            metadata = msgspec.structs.replace(annotated.metadata, annotations={"steerway.io/timeout": value})
            mesh = Mesh(msgspec.structs.replace(annotated, metadata=metadata), endpoint_slice("10.0.0.1"))
            assert (self.metadata(mesh, "grpc/go/shop"), self.metadata(mesh, CORE)) == expected
            assert self.metadata(mesh, "grpc/core-a42/shop") == expected[1]


class TestExternalNames:
    """A Service of type ExternalName is a cluster whose clients ask DNS."""

    def test_every_port_of_the_host_can_be_dialled(self) -> None:
        """Those that the Service lists by their names too, and the only one without its name."""
        mesh = Mesh(service(ServicePort(5432, "db"), external_name="db.example.org"))
        for target, port in (("backend", 5432), ("backend:db", 5432), ("backend:9090", 9090)):
            assert hosts(mesh.assignment(target)) == [("db.example.org", port)]

    def test_without_ports_a_target_needs_one(self) -> None:
        """Names of ports there are none."""
        mesh = Mesh(service(external_name="db.example.org"))
        assert hosts(mesh.assignment("backend:1")) == [("db.example.org", 1)]
        reason = absence(mesh, type_url.LISTENER, "backend")
        assert reason == "service shop/backend is an external name without ports; add :PORT to the target"
        assert "has no TCP port" in absence(mesh, type_url.LISTENER, "backend:db")
        for target in ("backend:65536", "backend:0"):
            assert "is out of range" in absence(mesh, type_url.LISTENER, target)

    def test_it_has_neither_assignment_nor_pods(self) -> None:
        """Clients get the reason."""
        mesh = Mesh(service(50051, external_name="db.example.org"))
        assert "clients of its cluster ask DNS" in absence(mesh, type_url.ENDPOINT, CANONICAL)
        assert "has no pods" in absence(mesh, type_url.LISTENER, "web-0.backend.shop")

    def test_a_service_may_become_one_and_back(self) -> None:
        """Names of resources stay."""
        mesh = Mesh(service(50051), endpoint_slice("10.0.0.1"))
        assert mesh.dial("backend") == ["10.0.0.1:50051"]
        mesh.update(service(50051, external_name="db.example.org"))
        assert hosts(mesh.assignment("backend")) == [("db.example.org", 50051)]
        mesh.update(service(50051))
        assert mesh.dial("backend") == ["10.0.0.1:50051"]


class TestEndpoints:
    def test_draining_endpoints_are_shown_to_clients_that_know_them(self) -> None:
        """C-core keeps sessions on them, Envoy uses them; others would give them no traffic."""
        leaving = endpoint("10.0.0.2", ready=False, serving=True, terminating=True)
        mesh = Mesh(service(50051), endpoint_slice("10.0.0.1", leaving))
        name = "backend.shop.svc.cluster.local:50051"
        for audience, expected in ((UNKNOWN, []), (CORE, ["10.0.0.2:50051"])):
            assignment = mesh.assignment(name, audience)
            assert (addresses(assignment, HEALTHY), addresses(assignment, DRAINING)) == (
                ["10.0.0.1:50051"],
                expected,
            )
        body = mesh.get(type_url.ENDPOINT, name, ENVOY.replace("sidecar", "raw"))
        assert body == mesh.get(type_url.ENDPOINT, name, CORE)

    @pytest.mark.parametrize("audience", [UNKNOWN, CORE])
    def test_the_last_pods_take_calls_until_others_are_ready(self, audience: str) -> None:
        """All of them terminate: serving ones are kept until one is ready or all went."""
        leaving = [endpoint(f"10.0.0.{n}", ready=False, serving=n < 3, terminating=True) for n in (1, 2, 3)]
        mesh = Mesh(service(50051), endpoint_slice(*leaving))
        assert mesh.dial("backend", audience) == ["10.0.0.1:50051", "10.0.0.2:50051"]
        mesh.update(endpoint_slice(*leaving, endpoint("10.0.0.4", ready=False)))
        assert mesh.dial("backend", audience) == ["10.0.0.1:50051", "10.0.0.2:50051"]
        mesh.update(endpoint_slice(*leaving, "10.0.0.4"))
        assert mesh.dial("backend", audience) == ["10.0.0.4:50051"]
        mesh.update(endpoint_slice())
        assert mesh.dial("backend", audience) == []

    def test_a_pod_that_is_dialled_by_name_takes_calls_until_it_is_gone(self) -> None:
        """It is all that its name stands for, while the service sends new calls to others."""
        leaving = endpoint("10.0.0.1", hostname="web-0", ready=False, serving=True, terminating=True)
        mesh = Mesh(service(50051), endpoint_slice(leaving, endpoint("10.0.0.2", hostname="web-1")))
        assert mesh.dial("web-0.backend.shop") == ["10.0.0.1:50051"]
        assert mesh.dial("backend.shop") == ["10.0.0.2:50051"]

    @pytest.mark.parametrize(
        "left", [endpoint_slice(), endpoint_slice(endpoint("10.0.0.1", ready=False, serving=False))]
    )
    def test_no_usable_endpoint_is_an_unreachable_one_for_grpc_java(self, left: EndpointSlice) -> None:
        """It acknowledges an empty assignment and goes on with the old endpoints; others are sent that."""
        mesh = Mesh(service(50051), endpoint_slice("10.0.0.1"))
        java = "grpc/java/shop"
        assert mesh.dial("backend", java) == mesh.dial("backend", CORE) == ["10.0.0.1:50051"]
        mesh.update(left)
        assert mesh.dial("backend", java) == ["255.255.255.255:1"]
        assert mesh.dial("backend", CORE) == []
        mesh.update(endpoint_slice("10.0.0.1"))
        assert mesh.dial("backend", java) == ["10.0.0.1:50051"]

    def test_assignments_are_shared_by_all_namespaces(self, mesh: Mesh) -> None:
        """State grows with audiences that differ, never with clients."""
        mesh.dial("backend.shop", "grpc/unknown/a")
        before = set(mesh.published.entries)
        mesh.dial("backend.shop", "grpc/unknown/b")
        assert set(mesh.published.entries) == before
        mesh.dial("backend.shop", "grpc/core/b")
        assert set(mesh.published.entries) - before == {entry(type_url.ENDPOINT, audience="grpc/core")}

    def test_a_change_of_endpoints_changes_assignments_only(self, mesh: Mesh) -> None:
        """Nothing else is sent."""
        mesh.dial("backend", UNKNOWN)
        mesh.dial("backend.shop:50051", CORE)
        commit = mesh.update(endpoint_slice("10.0.0.3", port=8081, port_name="grpc"))
        assert [resource[:3] for resource in commit.put] == [
            entry(type_url.ENDPOINT, audience="grpc/core"),
            entry(type_url.ENDPOINT, audience="grpc/unknown"),
        ]
        assert not commit.absent
        assert not commit.forget

    def test_a_pod_that_starts_to_drain_changes_nothing_for_clients_without_it(self) -> None:
        """The rest of an unready pod's life neither."""
        mesh = Mesh(service(50051), endpoint_slice("10.0.0.1", endpoint("10.0.0.2", ready=False)))
        mesh.dial("backend")
        gone = endpoint("10.0.0.2", ready=False, serving=True, terminating=True)
        assert not mesh.update(endpoint_slice("10.0.0.1", gone))
        assert not mesh.update(endpoint_slice("10.0.0.1"))

    def test_a_port_that_moves_to_another_number_takes_its_listeners_along(self, mesh: Mesh) -> None:
        """A name is dialled, and not a cluster."""
        assert mesh.dial("backend.shop:grpc") == ["10.0.0.1:8081", "10.0.0.2:8081"]
        mesh.update(service(ServicePort(60000, "grpc")))
        assert mesh.dial("backend.shop:grpc") == ["10.0.0.1:8081", "10.0.0.2:8081"]
        assert "no TCP port 50051" in absence(mesh, type_url.CLUSTER, CANONICAL)

    def test_zones_are_localities(self) -> None:
        """One each, weighted by its endpoints."""
        pods = [endpoint("10.0.0.1", "b"), endpoint("10.0.0.2", "a"), endpoint("10.0.0.3", "b")]
        mesh = Mesh(service(50051), endpoint_slice(*pods))
        assert zones(mesh.assignment("backend")) == [("a", 1, 1), ("b", 2, 2)]

    def test_a_service_of_5000_endpoints_is_served(self) -> None:
        """In 50 slices, as the controller makes them."""
        pods = [f"10.0.{number // 250}.{number % 250}" for number in range(5000)]
        slices = [
            endpoint_slice(*pods[start : start + 100], name=f"backend-{start}")
            for start in range(0, 5000, 100)
        ]
        mesh = Mesh(service(50051), *slices)
        assert sorted(mesh.dial("backend")) == sorted(f"{pod}:50051" for pod in pods)
        mesh.update(endpoint_slice(*pods[1:100], name="backend-0"))
        assert len(mesh.dial("backend")) == 4999


class TestDemand:
    def test_nothing_is_translated_before_somebody_asks(self, mesh: Mesh) -> None:
        """The cost follows what is watched, not the size of the cluster."""
        assert mesh.published.entries == {}

    def test_wildcards_may_be_answered_from_the_start(self, mesh: Mesh) -> None:
        """Where raw resources are all that they see: those of Envoys wait for more."""
        translated = (type_url.LISTENER, type_url.CLUSTER)
        assert mesh.published.complete == {
            (served, "grpc" if served in translated else "") for served in type_url.SERVED
        }
        for wanted in ((type_url.CLUSTER, "*", UNKNOWN), (type_url.SECRET, "*", ENVOY)):
            assert not mesh.demand(wanted)
            assert not mesh.withdraw(wanted)

    def test_a_resource_names_what_must_be_served_with_it(self, mesh: Mesh) -> None:
        """Listener → route → cluster → assignment."""
        wanted = [(type_url.LISTENER, "backend.shop")]
        wanted += [(served, CANONICAL) for served in (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT)]
        commit = mesh.demand(*((*item, UNKNOWN) for item in wanted))
        references = [resource.references for resource in commit.put]
        assert references == [((following),) for following in wanted[1:]] + [()]

    def test_the_same_demand_again_changes_nothing(self, mesh: Mesh) -> None:
        """Also when it is there twice in one batch, and from another audience that shares the answer."""
        wanted = (type_url.CLUSTER, CANONICAL, UNKNOWN)
        assert len(mesh.demand(wanted, wanted).put) == 1
        assert not mesh.demand(wanted)
        assert not mesh.demand((type_url.CLUSTER, CANONICAL, CORE))

    def test_what_has_no_subscriber_is_forgotten_and_no_longer_followed(self, mesh: Mesh) -> None:
        """Changes of its service cost nothing then."""
        mesh.demand((type_url.ENDPOINT, CANONICAL, UNKNOWN))
        commit = mesh.withdraw((type_url.ENDPOINT, CANONICAL, UNKNOWN))
        assert commit == Commit(forget=[entry(type_url.ENDPOINT, audience="grpc/unknown")])
        assert not mesh.update(endpoint_slice("10.0.0.9", port_name="grpc"))
        assert not mesh.update(delete=[BACKEND.key])

    def test_an_answer_stays_until_the_last_audience_that_shares_it_goes(self, mesh: Mesh) -> None:
        """Two namespaces, one cluster."""
        wanted = [(type_url.CLUSTER, CANONICAL, f"grpc/unknown/{namespace}") for namespace in "ab"]
        mesh.demand(*wanted)
        assert not mesh.withdraw(wanted[0])
        assert not mesh.withdraw(wanted[0])
        assert mesh.withdraw(wanted[1]).forget == [entry(type_url.CLUSTER)]

    def test_a_withdrawal_of_what_was_never_wanted_is_nothing(self, mesh: Mesh) -> None:
        """The engine's reports and translate's state may not be in step."""
        assert not mesh.withdraw((type_url.CLUSTER, CANONICAL, UNKNOWN))

    def test_an_absent_name_is_forgotten_too(self, mesh: Mesh) -> None:
        """A service that comes later is then demanded by no client."""
        wanted = (type_url.LISTENER, "cart.shop", UNKNOWN)
        mesh.demand(wanted)
        assert mesh.translator.withdraw([wanted]) == Commit(), "the engine alone knows of it"
        mesh.withdraw(wanted)
        assert not mesh.update(service(1, name="cart"))

    @pytest.mark.parametrize(
        ("served", "name", "audience", "service_id"),
        [
            (type_url.LISTENER, "cart.shop:1", UNKNOWN, "shop/cart"),
            (type_url.LISTENER, "no name!", UNKNOWN, ""),
            (type_url.CLUSTER, "cart.shop.svc.cluster.local:1", ENVOY, "shop/cart"),
            (type_url.ENDPOINT, "cart.shop.svc.cluster.local:1", ENVOY, "shop/cart"),
            (type_url.SECRET, "anything", UNKNOWN, ""),
        ],
    )
    def test_nothing_is_kept_of_a_name_that_does_not_exist(
        self, mesh: Mesh, served: str, name: str, audience: str, service_id: str
    ) -> None:
        """Clients ask for any number of them: the engine keeps the reason, and the service to wait for."""
        commit = mesh.demand((served, name, audience))
        assert commit.missing == [(served, name, audience, ANY, service_id)]
        assert not any((commit.put, commit.absent, commit.forget))
        assert not mesh.translator._entries

    def test_a_reason_does_not_grow_with_the_name(self, mesh: Mesh) -> None:
        """The engine keeps one for each name."""
        commit = mesh.demand((type_url.ENDPOINT, "x" * 4000, UNKNOWN))
        assert len(commit.missing[0].reason) <= 200

    def test_demand_after_a_withdrawal_is_answered_anew(self, mesh: Mesh) -> None:
        """With what is true now."""
        mesh.dial("backend")
        mesh.withdraw((type_url.ENDPOINT, CANONICAL, UNKNOWN))
        mesh.update(endpoint_slice("10.0.0.9", port=8081, port_name="grpc"))
        assert mesh.dial("backend") == ["10.0.0.9:8081"]

    def test_a_change_that_means_nothing_to_clients_publishes_nothing(self, mesh: Mesh) -> None:
        """Annotations, other order, other objects of equal content."""
        mesh.dial("backend")
        assert not mesh.update(endpoint_slice("10.0.0.2", "10.0.0.1", port=8081, port_name="grpc"))
        moved = endpoint_slice("10.0.0.2", port=8081, port_name="grpc", name="backend-3")
        assert not mesh.update(endpoint_slice("10.0.0.1", port=8081, port_name="grpc"), moved)

    def test_a_batch_is_one_commit(self, mesh: Mesh) -> None:
        """Each resource once, whatever of it changed."""
        mesh.dial("backend")
        pods: list[EndpointSlice] = [
            endpoint_slice("10.0.0.8", port=1, port_name="grpc"),
            endpoint_slice("10.0.0.9", port=2, port_name="grpc", name="backend-9"),
        ]
        (put,) = mesh.update(*pods).put
        assert put[0] == type_url.ENDPOINT
        assert mesh.dial("backend") == ["10.0.0.8:1", "10.0.0.9:2"]


class TestBreakage:
    """A fault of translation itself touches one entry: the last good version is served and the problem is reported."""

    def test_the_last_good_version_stays(self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
        """And the others go on."""
        mesh.dial("backend")
        real = cluster_builder.build

        def broken(name: str, *_: object) -> bytes:
            raise ZeroDivisionError(name)

        monkeypatch.setattr(cluster_builder, "build", broken)
        sticky = msgspec.structs.replace(BACKEND.spec, session_affinity="ClientIP")
        commit = mesh.update(
            msgspec.structs.replace(BACKEND, spec=sticky),
            endpoint_slice("10.0.0.9", port=8081, port_name="grpc"),
        )
        assert [resource.type_url for resource in commit.put] == [type_url.ENDPOINT, type_url.ROUTE]
        problem = Problem(
            f"{type_url.CLUSTER}/{CANONICAL}", f"cannot be translated: ZeroDivisionError('{CANONICAL}')", HINT
        )
        assert mesh.translator.problems() == [problem]
        name = "backend.shop.svc.cluster.local:9090"
        assert absence(mesh, type_url.CLUSTER, name) == "it cannot be translated"
        monkeypatch.setattr(cluster_builder, "build", real)
        mesh.update(BACKEND, PODS)
        assert mesh.translator.problems() == []
        assert mesh.get(type_url.CLUSTER, name)

    @pytest.mark.parametrize("end", ["withdrawn", "deleted"])
    def test_the_problem_goes_with_its_entry(
        self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch, end: str
    ) -> None:
        """An absent object needs no fix."""

        def broken(*_: object) -> bytes:
            raise ZeroDivisionError

        monkeypatch.setattr(cluster_builder, "build", broken)
        wanted = (type_url.CLUSTER, CANONICAL, UNKNOWN)
        mesh.demand(wanted)
        assert len(mesh.translator.problems()) == 1
        if end == "withdrawn":
            mesh.withdraw(wanted)
        else:
            mesh.update(delete=[BACKEND.key])
        assert mesh.translator.problems() == []


def test_the_cost_of_a_change_grows_with_the_endpoints_and_no_faster() -> None:
    """CPU time of one changed endpoint of 500 and of 4,000, in one run: 8 times as much, 64 if it were quadratic."""
    small, big = (_cost_of_a_change(count) for count in (500, 4000))
    assert big < 32 * small


def _cost_of_a_change(count: int) -> float:
    """CPU seconds from one changed slice to the commit, the best of five."""
    pods = [f"10.{number // 65536}.{number // 256 % 256}.{number % 256}" for number in range(count)]
    slices = [endpoint_slice(*pods[start : start + 100], name=f"s-{start}") for start in range(0, count, 100)]
    mesh = Mesh(service(50051), *slices)
    mesh.dial("backend")
    costs = []
    for number in range(5):
        changed = endpoint_slice(f"10.200.0.{number}", *pods[1:100], name="s-0")
        before = time.thread_time()
        commit = mesh.update(changed)
        costs.append(time.thread_time() - before)
        assert len(commit.put) == 1
    return min(costs)


class TestScopes:
    @staticmethod
    def scopes(mesh: Mesh) -> set[str]:
        return {entry[2] for entry in mesh.published.entries.values() if not isinstance(entry, str)}

    def test_public_services_have_none(self, mesh: Mesh) -> None:
        """So that no stream has to compare."""
        mesh.dial("backend")
        assert self.scopes(mesh) == {""}

    def test_with_rules_every_resource_of_a_service_has_its_name(self) -> None:
        """Whatever the spelling was; raw resources stay public."""
        mesh = Mesh(BACKEND, PODS, METRICS, scope_all=True)
        for target in ("backend", "backend.shop:grpc"):
            mesh.dial(target)
        assert len(mesh.published.entries) == 5
        assert self.scopes(mesh) == {"shop/backend"}

    def test_a_raw_secret_has_one_of_its_own_and_other_raw_resources_have_none(self) -> None:
        mesh = Mesh(
            *(
                XdsResource(url, name, {"name": name}, "a.yaml:1")
                for url, name in ((type_url.SECRET, "tls"), (type_url.CLUSTER, "c"))
            )
        )
        assert self.scopes(mesh) == {"secret:tls", ""}

    def test_a_service_that_becomes_private_is_published_anew(self, mesh: Mesh) -> None:
        """With the same bytes: only the clients that may see it change."""
        mesh.dial("backend")
        annotations = {PRIVATE_ANNOTATION: "true"}
        metadata = msgspec.structs.replace(BACKEND.metadata, annotations=annotations)
        commit = mesh.update(msgspec.structs.replace(BACKEND, metadata=metadata))
        assert {put.scope for put in commit.put} == {"shop/backend"}
        assert len(commit.put) == 4
        assert self.scopes(mesh) == {"shop/backend"}

    def test_each_demand_fails_by_itself(self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is answered all the same, and forgotten when no client wants it any more."""
        real = GrpcDialect.root

        def broken(self: GrpcDialect, served: str, name: str, audience: Audience) -> Audience:
            return Audience(str(1 // 0)) if name == "bad" else real(self, served, name, audience)

        monkeypatch.setattr(GrpcDialect, "root", broken)
        bad, good = (type_url.LISTENER, "bad", UNKNOWN), (type_url.LISTENER, "backend", UNKNOWN)
        commit = mesh.demand(bad, good)
        assert commit.absent == [(*bad, "it cannot be translated")]
        assert [put.name for put in commit.put] == ["backend"]
        assert mesh.withdraw(bad).forget == [bad]

    def test_each_change_fails_by_itself(self, mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
        """A resource whose name the engine does not take, and a service: the others are published."""
        mesh.dial("backend")
        real = translator.canonical_name
        monkeypatch.setattr(
            translator, "canonical_name", lambda name: 1 // 0 if name == "bad" else real(name)
        )
        commit = mesh.translator.refresh(
            (),
            [
                ((type_url.CLUSTER, name), XdsResource(type_url.CLUSTER, name, {"name": name}, "x:1"))
                for name in ("bad", "c")
            ],
        )
        assert [put.name for put in commit.put] == ["c"]
        assert [problem.where for problem in mesh.translator.problems()] == ["x:1"]
