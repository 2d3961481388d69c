"""`/api/v1/resources`: listings, bodies, and help for names that do not exist."""

import httpx
import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from tests.unit.admin.admin_world import CLUSTER, LISTENER, SECRET, Entry, World

NAME = "backend.shop.svc.cluster.local:50051"


@pytest.fixture(autouse=True)
def resources(world: World) -> None:
    """A cluster in two variants, an absent listener, and a listener with an awkward name."""
    world.all_entries = [
        Entry(CLUSTER, NAME, "grpc", body=cluster_pb2.Cluster(name=NAME).SerializeToString()),
        Entry(
            CLUSTER, NAME, "envoy", body=cluster_pb2.Cluster(name=NAME, alt_stat_name="x").SerializeToString()
        ),
        Entry(LISTENER, "gone", "grpc", reason="no service is called gone"),
        Entry(LISTENER, "xdstp://a/b//c?d=e", ""),
    ]


async def get(http: httpx.AsyncClient, path: str, status: int = 200) -> dict[str, list[dict[str, object]]]:
    """The JSON of an answer with the given status."""
    answer = await http.get(f"/api/v1/resources{path}")
    assert answer.status_code == status, answer.text
    body: dict[str, list[dict[str, object]]] = answer.json()
    return body


async def test_the_listing_has_each_entry_with_its_state(http: httpx.AsyncClient) -> None:
    """Type, name, audience, version, size, or the reason for its absence."""
    result = (await get(http, ""))["resources"]
    assert [(line["type"], line["name"], line["audience"]) for line in result] == [
        ("cds", NAME, "envoy"),
        ("cds", NAME, "grpc"),
        ("lds", "gone", "grpc"),
        ("lds", "xdstp://a/b//c?d=e", ""),
    ]
    assert result[2] == {
        "type": "lds",
        "type_url": LISTENER,
        "name": "gone",
        "audience": "grpc",
        "version": "",
        "size_bytes": 0,
        "absent": "no service is called gone",
    }
    assert result[0]["absent"] is None


@pytest.mark.parametrize(
    "path",
    [
        "/cds",
        "/Cluster",
        "/envoy.config.cluster.v3.Cluster",
        f"/{CLUSTER}",
        "?type=cds",
        f"?type={CLUSTER}",
        "/cds/",
    ],
)
async def test_a_type_may_be_written_in_every_usual_way(http: httpx.AsyncClient, path: str) -> None:
    """Short name, message name, full name or URL, in the path or as a parameter."""
    assert [line["audience"] for line in (await get(http, path))["resources"]] == ["envoy", "grpc"]


async def test_a_listing_is_filtered_by_audience(http: httpx.AsyncClient) -> None:
    """Exactly that audience; everybody's is the empty one."""
    assert len((await get(http, "?audience=grpc"))["resources"]) == 2
    assert len((await get(http, "?audience="))["resources"]) == 1


async def test_a_known_type_without_resources_is_an_empty_listing(http: httpx.AsyncClient) -> None:
    """Nothing served is an answer, not a mistake."""
    assert await get(http, "/eds") == {"resources": []}


async def test_an_unknown_type_names_the_nearest(http: httpx.AsyncClient) -> None:
    """404 with what may have been meant."""
    assert await get(http, "/cdss", 404) == {
        "error": "cdss is no xDS type",
        "nearest": ["cds", "ecds", "sds"],
    }


@pytest.mark.parametrize("kind", ["cds", CLUSTER])
async def test_a_resource_has_a_body_for_each_audience(http: httpx.AsyncClient, kind: str) -> None:
    """All variants, or the one that is asked for."""
    variants = (await get(http, f"/{kind}/{NAME}"))["variants"]
    assert [(variant["audience"], variant["body"]) for variant in variants] == [
        ("envoy", {"name": NAME, "alt_stat_name": "x"}),
        ("grpc", {"name": NAME}),
    ]
    (only,) = (await get(http, f"/{kind}/{NAME}?audience=grpc"))["variants"]
    assert only["audience"] == "grpc"


async def test_an_absent_resource_shows_the_reason_instead_of_a_body(http: httpx.AsyncClient) -> None:
    """Absence is a state of a resource, found under its name."""
    (variant,) = (await get(http, "/lds/gone"))["variants"]
    assert (variant["absent"], variant["body"]) == ("no service is called gone", None)


async def test_names_may_hold_slashes_and_escaped_question_marks(http: httpx.AsyncClient) -> None:
    """xdstp names are found, percent-encoded where HTTP needs it."""
    (variant,) = (await get(http, "/lds/xdstp://a/b//c%3Fd=e"))["variants"]
    assert variant["name"] == "xdstp://a/b//c?d=e"


async def test_an_unknown_name_names_the_nearest(http: httpx.AsyncClient) -> None:
    """404 with names of the same type that look alike."""
    assert await get(http, "/cds/backend.shop.svc.cluster.local:50052", 404) == {
        "error": "no cds is called backend.shop.svc.cluster.local:50052",
        "nearest": [NAME],
    }


async def test_a_secret_is_shown_without_its_key(world: World, http: httpx.AsyncClient) -> None:
    """Private keys do not leave by the admin port."""
    secret = secret_pb2.Secret(name="key")
    secret.tls_certificate.private_key.inline_string = "PRIVATE"
    world.all_entries = [Entry(SECRET, "key", body=secret.SerializeToString())]
    (variant,) = (await get(http, "/sds/key"))["variants"]
    assert variant["body"] == {
        "name": "key",
        "tls_certificate": {"private_key": {"inline_string": "[redacted]"}},
    }
