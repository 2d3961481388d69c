"""What each client can do, and what not."""

import itertools

import pytest

from steerway.translate.client.capability import HEADER_MATCHES, Feature, Restriction
from steerway.translate.client.client import CURRENT, Client
from steerway.translate.client.library import Library, Version

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
    Feature.SERVER_TLS: "1.41 1.41 1.41 1.13",
    Feature.RBAC: "1.55 1.47 1.56 -",
    Feature.AUDIT: "- - 1.56 -",
}
"""doc/grpc_xds_features.md of gRPC, in its order of languages: C-core, Java, Go, Node. Behind a variable of the
environment counts as not there: grpc-go 1.72 has least_request so, and 1.73 by default (its internal/envconfig).
RBAC is older, but servers count by the generations of their audiences, which POLICY_LIST divides."""
HEADERS = {
    Feature.CONTENT_TYPE_MATCH: {GO},
    Feature.GRPC_TIMEOUT_MATCH: {JAVA, GO, NODE},
    Feature.GRPC_ENCODING_MATCH: {CORE, JAVA, GO, NODE},
    Feature.GRPC_ACCEPT_ENCODING_MATCH: {CORE, JAVA, GO, NODE},
    Feature.PREVIOUS_ATTEMPTS_MATCH: {CORE, JAVA, GO, NODE},
    Feature.HOST_MATCH: {CORE, JAVA, GO, NODE},
    Feature.TE_MATCH: {CORE, JAVA, GO, NODE},
    Feature.USER_AGENT_MATCH: {CORE, JAVA, GO, NODE},
}
"""Matches by headers that these libraries write after they have chosen the route, as observed."""
NO_CLIENT = {
    Feature.OTHER_FILTER,
    Feature.BACKEND_FILTER,
    Feature.BACKEND_PATH,
    Feature.SESSION_TYPE,
    Feature.IDLE_TIMEOUT,
    Feature.ABSOLUTE_TIMEOUT,
}
GRPC_ALONE = {Feature.OTHER_TLS, Feature.OTHER_PROTOCOL}
OF_SERVERS = {Feature.SERVER_TLS, Feature.RBAC, Feature.AUDIT}
ENVOY_ALONE = set(Feature) - set(TABLE) - set(HEADERS) - NO_CLIENT - GRPC_ALONE


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
    assert len(ENVOY_ALONE) + len(TABLE) + len(HEADERS) + len(NO_CLIENT) + len(GRPC_ALONE) == len(Feature)
    for feature, library in itertools.product(ENVOY_ALONE | NO_CLIENT, (CORE, JAVA, GO, NODE)):
        assert not Client(library).can(feature)
    lacking = {feature for feature in Feature if not Client(ENVOY).can(feature)}
    assert lacking == {Feature.PICK_FIRST} | GRPC_ALONE | OF_SERVERS | NO_CLIENT


def test_headers_that_a_library_writes_late_are_known() -> None:
    """To every version of it alike; Envoy sees all headers."""
    assert set(HEADER_MATCHES.values()) == set(HEADERS)
    for feature, hidden in HEADERS.items():
        for library in (CORE, JAVA, GO, NODE):
            assert (
                Client(library).can(feature)
                == Client(library, (1, 31)).can(feature)
                == (library not in hidden)
            )
        assert Client(ENVOY).can(feature)
        assert not Client().can(feature)


def test_a_row_has_a_sentence() -> None:
    """But for those that calls do not depend on."""
    silent = {feature for feature in Feature if not feature.value.instead}
    assert silent == {Feature.POLICY_LIST}
    for feature in Feature:
        assert ("{client}" in feature.value.sentence) == (feature not in NO_CLIENT)
    silent_restrictions = {row for row in Restriction if not row.value.sentence}
    assert silent_restrictions == {
        Restriction.LOAD_REPORT_LEAK,
        Restriction.KEEPS_WITHDRAWN,
        Restriction.MISSES_RETURN,
    }


@pytest.mark.parametrize("restriction", Restriction)
def test_a_restriction_applies_to_its_libraries_only(restriction: Restriction) -> None:
    """An unknown version counts as an affected one, an unknown library as none."""
    affected = {client.library for client in CURRENT if client.has(restriction)}
    assert affected == set(restriction.value.libraries)
    assert not Client().has(restriction)
    before = restriction.value.before
    for library in affected:
        assert Client(library, (9, 0)).has(restriction) == (before is None)
        assert before is None or (Client(library, _before(before)).has(restriction))


@pytest.mark.parametrize(
    ("feature", "library", "since"),
    [pytest.param(*case, id=f"{case[0].name}-{case[1].name}") for case in _cases()],
)
def test_a_feature_is_there_since_a_version(feature: Feature, library: Library, since: str) -> None:
    """And not one version before; an unknown version counts as a current one."""
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
    assert {feature for feature in Feature if Client().can(feature)} == common | GRPC_ALONE


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
