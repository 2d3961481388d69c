"""Which client it is, and what it can do."""

import itertools

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.errors import TranslateError
from steerway.translate.client.audience import decode
from steerway.translate.client.capability import Client, Feature, Library, Version, of_node, parse

CORE, JAVA, GO, NODE, ENVOY = Library.CORE, Library.JAVA, Library.GO, Library.NODE, Library.ENVOY
NEVER = "-"
TABLE = {
    Feature.ROUTE: "1.31 1.31 1.31 1.3",
    Feature.TIMEOUT: "1.37 1.37 1.37 1.4",
    Feature.LIMITS: "1.37 1.37 1.37 1.4",
    Feature.FAULT: "1.37 1.37 1.37 1.4",
    Feature.EXTERNAL_NAME: "1.47 1.39 1.52 1.9",
    Feature.RING_HASH: "1.40 1.40 1.41 1.10",
    Feature.RETRY: "1.40 1.40 1.41 1.8",
    Feature.LEAST_REQUEST: "- 1.48 1.73 -",
    Feature.OUTLIER_DETECTION: "1.51 1.49 1.50 1.7",
    Feature.POLICY_LIST: "1.55 1.47 1.56 1.10",
    Feature.SESSION: "1.61 - - -",
    Feature.WEIGHTED_ROUND_ROBIN: "1.55 1.54 1.56 -",
    Feature.PICK_FIRST: "1.58 1.58 1.56 -",
}
"""doc/grpc_xds_features.md of gRPC, in its order of languages: C-core, Java, Go, Node. Behind a variable of the
environment counts as not there: grpc-go 1.72 has least_request so, and 1.73 by default (its internal/envconfig)."""
ENVOY_ALONE = set(Feature) - set(TABLE)


def _cases() -> list[tuple[Feature, Library, str]]:
    return [
        (feature, library, since)
        for feature, row in TABLE.items()
        for library, since in zip((CORE, JAVA, GO, NODE), row.split(), strict=True)
    ]


def _before(version: Version) -> Version:
    return version[0], version[1] - 1


def test_the_table_is_of_all_features() -> None:
    """The rest is Envoy's alone, which has all but what gRPC clients alone have."""
    assert len(ENVOY_ALONE) + len(TABLE) == len(Feature)
    for feature, library in itertools.product(ENVOY_ALONE, (CORE, JAVA, GO, NODE)):
        assert not Client(library).can(feature)
    lacking = {feature for feature in Feature if not Client(ENVOY).can(feature)}
    assert lacking == {Feature.PICK_FIRST}


@pytest.mark.parametrize(
    ("feature", "library", "since"),
    [pytest.param(*case, id=f"{case[0].name}-{case[1].name}") for case in _cases()],
)
def test_a_feature_is_there_since_a_version(feature: Feature, library: Library, since: str) -> None:
    """And not one version before; a client without a version is a current one."""
    if since == NEVER:
        assert not Client(library).can(feature)
        assert not Client(library, (9, 0)).can(feature)
        return
    major, minor = map(int, since.split("."))
    assert Client(library).can(feature)
    assert Client(library, (major, minor)).can(feature)
    assert not Client(library, _before((major, minor))).can(feature)


def test_an_unknown_library_has_what_all_have() -> None:
    """Since nothing may be sent that it refuses."""
    common = {feature for feature, row in TABLE.items() if NEVER not in row.split()}
    assert {feature for feature in Feature if Client().can(feature)} == common


@pytest.mark.parametrize(
    ("client", "level"),
    [
        (Client(), ""),
        (Client(GO), ""),
        (Client(GO, (1, 56)), ""),
        (Client(GO, (1, 55)), "a42"),
        (Client(GO, (1, 40)), "a27"),
        (Client(CORE, (1, 39)), "a27"),
        (Client(JAVA, (1, 46)), "a42"),
        (Client(NODE, (1, 9)), "a27"),
        (Client(ENVOY), ""),
    ],
)
def test_levels_are_of_rings_and_lists(client: Client, level: str) -> None:
    """What older clients would refuse, or not read."""
    assert client.level == level


@pytest.mark.parametrize(
    ("agent", "text", "client"),
    [
        ("gRPC Go", "1.85.0", Client(GO, (1, 85))),
        ("gRPC C-core linux Python", "C-core 58.0.0 Python 1.85.1", Client(CORE, (1, 85))),
        ("gRPC C-core linux", "C-core 1.31.0", Client(CORE, (1, 31))),
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
def test_a_node_says_what_it_is(agent: str, text: str, client: Client) -> None:
    """As the released clients write it; what cannot be read is unknown."""
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


def test_envoy_says_its_version_in_another_field() -> None:
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
    """grpc-node 2892; one without a version may be such a one."""
    assert client.leaks_when_it_reports is leaks


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
    """With all that there are."""
    with pytest.raises(TranslateError, match="c-core, envoy, grpc-c\\+\\+"):
        parse(text)
