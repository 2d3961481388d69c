"""The claims of a client: a Node becomes an audience, and nothing in a Node can do more than that."""

import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.translate.client import metadata
from steerway.translate.client import node as nodes
from steerway.translate.client.audience import encode

ADMIN_DOCUMENT = Path(__file__).parents[4] / "docs" / "admin.md"


def node(user_agent: str = "", version: str = "", **metadata: Any) -> bytes:
    """A serialised Node."""
    message = base_pb2.Node(id="a", user_agent_name=user_agent, user_agent_version=version)
    message.metadata.update(metadata)
    body: bytes = message.SerializeToString()
    return body


def classified(body: bytes, default: str) -> str:
    """The audience as the engine takes it."""
    return encode(nodes.classify(body, default))


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        ("gRPC Go", "grpc/go"),
        ("gRPC Java", "grpc/java"),
        ("gRPC C-core linux", "grpc/core"),
        ("gRPC C-core linux Python", "grpc/core"),
        ("grpc c-core osx Ruby", "grpc/core"),
        ("envoy", "envoy/sidecar"),
        ("Envoy-static", "envoy/sidecar"),
        ("", "grpc/unknown"),
        ("something new", "grpc/unknown"),
    ],
)
def test_a_client_is_known_by_its_user_agent(user_agent: str, kind: str) -> None:
    """As the released clients write it; an unknown one gets what every gRPC client accepts."""
    assert classified(node(user_agent), "default") == f"{kind}/default"


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("1.14.1", "grpc/node"),
        ("1.13.0", "grpc/node"),
        ("2.0", "grpc/node"),
        ("1.12.1", "grpc/no-lrs"),
        ("1.9.0", "grpc/no-lrs-a27"),
        ("0.13.9", "grpc/no-lrs-a27"),
        ("", "grpc/no-lrs"),
        ("next", "grpc/no-lrs"),
        ("1" * 4000 + ".14", "grpc/no-lrs"),
    ],
)
def test_a_client_that_leaks_with_load_reports_has_its_own_audience(version: str, kind: str) -> None:
    """grpc-node 2892: grpc-js before 1.13 must never be asked for them; one without a version may be such a one."""
    assert classified(node("gRPC Node Pure JS", version), "default") == f"{kind}/default"


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ({"steerway.io/role": "gateway"}, "envoy/gateway"),
        ({"steerway.io/role": "sidecar"}, "envoy/sidecar"),
        ({"steerway.io/role": "raw"}, "envoy/raw"),
        ({"steerway.io/role": "Gateway"}, "envoy/sidecar"),
        ({"steerway.io/role": "a/b"}, "envoy/sidecar"),
        ({"steerway.io/role": 7.0}, "envoy/sidecar"),
        ({"role": "gateway"}, "envoy/sidecar"),
        ({"steerway.io/re2-max-program-size": 32768.0}, "envoy/sidecar-re2"),
        ({"steerway.io/re2-max-program-size": "1000000"}, "envoy/sidecar-re2"),
        ({"steerway.io/re2-max-program-size": 1024.0}, "envoy/sidecar"),
        ({"steerway.io/re2-max-program-size": "-1"}, "envoy/sidecar"),
        ({"steerway.io/re2-max-program-size": float("nan")}, "envoy/sidecar"),
        ({"steerway.io/re2-max-program-size": "9" * 5000}, "envoy/sidecar"),
        ({"steerway.io/re2-max-program-size": 32768.0, "steerway.io/role": "gateway"}, "envoy/gateway-re2"),
        ({"steerway.io/re2-max-program-size": 32768.0, "steerway.io/role": "raw"}, "envoy/raw"),
    ],
)
def test_the_role_of_an_envoy(metadata: dict[str, Any], kind: str) -> None:
    """What means nothing is a sidecar, which is not to be reached from outside; large regular expressions are only for
    those that take at least the documented size."""
    assert classified(node("envoy", **metadata), "default") == f"{kind}/default"
    assert classified(node("gRPC Go", **metadata), "default") == "grpc/go/default"


@pytest.mark.parametrize("key", ["NAMESPACE", "namespace", "K8S_NAMESPACE", "POD_NAMESPACE"])
def test_the_namespace_stands_in_the_metadata(key: str) -> None:
    """Under any of the names in use."""
    assert classified(node(**{key: "shop"}), "default") == "grpc/unknown/shop"


def test_the_first_name_in_use_wins() -> None:
    """NAMESPACE, which our own bootstrap writes, before the others."""
    result = classified(node(POD_NAMESPACE="a", NAMESPACE="b", namespace="c"), "default")
    assert result == "grpc/unknown/b"


@pytest.mark.parametrize(
    "value", ["", "Shop", "a/b", "shop ", "x" * 64, "..", 7.0, True, ["shop"], {"a": "b"}]
)
def test_a_namespace_that_can_be_none_is_not_taken(value: object) -> None:
    """Slashes separate the parts of an audience: no client may bring one in."""
    assert classified(node(NAMESPACE=value), "default") == "grpc/unknown/default"


def test_the_next_name_is_tried_when_one_is_unusable() -> None:
    """A label of a pod that was never filled in does not hide the namespace."""
    assert classified(node(NAMESPACE="", POD_NAMESPACE="shop"), "default") == "grpc/unknown/shop"


@pytest.mark.parametrize("body", [b"\xff\xff", b"\x0a", b""])
def test_a_node_that_cannot_be_read_is_a_plain_client(body: bytes) -> None:
    """It is served and logged."""
    assert classified(body, "default") == "grpc/unknown/default"


@pytest.mark.parametrize(
    ("user_agent", "version", "kind"),
    [
        ("gRPC Go", "1.55.0", "go-a42"),
        ("gRPC Go", "1.40.0", "go-a27"),
        ("gRPC Go", "1.56.0", "go"),
        ("gRPC Java", "1.46.0", "java-a42"),
        ("gRPC C-core linux Python", "C-core 31.0.0 Python 1.54.2", "core-a42"),
        ("gRPC C-core linux Python", "C-core 58.0.0 Python 1.85.1", "core"),
        ("gRPC C-core linux", "C-core 29.0.0", "core-a42"),
        ("gRPC C-core linux", "C-core 58.0.0", "core"),
    ],
)
def test_old_versions_have_their_own_audiences(user_agent: str, version: str, kind: str) -> None:
    """They read other fields, or refuse some."""
    assert classified(node(user_agent, version), "default") == f"grpc/{kind}/default"


def test_a_bucket_is_the_same_everywhere_and_evenly_taken() -> None:
    """Of 4,096 clients each of 16 parts has 256, give or take five standard deviations; an id alone is not enough."""
    bodies = [base_pb2.Node(id=f"client-{number}").SerializeToString() for number in range(4096)]
    counter = Counter(nodes.bucket_of(body, "10.0.0.1", 16) for body in bodies)
    assert set(counter) == set(range(16))
    assert all(abs(count - 256) < 80 for count in counter.values()), counter
    same = base_pb2.Node(id="anything").SerializeToString()
    assert len({nodes.bucket_of(same, f"10.0.0.{number}", 16) for number in range(64)}) > 8
    assert nodes.bucket_of(same, "10.0.0.1", 16) == 14
    assert nodes.bucket_of(same, "10.0.0.1", 0) is None


@pytest.mark.parametrize(
    ("claimed", "taken"), [("eu-1a", "eu-1a"), ("a/b", ""), ("-", ""), ("z" * 64, ""), ("", "")]
)
def test_a_claimed_zone_is_a_label_value_or_none(claimed: str, taken: str) -> None:
    """Else it could be any part of an audience."""
    body = base_pb2.Node(locality=base_pb2.Locality(zone=claimed)).SerializeToString()
    assert nodes.claimed_zone(body) == taken
    assert nodes.claimed_zone(b"\xff") == ""


def test_long_nodes_are_not_kept() -> None:
    """What thousands of clients claim of themselves, at the length that the engine takes, is no memory of ours."""
    tracemalloc.start()
    try:
        for number in range(300):
            claims = base_pb2.Node(id=f"{number}-{'x' * 200_000}").SerializeToString()
            nodes.classify(claims, "default")
            nodes.bucket_of(claims, "10.0.0.1", 16)
            nodes.claimed_zone(claims)
            nodes.claimed_namespace(claims)
            nodes.client_of(claims)
        retained, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert retained < 2 << 20


def test_the_metadata_that_is_read_is_named_in_the_documents() -> None:
    """The engine keeps nothing else of it, so node matchers see no other."""
    text = ADMIN_DOCUMENT.read_text()
    assert len(metadata.KEYS) == 8
    assert [key for key in metadata.KEYS if f"`{key}`" not in text] == []


@pytest.mark.parametrize(
    ("value", "full"),
    [("steerway", "grpc/go+tls/default"), ("other", "grpc/go/default"), (7, "grpc/go/default")],
)
def test_a_client_names_its_certificate_provider(value: Any, full: str) -> None:
    """One that TLS resources do not name is none."""
    assert classified(node("gRPC Go", "1.85", **{metadata.PROVIDER: value}), "default") == full


@pytest.mark.parametrize(
    ("value", "services"),
    [
        ("cart", ("cart",)),
        ("pay, cart,pay", ("cart", "pay")),
        ("Cart,a/b,,..", ()),
        ("", ()),
        (["cart"], ()),
        (",".join(f"s{number:02}" for number in range(99)), tuple(f"s{number:02}" for number in range(16))),
    ],
)
def test_a_server_may_claim_services(value: Any, services: tuple[str, ...]) -> None:
    """In its own namespace, a bounded number."""
    assert nodes.claimed_services(node("gRPC Go", "1.85", **{metadata.SERVICE: value})) == services
    assert nodes.claimed_services(node()) == nodes.claimed_services(b"\xff") == ()


def test_no_other_metadata_is_read() -> None:
    """The audience of a Node is that of what the engine keeps."""
    everything = dict.fromkeys((*metadata.KEYS, "LABELS", "zone"), "gateway")
    metadata_keys = {key: everything[key] for key in metadata.KEYS}
    for agent in ("envoy", "gRPC Go"):
        whole, part = node(agent, "1.2", **everything), node(agent, "1.2", **metadata_keys)
        assert classified(whole, "default") == classified(part, "default")
