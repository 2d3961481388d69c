"""Which client it is, by its Node and in the command line."""

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.errors import TranslateError
from steerway.translate.client.audience import decode
from steerway.translate.client.capability import Restriction
from steerway.translate.client.client import Client, of_node, parse
from steerway.translate.client.library import Library

CORE, JAVA, GO, NODE, ENVOY = Library.CORE, Library.JAVA, Library.GO, Library.NODE, Library.ENVOY


@pytest.mark.parametrize(
    ("agent", "text", "client"),
    [
        ("gRPC Go", "1.85.0", Client(GO, (1, 85))),
        ("gRPC C-core linux Python", "C-core 58.0.0 Python 1.85.1", Client(CORE, (1, 85))),
        ("gRPC C-core linux", "C-core 29.0.0", Client(CORE, (1, 51))),
        ("gRPC C-core linux", "C-core 30.1.0", Client(CORE, (1, 53))),
        ("gRPC C-core linux", "C-core 44.1.1", Client(CORE, (1, 68))),
        ("gRPC C-core linux", "C-core 55.0.0", Client(CORE, (1, 80))),
        ("gRPC C-core linux", "C-core 99.0.0", Client(CORE, (1, 85))),
        ("gRPC C-core linux", "C-core 6.0.0", Client(CORE, (1, 0))),
        ("gRPC Java", "1.85.1", Client(JAVA, (1, 85))),
        ("gRPC Node Pure JS", "1.14.1", Client(NODE, (1, 14))),
        ("envoy", "", Client(ENVOY)),
        ("gRPC Go", "1.70.0-dev", Client(GO, (1, 70))),
        ("gRPC Go", "", Client(GO)),
        ("gRPC Go", "unknown", Client(GO)),
        ("gRPC Go", "v1.70.0", Client(GO)),
        ("something", "2.3", Client(version=(2, 3))),
        ("", "", Client()),
    ],
)
def test_a_node_names_its_library_and_version(agent: str, text: str, client: Client) -> None:
    """In the forms of released clients; a name or version that cannot be read is unknown."""
    assert of_node(base_pb2.Node(user_agent_name=agent, user_agent_version=text)) == client


def test_an_envoy_may_take_large_regular_expressions() -> None:
    """It has one of two sizes, which the audience has, too."""
    node = base_pb2.Node(user_agent_name="envoy")
    assert of_node(node).program_size == decode("envoy/sidecar/shop").program_size == 100
    node.metadata.update({"steerway.io/re2-max-program-size": 40_000})
    assert of_node(node).program_size == decode("envoy/gateway-re2/shop/z").program_size == 32_768
    assert decode("envoy/gateway-re2/shop/z").kind == "gateway"
    node.user_agent_name = "gRPC Go"
    assert of_node(node).program_size == 100


def test_envoy_has_its_version_in_another_field() -> None:
    """`user_agent_build_version`."""
    node = base_pb2.Node(user_agent_name="envoy")
    node.user_agent_build_version.version.major_number = 1
    node.user_agent_build_version.version.minor_number = 40
    assert of_node(node) == Client(ENVOY, (1, 40))


@pytest.mark.parametrize(
    ("client", "leaks"),
    [
        (Client(NODE, (1, 12)), True),
        (Client(NODE, (1, 13)), False),
        (Client(NODE), True),
        (Client(GO, (1, 1)), False),
    ],
)
def test_old_clients_in_javascript_are_not_asked_for_loads(client: Client, leaks: bool) -> None:
    """grpc-node 2892; an unknown version may be one of them."""
    assert client.has(Restriction.LOAD_REPORT_LEAK) is leaks


@pytest.mark.parametrize(
    ("text", "client", "shown"),
    [
        ("grpc-go/1.70", Client(GO, (1, 70)), "grpc-go 1.70"),
        ("GRPCIO", Client(CORE), "C-core (C++, Python, Ruby)"),
        ("envoy/1.40.0", Client(ENVOY, (1, 40)), "Envoy 1.40"),
        ("grpc-node/1.14", Client(NODE, (1, 14)), "grpc-js 1.14"),
    ],
)
def test_people_write_a_name_and_perhaps_a_version(text: str, client: Client, shown: str) -> None:
    """In any case of letters."""
    assert parse(text) == client
    assert str(client) == shown


@pytest.mark.parametrize("text", ["", "grpc", "grpc-go/", "grpc-go/1", "grpc-go/new", "/1.2", "plain"])
def test_what_is_no_client_is_refused(text: str) -> None:
    """The message lists the known names."""
    with pytest.raises(TranslateError, match="c-core, envoy, grpc-c\\+\\+"):
        parse(text)
