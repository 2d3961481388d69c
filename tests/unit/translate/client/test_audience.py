"""Which clients see the same thing: a Node becomes an audience, and nothing in a Node can do more than that."""

import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.catalog.locality.traffic_distribution import UNKNOWN, ClientLocality
from steerway.translate.client import audience

ADMIN_DOCUMENT = Path(__file__).parents[4] / "docs" / "admin.md"


def node(user_agent: str = "", version: str = "", **metadata: Any) -> bytes:
    """A serialised Node."""
    message = base_pb2.Node(id="a", user_agent_name=user_agent, user_agent_version=version)
    message.metadata.update(metadata)
    body: bytes = message.SerializeToString()
    return body


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
        ("1.14.1", "grpc/node"),
        ("1.13.0", "grpc/node"),
        ("2.0", "grpc/node"),
        ("1.12.1", "grpc/quiet"),
        ("1.9.0", "grpc/quiet-a27"),
        ("0.13.9", "grpc/quiet-a27"),
        ("", "grpc/quiet"),
        ("next", "grpc/quiet"),
        ("1" * 4000 + ".14", "grpc/quiet"),
    ],
)
def test_a_client_that_leaks_with_load_reports_is_told_apart(version: str, kind: str) -> None:
    """grpc-node 2892: grpc-js before 1.13 must never be asked for them; one without a version may be such a one."""
    assert audience.classify(node("gRPC Node Pure JS", version), "default") == f"{kind}/default"


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
def test_an_envoy_says_what_it_is(metadata: dict[str, Any], kind: str) -> None:
    """What means nothing is a sidecar, which is not to be reached from outside; large regular expressions are only for
    those that take at least the documented size."""
    assert audience.classify(node("envoy", **metadata), "default") == f"{kind}/default"
    assert audience.classify(node("gRPC Go", **metadata), "default") == "grpc/go/default"


@pytest.mark.parametrize("key", ["NAMESPACE", "namespace", "K8S_NAMESPACE", "POD_NAMESPACE"])
def test_the_namespace_stands_in_the_metadata(key: str) -> None:
    """Under any of the names in use."""
    assert audience.classify(node(**{key: "shop"}), "default") == "grpc/plain/shop"


def test_the_first_name_in_use_wins() -> None:
    """NAMESPACE, which our own bootstrap writes, before the others."""
    result = audience.classify(node(POD_NAMESPACE="a", NAMESPACE="b", namespace="c"), "default")
    assert result == "grpc/plain/b"


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
    ("user_agent", "version", "kind"),
    [
        ("gRPC Go", "1.55.0", "go-a42"),
        ("gRPC Go", "1.40.0", "go-a27"),
        ("gRPC Go", "1.56.0", "go"),
        ("gRPC Java", "1.46.0", "java-a42"),
        ("gRPC C-core linux Python", "C-core 31.0.0 Python 1.54.2", "core-a42"),
        ("gRPC C-core linux Python", "C-core 58.0.0 Python 1.85.1", "core"),
        ("gRPC C-core linux", "C-core 6.0.0", "core"),
    ],
)
def test_old_versions_are_told_apart(user_agent: str, version: str, kind: str) -> None:
    """They read other fields, or refuse some; the version of a wrapped language is that of the release."""
    assert audience.classify(node(user_agent, version), "default") == f"grpc/{kind}/default"


@pytest.mark.parametrize(
    ("full", "dialect", "level", "draining", "reports"),
    [
        ("grpc/plain/shop", "grpc", "", False, True),
        ("grpc/core/shop", "grpc", "", True, True),
        ("grpc/core-a42/shop", "grpc", "a42", True, True),
        ("grpc/quiet/shop", "grpc", "", False, False),
        ("grpc/quiet-a27/shop/z/n/7", "grpc", "a27", False, False),
        ("envoy/sidecar/shop", "envoy", "", True, True),
    ],
)
def test_an_audience_falls_into_parts(
    full: str, dialect: str, level: str, draining: bool, reports: bool
) -> None:
    """Each wider part is a prefix, as the engine's fallback wants it."""
    assert (audience.dialect_of(full), audience.namespace_of(full)) == (dialect, "shop")
    assert (audience.level_of(full), audience.keeps_draining(full), audience.reports_load(full)) == (
        level,
        draining,
        reports,
    )
    assert list(audience.widening("a/b/c")) == ["a/b/c", "a/b", "a", ""]
    assert audience.first_parts(full, 2) == "/".join(full.split("/")[:2])


@pytest.mark.parametrize(
    ("full", "keeps"),
    [
        ("grpc/java/shop", True),
        ("grpc/java-a27/shop/z", True),
        ("grpc/go/shop", False),
        ("grpc/plain/java", False),
        ("envoy/sidecar/shop", False),
    ],
)
def test_clients_that_keep_withdrawn_endpoints_are_known(full: str, keeps: bool) -> None:
    """Every version of grpc-java."""
    assert audience.keeps_withdrawn(full) is keeps


@pytest.mark.parametrize(
    ("full", "misses"),
    [
        ("grpc/node/shop", True),
        ("grpc/node-a42/shop", True),
        ("grpc/quiet/shop/z", True),
        ("grpc/java/node", False),
        ("grpc/plain/shop", False),
        ("envoy/sidecar/shop", False),
    ],
)
def test_clients_that_miss_returns_are_known(full: str, misses: bool) -> None:
    """Every version of grpc-js."""
    assert audience.misses_returns(full) is misses


@pytest.mark.parametrize(
    ("locality", "full"),
    [
        (ClientLocality(), "grpc/plain/shop/-/-/3"),
        (ClientLocality("eu-1a"), "grpc/plain/shop/eu-1a/-/3"),
        (ClientLocality("eu-1a", "n1"), "grpc/plain/shop/eu-1a/n1/3"),
    ],
)
def test_an_audience_may_have_a_bucket(locality: ClientLocality, full: str) -> None:
    """Then all have, and none is wider than another."""
    assert audience.at_locality("grpc/plain/shop", locality, 3) == full
    assert (audience.locality_of(full), audience.bucket_in(full)) == (locality, 3)
    assert audience.bucket_in("grpc/plain/shop/eu-1a") is None


def test_a_bucket_is_the_same_everywhere_and_evenly_taken() -> None:
    """Of 4,096 clients each of 16 parts has 256, give or take five standard deviations; an id alone is not enough."""
    nodes = [base_pb2.Node(id=f"client-{number}").SerializeToString() for number in range(4096)]
    counter = Counter(audience.bucket_of(body, "10.0.0.1", 16) for body in nodes)
    assert set(counter) == set(range(16))
    assert all(abs(count - 256) < 80 for count in counter.values()), counter
    same = base_pb2.Node(id="anything").SerializeToString()
    assert len({audience.bucket_of(same, f"10.0.0.{number}", 16) for number in range(64)}) > 8
    assert audience.bucket_of(same, "10.0.0.1", 16) == 14
    assert audience.bucket_of(same, "10.0.0.1", 0) is None


@pytest.mark.parametrize(
    ("locality", "full"),
    [
        (ClientLocality(), "grpc/plain/shop"),
        (ClientLocality("eu-1a"), "grpc/plain/shop/eu-1a"),
        (ClientLocality("eu-1a", "n1.example"), "grpc/plain/shop/eu-1a/n1.example"),
        (ClientLocality("", "n1"), "grpc/plain/shop/-/n1"),
    ],
)
def test_an_audience_may_have_a_place(locality: ClientLocality, full: str) -> None:
    """The narrowest part, so that what is the same everywhere is published once."""
    assert audience.at_locality("grpc/plain/shop", locality) == full
    assert audience.locality_of(full) == locality
    assert audience.anywhere(full) == "grpc/plain/shop"
    assert audience.namespace_of(full) == "shop"


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
    unknown = audience.at_locality("grpc/plain/shop", ClientLocality("", UNKNOWN))
    half_known = audience.at_locality("grpc/plain/shop", ClientLocality("eu-1a", UNKNOWN))
    assert (unknown, half_known) == ("grpc/plain/shop/-/-", "grpc/plain/shop/eu-1a/-")
    assert audience.locality_of(unknown) == ClientLocality()
    assert audience.locality_of(half_known) == ClientLocality("eu-1a")


def test_audiences_widen_part_by_part() -> None:
    """From the client's own audience to everybody."""
    assert list(audience.widening("grpc/plain/shop")) == ["grpc/plain/shop", "grpc/plain", "grpc", ""]
    assert list(audience.widening("")) == [""]


def test_long_nodes_are_not_kept() -> None:
    """What thousands of clients claim of themselves, at the length that the engine takes, is no memory of ours."""
    tracemalloc.start()
    try:
        for number in range(300):
            claims = base_pb2.Node(id=f"{number}-{'x' * 200_000}").SerializeToString()
            audience.classify(claims, "default")
            audience.bucket_of(claims, "10.0.0.1", 16)
            audience.claimed_zone(claims)
            audience.claimed_namespace(claims)
            audience.client_of(claims)
        retained, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert retained < 2 << 20


def test_the_metadata_that_is_read_is_named_in_the_documents() -> None:
    """The engine keeps nothing else of it, so node matchers see no other."""
    text = ADMIN_DOCUMENT.read_text()
    assert len(audience.METADATA_KEYS) == 6
    assert [key for key in audience.METADATA_KEYS if f"`{key}`" not in text] == []


def test_no_other_metadata_is_read() -> None:
    """The audience of a Node is that of what the engine keeps."""
    everything = dict.fromkeys((*audience.METADATA_KEYS, "LABELS", "zone"), "gateway")
    metadata_keys = {key: everything[key] for key in audience.METADATA_KEYS}
    for agent in ("envoy", "gRPC Go"):
        whole, part = node(agent, "1.2", **everything), node(agent, "1.2", **metadata_keys)
        assert audience.classify(whole, "default") == audience.classify(part, "default")
