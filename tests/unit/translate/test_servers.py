"""Listeners and routes of xDS servers: by the configuration of their workload, and by what their library supports."""

from dataclasses import replace

import pytest
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from steerway.catalog.model.security import (
    AccessRule,
    Authorization,
    ServerConfiguration,
    TlsMode,
)
from steerway.translate.grpc import rbac
from steerway.translate.translator import Translator
from steerway.translate.xds import type_url
from steerway.translate.xds.server import ServerListenerBuilder
from testbed.mesh import AbsentError, Published
from testbed.translator_options import translator_options
from tests.support.model import client_rules

NAME = "grpc/server?xds.resource.listening_address=0.0.0.0:8080"
GO = "grpc/go+tls/shop/-/-/-/cart.0a1b2c3d"
PLAIN = "grpc/go/shop/-/-/-/cart.0a1b2c3d"
NODE = "grpc/node+tls/shop/-/-/-/cart.0a1b2c3d"
ROUTE = "server/shop/cart.0a1b2c3d:8080"
OPEN = ServerConfiguration()
STRICT = ServerConfiguration(TlsMode.STRICT, origins=(("tls", "ServerPolicy shop/strict"),))
DENIED = replace(
    OPEN,
    authorization=Authorization(deny=(AccessRule("AuthorizationPolicy shop/no rule 1"),)),
    origins=(("authorization", "AuthorizationPolicy shop/no"),),
)


class Servers:
    """A translator with configurations of servers, by namespace and workload."""

    def __init__(self, configuration: ServerConfiguration = OPEN) -> None:
        self.configuration = configuration
        self.by_workload: dict[tuple[str, str], ServerConfiguration] = {}
        self.built: list[tuple[str, str, int]] = []
        self.translator = Translator(lambda _: None, configuration=self._of, **translator_options())
        self.published = Published()
        self.published.apply(self.translator.start(()))

    def _of(self, namespace: str, workload: str, port: int) -> ServerConfiguration:
        self.built.append((namespace, workload, port))
        return self.by_workload.get((namespace, workload), self.configuration)

    def get(self, served: str, name: str, audience: str) -> bytes:
        """Subscribe and take the answer."""
        self.published.apply(self.translator.demand([(served, name, audience)]))
        body = self.published.body(served, name, audience)
        assert client_rules.refusals(served, name, body) == []
        return body

    def listener(self, audience: str = GO, name: str = NAME) -> listener_pb2.Listener:
        return listener_pb2.Listener.FromString(self.get(type_url.LISTENER, name, audience))

    def route(self, audience: str = GO, name: str = ROUTE) -> route_pb2.RouteConfiguration:
        return route_pb2.RouteConfiguration.FromString(self.get(type_url.ROUTE, name, audience))

    def change(self, configuration: ServerConfiguration, namespace: str = "shop") -> list[tuple[str, str]]:
        """What is published anew."""
        self.configuration = configuration
        commit = self.translator.refresh((), servers=[namespace])
        self.published.apply(commit)
        return [entry[:2] for entry in (*commit.put, *commit.absent)]


@pytest.fixture
def servers() -> Servers:
    return Servers()


def manager(listener: listener_pb2.Listener) -> hcm_pb2.HttpConnectionManager:
    packed = listener.filter_chains[0].filters[0].typed_config
    return hcm_pb2.HttpConnectionManager.FromString(packed.value)


def tls(listener: listener_pb2.Listener) -> tls_pb2.DownstreamTlsContext:
    packed = listener.filter_chains[0].transport_socket.typed_config
    return tls_pb2.DownstreamTlsContext.FromString(packed.value)


def absence(servers: Servers, audience: str = GO, name: str = NAME, served: str = type_url.LISTENER) -> str:
    with pytest.raises(AbsentError) as error:
        servers.get(served, name, audience)
    return str(error.value)


def overridden(route: route_pb2.RouteConfiguration) -> dict[str, rbac_pb2.RBACPerRoute]:
    filters = route.virtual_hosts[0].typed_per_filter_config
    return {name: rbac_pb2.RBACPerRoute.FromString(filters[name].value) for name in filters}


@pytest.mark.parametrize(
    ("address", "host"), [("0.0.0.0:8080", "0.0.0.0"), ("[::]:8080", "::"), ("10.1.2.3:8080", "10.1.2.3")]
)
def test_a_listener_has_the_address_that_the_server_listens_on(
    servers: Servers, address: str, host: str
) -> None:
    """One that is spelled otherwise keeps a server from serving."""
    listener = servers.listener(name=NAME.replace("0.0.0.0:8080", address))
    assert listener.address.socket_address.address == host
    assert listener.address.socket_address.port_value == 8080
    assert not listener.filter_chains[0].HasField("transport_socket")


@pytest.mark.parametrize(
    "address", ["", "0.0.0.0:0", "0.0.0.0", "::8080", "localhost:80", "1.2.3.4:70000", "[1.2.3.4]:1"]
)
def test_a_name_without_an_address_has_no_listener(servers: Servers, address: str) -> None:
    """With the fix in the reason."""
    assert "IP:PORT" in absence(servers, name=NAME.replace("0.0.0.0:8080", address))


@pytest.mark.parametrize(
    ("audience", "filters"),
    [
        (GO, [rbac.DENY, rbac.ALLOW, rbac.AUDIT]),
        (GO.replace("go", "core"), [rbac.DENY, rbac.ALLOW]),
        (GO.replace("go", "java"), [rbac.DENY, rbac.ALLOW]),
        (GO.replace("go", "core-a42"), []),
        (NODE, []),
        (GO.replace("go", "unknown"), []),
    ],
)
def test_every_filter_that_a_library_supports_is_there_from_the_start(
    servers: Servers, audience: str, filters: list[str]
) -> None:
    """So that a new policy does not change the Listener. The router is last, and none is optional."""
    http_filters = manager(servers.listener(audience)).http_filters
    assert [filter.name for filter in http_filters] == [*filters, "envoy.filters.http.router"]
    assert not any(filter.is_optional for filter in http_filters)


def test_authorization_changes_the_routes_alone(servers: Servers) -> None:
    """A changed Listener would cut the connections of the server."""
    name = manager(servers.listener()).rds.route_config_name
    assert name == ROUTE
    assert overridden(servers.route()) == {}
    assert servers.change(DENIED) == [(type_url.ROUTE, ROUTE)]
    assert overridden(servers.route()).keys() == {rbac.DENY}
    assert servers.route().virtual_hosts[0].routes[0].HasField("non_forwarding_action")
    assert servers.change(DENIED) == []
    assert servers.change(OPEN) == [(type_url.ROUTE, ROUTE)]


@pytest.mark.parametrize("mode", [TlsMode.PERMISSIVE, TlsMode.STRICT])
def test_tls_has_the_provider_of_the_bootstrap(mode: TlsMode) -> None:
    """A permissive server has no `require_client_certificate`, which grpc-java takes for true."""
    context = tls(Servers(ServerConfiguration(mode)).listener())
    common = context.common_tls_context
    assert common.tls_certificate_provider_instance.instance_name == "steerway"
    assert common.validation_context.ca_certificate_provider_instance.instance_name == "steerway"
    assert context.HasField("require_client_certificate") is (mode is TlsMode.STRICT)
    assert context.require_client_certificate.value is (mode is TlsMode.STRICT)


def test_a_server_without_a_provider_is_never_served_in_plaintext() -> None:
    """Also when it serves already: its routes refuse calls, whether or not the server drops its Listener."""
    servers = Servers()
    servers.listener(PLAIN)
    assert servers.route(PLAIN).virtual_hosts[0].routes[0].HasField("non_forwarding_action")
    changed = servers.change(STRICT)
    assert changed == [(type_url.ROUTE, ROUTE), (type_url.LISTENER, NAME)]
    assert "TLS is strict (ServerPolicy shop/strict)" in absence(servers, PLAIN)
    assert servers.route(PLAIN).virtual_hosts[0].routes[0].HasField("route")
    assert servers.route(GO).virtual_hosts[0].routes[0].HasField("non_forwarding_action")
    assert servers.change(OPEN)
    servers.listener(PLAIN)


def test_a_library_without_authorization_is_refused_where_it_is_demanded() -> None:
    """Unless the policy permits to serve without."""
    servers = Servers(DENIED)
    assert "AuthorizationPolicy shop/no" in absence(servers, NODE)
    servers.change(replace(DENIED, serve_unsupported=True))
    servers.listener(NODE)
    assert overridden(servers.route(NODE)) == {}
    assert overridden(servers.route(GO)).keys() == {rbac.DENY}


def test_a_fault_leaves_a_server_without_a_listener() -> None:
    """The reason is the one of the catalog."""
    servers = Servers(ServerConfiguration(fault="no Pod has its address"))
    assert absence(servers) == "no Pod has its address"
    assert servers.route().virtual_hosts[0].routes[0].HasField("route")


def test_workloads_and_namespaces_have_listeners_of_their_own(servers: Servers) -> None:
    """Servers that listen on the same address; one that is not identified, too."""
    servers.by_workload["shop", "pay.1"] = STRICT
    servers.by_workload["shop", ""] = replace(OPEN, tls=TlsMode.PERMISSIVE)
    audiences = {"cart.1": False, "pay.1": True, "-": True}
    for workload, encrypted in audiences.items():
        listener = servers.listener(f"grpc/go+tls/shop/-/-/-/{workload}")
        assert listener.filter_chains[0].HasField("transport_socket") is encrypted
        assert manager(listener).rds.route_config_name == f"server/shop/{workload}:8080"
    assert ("shop", "", 8080) in servers.built


def test_a_change_concerns_the_servers_of_its_namespace_alone(servers: Servers) -> None:
    """Others are not even built again."""
    servers.listener()
    servers.listener(GO.replace("shop", "pay"))
    servers.built.clear()
    servers.change(OPEN, "pay")
    assert {namespace for namespace, _, _ in servers.built} == {"pay"}
    servers.published.apply(
        servers.translator.withdraw([(type_url.LISTENER, NAME, GO.replace("shop", "pay"))])
    )
    servers.built.clear()
    assert servers.change(STRICT, "pay") == [] and servers.built == []


def test_routes_of_servers_are_for_their_namespace(servers: Servers) -> None:
    """They name the clients of each method."""
    assert "namespace shop alone" in absence(servers, GO.replace("shop", "pay"), ROUTE, type_url.ROUTE)
    assert "no name of a server's routes" in absence(servers, GO, "server/shop", type_url.ROUTE)


def test_the_last_good_listener_stays_where_translation_breaks(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the problem is reported."""

    def broken(*_: object) -> ServerConfiguration:
        raise ZeroDivisionError

    before = servers.listener()
    monkeypatch.setattr(ServerListenerBuilder, "build", broken)
    assert servers.change(STRICT) == []
    assert servers.listener() == before
    assert NAME in servers.translator.problems()[0].where
