"""The clients that share a resource, and the text of it for the engine."""

import pytest

from steerway.catalog.locality.traffic_distribution import UNKNOWN, ClientLocality
from steerway.translate.client.audience import (
    EVERYBODY,
    Audience,
    Width,
    at_locality,
    decode,
    encode,
)

SHOP = Audience("grpc", "unknown", namespace="shop")


@pytest.mark.parametrize(
    ("full", "dialect", "level", "draining", "reports"),
    [
        ("grpc/unknown/shop", "grpc", "", False, True),
        ("grpc/core/shop", "grpc", "", True, True),
        ("grpc/core-a42/shop", "grpc", "a42", True, True),
        ("grpc/no-lrs/shop", "grpc", "", False, False),
        ("grpc/no-lrs-a27/shop/z/n/7", "grpc", "a27", False, False),
        ("envoy/sidecar/shop", "envoy", "", True, True),
    ],
)
def test_an_audience_falls_into_parts(
    full: str, dialect: str, level: str, draining: bool, reports: bool
) -> None:
    """Each wider part is a prefix, as the engine's fallback wants it."""
    audience = decode(full)
    assert (audience.dialect, audience.namespace) == (dialect, "shop")
    assert (audience.generation, audience.keeps_draining, audience.reports_load) == (level, draining, reports)
    assert encode(audience) == full
    assert encode(audience.widened(Width.KIND)) == "/".join(full.split("/")[:2])


@pytest.mark.parametrize(
    ("full", "keeps"),
    [
        ("grpc/java/shop", True),
        ("grpc/java-a27/shop/z", True),
        ("grpc/go/shop", False),
        ("grpc/unknown/java", False),
        ("envoy/sidecar/shop", False),
    ],
)
def test_clients_that_keep_withdrawn_endpoints_are_known(full: str, keeps: bool) -> None:
    """Every version of grpc-java."""
    assert decode(full).keeps_withdrawn is keeps


@pytest.mark.parametrize(
    ("full", "misses"),
    [
        ("grpc/node/shop", True),
        ("grpc/node-a42/shop", True),
        ("grpc/no-lrs/shop/z", True),
        ("grpc/java/node", False),
        ("grpc/unknown/shop", False),
        ("envoy/sidecar/shop", False),
    ],
)
def test_clients_that_miss_returns_are_known(full: str, misses: bool) -> None:
    """Every version of grpc-js."""
    assert decode(full).misses_returns is misses


@pytest.mark.parametrize(
    ("locality", "full"),
    [
        (ClientLocality(), "grpc/unknown/shop/-/-/3"),
        (ClientLocality("eu-1a"), "grpc/unknown/shop/eu-1a/-/3"),
        (ClientLocality("eu-1a", "n1"), "grpc/unknown/shop/eu-1a/n1/3"),
    ],
)
def test_an_audience_may_have_a_bucket(locality: ClientLocality, full: str) -> None:
    """Then all have, and none is wider than another."""
    assert encode(at_locality(SHOP, locality, 3)) == full
    assert (decode(full).locality, decode(full).bucket) == (locality, 3)
    assert decode("grpc/unknown/shop/eu-1a").bucket == -1


@pytest.mark.parametrize(
    ("locality", "bucket", "full"),
    [
        (ClientLocality(), None, "grpc/unknown/shop/-/-/-/cart.1"),
        (ClientLocality("eu-1a"), None, "grpc/unknown/shop/eu-1a/-/-/cart.1"),
        (ClientLocality("eu-1a", "n1"), 3, "grpc/unknown/shop/eu-1a/n1/3/cart.1"),
    ],
)
def test_an_audience_may_have_a_workload(locality: ClientLocality, bucket: int | None, full: str) -> None:
    """What is for all of a locality or bucket has a prefix of it."""
    audience = at_locality(SHOP, locality, bucket, "cart.1")
    assert encode(audience) == full
    assert decode(full) == audience
    for width in Width:
        assert full.startswith(encode(audience.widened(width)))
    assert audience.widened(Width.BUCKET).locality == locality
    assert audience.width == Width.WORKLOAD and "" in map(encode, audience.widening())


def test_clients_with_a_provider_are_of_another_kind() -> None:
    """They alone can use a cluster with TLS."""
    with_provider, without = decode("grpc/core-a42+tls/shop"), decode("grpc/core-a42/shop")
    assert with_provider.provider and not without.provider
    assert with_provider._replace(provider=False) == without
    assert encode(with_provider) == "grpc/core-a42+tls/shop"
    assert encode(with_provider.widened(Width.KIND)) == "grpc/core-a42+tls"
    assert with_provider.widened(Width.DIALECT) == without.widened(Width.DIALECT)
    assert (decode("grpc/go+tls/shop").has_rbac, decode("grpc/go+tls/shop").audits) == (True, True)


@pytest.mark.parametrize(
    ("locality", "full"),
    [
        (ClientLocality(), "grpc/unknown/shop"),
        (ClientLocality("eu-1a"), "grpc/unknown/shop/eu-1a"),
        (ClientLocality("eu-1a", "n1.example"), "grpc/unknown/shop/eu-1a/n1.example"),
        (ClientLocality("", "n1"), "grpc/unknown/shop/-/n1"),
    ],
)
def test_an_audience_may_have_a_locality(locality: ClientLocality, full: str) -> None:
    """The narrowest part, so that what is the same everywhere is published once."""
    assert encode(at_locality(SHOP, locality)) == full
    assert decode(full).locality == locality
    assert decode(full).widened(Width.NAMESPACE) == SHOP
    assert decode(full).namespace == "shop"


def test_where_nodes_count_no_audience_is_wider_than_another() -> None:
    """A client would see what is for clients of no node until its own is answered."""
    unknown = at_locality(SHOP, ClientLocality("", UNKNOWN))
    half_known = at_locality(SHOP, ClientLocality("eu-1a", UNKNOWN))
    assert (encode(unknown), encode(half_known)) == ("grpc/unknown/shop/-/-", "grpc/unknown/shop/eu-1a/-")
    assert unknown.locality == ClientLocality()
    assert half_known.locality == ClientLocality("eu-1a")


def test_audiences_widen_part_by_part() -> None:
    """From the client's own audience to everybody."""
    widening = [encode(audience) for audience in decode("grpc/core-a42/shop/-/n1/7").widening()]
    assert widening == [
        "grpc/core-a42/shop/-/n1/7",
        "grpc/core-a42/shop/-/n1",
        "grpc/core-a42/shop/-",
        "grpc/core-a42/shop",
        "grpc/core-a42",
        "grpc",
        "",
    ]
    assert list(decode("").widening()) == [EVERYBODY]
    assert EVERYBODY.parent() == EVERYBODY


@pytest.mark.parametrize("width", list(Width))
def test_an_audience_has_the_parts_of_its_width(width: Width) -> None:
    """Its parent has one less, and it covers those of the same parts alone."""
    full = decode("grpc/java-a27+tls/shop/eu-1a/n1/7/cart.1")
    audience = full.widened(width)
    assert audience.width == width
    assert decode(encode(audience)) == audience
    assert audience.widened(Width.WORKLOAD) == audience
    assert audience.parent().width == max(width - 1, 0)
    assert audience.covers(full) and audience.covers(audience)
    assert full.covers(audience) is (width == Width.WORKLOAD)
    assert audience.covers(decode("grpc/java/shop/eu-1a/n1/7/cart.1")) is (width <= Width.DIALECT)


@pytest.mark.parametrize(
    "text", ["test", "<b>", "a/b/c/d/e/f/g", "//", "grpc/x/y/z/n/many", "grpc/core-a99/y"]
)
def test_a_text_of_another_making_gives_some_audience(text: str) -> None:
    """Pages show the streams of any engine."""
    assert isinstance(decode(text), Audience)
