"""Which clients see the same thing: a Node becomes an audience, and nothing in a Node can do more than that."""

from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.catalog.reach import NOWHERE, ClientPlace
from steerway.translate import audience


def node(user_agent: str = "", version: str = "", **metadata: Any) -> bytes:
    """A serialised Node."""
    message = base_pb2.Node(id="a", user_agent_name=user_agent, user_agent_version=version)
    message.metadata.update(metadata)
    body: bytes = message.SerializeToString()
    return body


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        ("gRPC Go", "grpc/plain"),
        ("gRPC Java", "grpc/plain"),
        ("gRPC C-core linux", "grpc/core"),
        ("gRPC C-core linux Python", "grpc/core"),
        ("grpc c-core osx Ruby", "grpc/core"),
        ("envoy", "envoy/all"),
        ("Envoy-static", "envoy/all"),
        ("", "grpc/plain"),
        ("something new", "grpc/plain"),
    ],
)
def test_a_client_is_known_by_its_user_agent(user_agent: str, kind: str) -> None:
    """As the released clients write it; an unknown one gets what every gRPC client accepts."""
    assert audience.classify(node(user_agent), "default") == f"{kind}/default"


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("1.14.1", "grpc/plain"),
        ("1.13.0", "grpc/plain"),
        ("2.0", "grpc/plain"),
        ("1.12.1", "grpc/quiet"),
        ("1.9.0", "grpc/quiet"),
        ("0.13.9", "grpc/quiet"),
        ("", "grpc/quiet"),
        ("next", "grpc/quiet"),
        ("1" * 4000 + ".14", "grpc/quiet"),
    ],
)
def test_a_client_that_leaks_with_load_reports_is_told_apart(version: str, kind: str) -> None:
    """grpc-node 2892: grpc-js before 1.13 must never be asked for them; one without a version may be such a one."""
    assert audience.classify(node("gRPC Node Pure JS", version), "default") == f"{kind}/default"


@pytest.mark.parametrize("key", ["NAMESPACE", "namespace", "K8S_NAMESPACE", "POD_NAMESPACE"])
def test_the_namespace_stands_in_the_metadata(key: str) -> None:
    """Under any of the names in use."""
    assert audience.classify(node(**{key: "shop"}), "default") == "grpc/plain/shop"


def test_the_first_name_in_use_wins() -> None:
    """NAMESPACE, which our own bootstrap writes, before the others."""
    found = audience.classify(node(POD_NAMESPACE="a", NAMESPACE="b", namespace="c"), "default")
    assert found == "grpc/plain/b"


@pytest.mark.parametrize(
    "value", ["", "Shop", "a/b", "shop ", "x" * 64, "..", 7.0, True, ["shop"], {"a": "b"}]
)
def test_a_namespace_that_can_be_none_is_not_taken(value: object) -> None:
    """An audience is told apart by slashes: nobody may bring one in."""
    assert audience.classify(node(NAMESPACE=value), "default") == "grpc/plain/default"


def test_the_next_name_is_tried_when_one_is_unusable() -> None:
    """A label of a pod that was never filled in does not hide the namespace."""
    assert audience.classify(node(NAMESPACE="", POD_NAMESPACE="shop"), "default") == "grpc/plain/shop"


@pytest.mark.parametrize("body", [b"\xff\xff", b"\x0a", b""])
def test_a_node_that_cannot_be_read_is_a_plain_client(body: bytes) -> None:
    """It is served; the log says so."""
    assert audience.classify(body, "default") == "grpc/plain/default"


@pytest.mark.parametrize(
    ("full", "dialect", "kind", "namespace"),
    [
        ("grpc/plain/shop", "grpc", "grpc/plain", "shop"),
        ("grpc/core/shop", "grpc", "grpc/core", "shop"),
        ("grpc/quiet/shop", "grpc", "grpc/quiet", "shop"),
        ("envoy/all/shop", "envoy", "envoy", "shop"),
    ],
)
def test_an_audience_falls_into_parts(full: str, dialect: str, kind: str, namespace: str) -> None:
    """Each wider part is a prefix, as the engine's fallback wants it."""
    assert (audience.dialect_of(full), audience.kind_of(full), audience.namespace_of(full)) == (
        dialect,
        kind,
        namespace,
    )
    assert full.startswith(f"{kind}/")
    assert kind.startswith(dialect)


@pytest.mark.parametrize(
    ("place", "full"),
    [
        (ClientPlace(), "grpc/plain/shop"),
        (ClientPlace("eu-1a"), "grpc/plain/shop/eu-1a"),
        (ClientPlace("eu-1a", "n1.example"), "grpc/plain/shop/eu-1a/n1.example"),
        (ClientPlace("", "n1"), "grpc/plain/shop/-/n1"),
    ],
)
def test_an_audience_may_have_a_place(place: ClientPlace, full: str) -> None:
    """The narrowest part, so that what is the same everywhere is published once."""
    assert audience.at_place("grpc/plain/shop", place) == full
    assert audience.place_of(full) == place
    assert audience.anywhere(full) == "grpc/plain/shop"
    assert (audience.kind_of(full), audience.namespace_of(full)) == ("grpc/plain", "shop")


@pytest.mark.parametrize(
    ("claimed", "taken"), [("eu-1a", "eu-1a"), ("a/b", ""), ("-", ""), ("z" * 64, ""), ("", "")]
)
def test_a_claimed_zone_is_a_label_value_or_none(claimed: str, taken: str) -> None:
    """Else it could be any part of an audience."""
    body = base_pb2.Node(locality=base_pb2.Locality(zone=claimed)).SerializeToString()
    assert audience.claimed_zone(body) == taken
    assert audience.claimed_zone(b"\xff") == ""


def test_where_nodes_count_no_audience_is_wider_than_another() -> None:
    """A client would see what is for clients of no node until its own is answered."""
    unknown = audience.at_place("grpc/plain/shop", ClientPlace("", NOWHERE))
    half_known = audience.at_place("grpc/plain/shop", ClientPlace("eu-1a", NOWHERE))
    assert (unknown, half_known) == ("grpc/plain/shop/-/-", "grpc/plain/shop/eu-1a/-")
    assert audience.place_of(unknown) == ClientPlace()
    assert audience.place_of(half_known) == ClientPlace("eu-1a")
