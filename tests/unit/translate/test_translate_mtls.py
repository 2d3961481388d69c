"""Clusters with TLS: for clients with the certificate provider alone, by the identities of the servers."""

from dataclasses import replace

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from steerway.catalog.model.mesh import Endpoint, Port, Service, ServiceId
from steerway.catalog.model.security import PLAINTEXT, MatchType, PortTls, TextMatch, TlsMode
from steerway.translate.translator import Translator
from steerway.translate.xds import type_url
from testbed.mesh import Published
from testbed.translator_options import translator_options
from tests.support.model import client_rules

ID = ServiceId("shop", "cart")
NAME = "cart.shop.svc.cluster.local:80"
SECURE_NAME = "cart.shop.svc.cluster.local:443"
ACCOUNT = TextMatch(MatchType.EXACT, "spiffe://cluster.local/ns/shop/sa/cart")
STRICT = PortTls(TlsMode.STRICT, (ACCOUNT,), origin="ServerPolicy shop/strict")
PLAIN, SECURE = (Port(80, "grpc", endpoints=(Endpoint("10.0.0.1", 8080),)), Port(443, "grpcs"))
WITH, WITHOUT, XDS_SERVER = "grpc/go+tls/shop", "grpc/go/shop", "grpc/go+tls/shop/-/-/-/pay.1"


class Clients:
    """A translator of one Service."""

    def __init__(self, *ports: Port) -> None:
        self.service = Service(ID, ports)
        self.translator = Translator(lambda id: self.service if id == ID else None, **translator_options())
        self.published = Published()
        self.published.apply(self.translator.start(()))

    def cluster(self, audience: str, name: str = NAME) -> cluster_pb2.Cluster:
        """Subscribe and take the answer."""
        self.published.apply(self.translator.demand([(type_url.CLUSTER, name, audience)]))
        body = self.published.body(type_url.CLUSTER, name, audience)
        assert client_rules.refusals(type_url.CLUSTER, name, body) == []
        return cluster_pb2.Cluster.FromString(body)

    def change(self, *ports: Port) -> list[str]:
        """The audiences that get another Cluster."""
        self.service = Service(ID, ports)
        commit = self.translator.refresh([ID])
        self.published.apply(commit)
        return [put.audience for put in commit.put]


def names(cluster: cluster_pb2.Cluster) -> list[str]:
    """The servers that the client accepts, as matchers write them; none in plaintext."""
    if not cluster.HasField("transport_socket"):
        return []
    common = tls_pb2.UpstreamTlsContext.FromString(
        cluster.transport_socket.typed_config.value
    ).common_tls_context
    assert common.tls_certificate_provider_instance.instance_name == "steerway"
    matchers = common.validation_context.match_subject_alt_names
    return [
        f"{matcher.WhichOneof('match_pattern')} {matcher.exact or matcher.prefix}" for matcher in matchers
    ]


@pytest.mark.parametrize("audience", [WITH, XDS_SERVER])
def test_a_client_with_the_provider_verifies_the_servers(audience: str) -> None:
    """By the SPIFFE IDs of their service accounts."""
    clients = Clients(replace(PLAIN, mtls=STRICT))
    assert names(clients.cluster(audience)) == [f"exact {ACCOUNT.text}"]
    assert names(clients.cluster(WITHOUT)) == []


def test_servers_that_are_not_known_are_verified_by_their_namespace() -> None:
    """A prefix, until a Pod shows its account."""
    prefix = TextMatch(MatchType.PREFIX, "spiffe://cluster.local/ns/shop/sa/")
    clients = Clients(replace(PLAIN, mtls=replace(STRICT, identities=(prefix,))))
    assert names(clients.cluster(WITH)) == [f"prefix {prefix.text}"]
    changed = clients.change(replace(PLAIN, mtls=STRICT))
    assert changed == ["grpc/go+tls"]


def test_plaintext_is_published_once_for_all() -> None:
    """Where no port has TLS, kinds do not matter."""
    clients = Clients(PLAIN)
    assert names(clients.cluster(WITH)) == names(clients.cluster(WITHOUT)) == []
    assert {audience for *_, audience in clients.published.entries} == {"grpc"}
    assert sorted(clients.change(replace(PLAIN, mtls=STRICT))) == ["grpc/go", "grpc/go+tls"]


def test_a_port_may_be_replaced_for_clients_with_the_provider() -> None:
    """The second port of a migration: its endpoints, and its TLS."""
    moved = replace(PLAIN, mtls=replace(PLAINTEXT, replaced_by=443))
    clients = Clients(moved, replace(SECURE, mtls=STRICT))
    secured, plain = clients.cluster(WITH), clients.cluster(WITHOUT)
    assert secured.eds_cluster_config.service_name == SECURE_NAME
    assert names(secured) == [f"exact {ACCOUNT.text}"]
    assert (plain.eds_cluster_config.service_name, names(plain)) == (NAME, [])
    body = clients.published.entries[type_url.CLUSTER, NAME, "grpc/go+tls"]
    assert body[1] == ((type_url.ENDPOINT, SECURE_NAME),)
    assert names(clients.cluster(WITH, SECURE_NAME)) == [f"exact {ACCOUNT.text}"]


def test_a_replacement_that_does_not_exist_changes_nothing() -> None:
    """As while the Service is changed."""
    clients = Clients(replace(PLAIN, mtls=replace(STRICT, replaced_by=443)))
    cluster = clients.cluster(WITH)
    assert (cluster.eds_cluster_config.service_name, names(cluster)) == (NAME, [f"exact {ACCOUNT.text}"])
