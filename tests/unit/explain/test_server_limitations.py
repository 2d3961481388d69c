"""What the libraries of xDS servers, and of their clients, do not support of policies for servers."""

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.catalog.model.mesh import Port, Service, ServiceId
from steerway.catalog.model.security import (
    AccessRule,
    Authorization,
    MatchType,
    PortTls,
    ServerConfiguration,
    TextMatch,
    TlsMode,
)
from steerway.explain import limitation
from steerway.explain.subscriber import Subscribers
from steerway.translate.client.client import Client
from steerway.translate.client.library import Library
from steerway.translate.xds import type_url

ID = ServiceId("shop", "cart")
IDENTITY = TextMatch(MatchType.EXACT, "spiffe://cluster.local/ns/shop/sa/web")
RULE = AccessRule("rule", principals=(IDENTITY,))
NAME = "grpc/server?xds.resource.listening_address=0.0.0.0:8080"
AGENTS = {Library.CORE: "gRPC C-core linux", Library.GO: "gRPC Go", Library.NODE: "gRPC Node Pure JS"}


@pytest.mark.parametrize(
    ("configuration", "library", "words"),
    [
        (ServerConfiguration(), Library.NODE, []),
        (ServerConfiguration(authorization=Authorization(deny=(RULE,))), Library.NODE, ["A41"]),
        (ServerConfiguration(authorization=Authorization(deny=(RULE,))), Library.GO, []),
        (ServerConfiguration(authorization=Authorization(audit_deny=(RULE,))), Library.GO, []),
        (ServerConfiguration(authorization=Authorization(audit_allow=())), Library.CORE, ["A59"]),
        (ServerConfiguration(TlsMode.PERMISSIVE, Authorization(allow=(RULE,))), Library.GO, ["Permissive"]),
        (ServerConfiguration(TlsMode.PERMISSIVE, Authorization(allow=())), Library.GO, []),
        (ServerConfiguration(TlsMode.STRICT, Authorization(allow=(RULE,))), Library.GO, []),
        (ServerConfiguration(TlsMode.PERMISSIVE, Authorization(allow=(RULE,))), Library.CORE, []),
    ],
)
def test_servers_have_limitations_by_their_library(
    configuration: ServerConfiguration, library: Library, words: list[str]
) -> None:
    """Of authorization alone: TLS is the same in all."""
    sentences = limitation.of_server(configuration, Client(library))
    assert len(sentences) == len(words)
    assert all(word in sentence for word, sentence in zip(words, sentences, strict=True))


def _limitations(library: Library, audience: str, served: str, name: str) -> list[str]:
    """Of a stream that subscribes to one name."""
    mtls = PortTls(TlsMode.STRICT, (IDENTITY,), origin="ServerPolicy shop/strict")
    service = Service(ID, (Port(80, "grpc", mtls=mtls),))
    denied = ServerConfiguration(authorization=Authorization(deny=(RULE,)), services=(ID,))
    subscribers = Subscribers(
        {ID: service}.get,
        "cluster.local",
        configuration=lambda namespace, workload, port: (
            denied if (namespace, workload, port) == ("shop", "cart.1", 8080) else ServerConfiguration()
        ),
    )
    node: bytes = base_pb2.Node(user_agent_name=AGENTS[library]).SerializeToString()
    return subscribers.limitations(node, audience, [(served, name)])


def test_the_limitations_of_a_server_are_those_of_its_stream() -> None:
    """By its workload and the port that it listens on."""
    own = _limitations(Library.NODE, "grpc/node/shop/-/-/-/cart.1", type_url.LISTENER, NAME)
    assert len(own) == 1 and own[0].startswith(
        "server of shop/cart, port 8080: authorization at gRPC servers"
    )
    for audience in ("grpc/node/shop/-/-/-/-", "grpc/node/shop/-/-/-/pay.1", "grpc/node/pay/-/-/-/cart.1"):
        assert _limitations(Library.NODE, audience, type_url.LISTENER, NAME) == []
    assert _limitations(Library.NODE, "grpc/node/shop", type_url.LISTENER, NAME[:-5]) == []


def test_a_client_without_the_provider_is_named() -> None:
    """It stays in plaintext, which is the fact that its owner must know."""
    cluster = "cart.shop.svc.cluster.local:80"
    without = _limitations(Library.CORE, "grpc/core/shop", type_url.CLUSTER, cluster)
    assert len(without) == 1
    assert "no certificate provider 'steerway'" in without[0] and "ServerPolicy shop/strict" in without[0]
    assert _limitations(Library.CORE, "grpc/core+tls/shop", type_url.CLUSTER, cluster) == []
