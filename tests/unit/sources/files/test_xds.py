"""Raw xDS resources in files."""

import pytest

from steerway.sources.files.document import Document, read_documents
from steerway.sources.files.entry import Entry, Origin
from steerway.sources.files.xds import is_xds, read_xds
from steerway.sources.objects.core import XdsResource

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def read(text: str) -> list[Entry]:
    (document,) = read_documents(text)
    assert isinstance(document, Document)
    assert is_xds(document.value)
    return list(read_xds(document.value, (), Origin("x.yaml", document, "own")))


def test_a_resource_is_kept_as_it_is_written() -> None:
    """Type, name, the whole body (with nulls) and location."""
    (entry,) = read(f"'@type': {CLUSTER}\nname: c\nconnect_timeout: 1s\nlb_policy: null\n")
    (resource,) = entry.objects
    body = {"@type": CLUSTER, "name": "c", "connect_timeout": "1s", "lb_policy": None}
    assert resource == XdsResource(CLUSTER, "c", body, "x.yaml:1")
    assert (entry.kind, entry.name) == ("Cluster", "c")


@pytest.mark.parametrize("field", ["cluster_name", "clusterName"])
def test_a_load_assignment_is_named_by_its_cluster(field: str) -> None:
    """In both spellings of protobuf's JSON mapping."""
    (entry,) = read(f"'@type': {ASSIGNMENT}\n{field}: c\n")
    assert entry.name == "c"


def test_several_resources_have_their_own_lines() -> None:
    """In the form of a discovery response: an invalid one affects itself only."""
    good, nameless, untyped = read(
        f"version_info: '1'\nresources:\n- '@type': {CLUSTER}\n  name: a\n- '@type': {CLUSTER}\n- name: b\n"
    )
    assert (good.where, nameless.where, untyped.where) == ("x.yaml:3", "x.yaml:5", "x.yaml:6")
    assert (good.ok, nameless.ok, untyped.ok) == (True, False, False)


@pytest.mark.parametrize(
    ("type_url", "reason"),
    [
        ("type.googleapis.com/google.protobuf.Struct", "is no xDS type"),
        ("envoy.config.cluster.v3.Cluster", "is no xDS type"),
        ("type.googleapis.com/envoy.api.v2.Cluster", "is not of the v3 API"),
    ],
)
def test_other_types_are_refused(type_url: str, reason: str) -> None:
    """Only types of the v3 API are resources."""
    (entry,) = read(f"name: c\n'@type': {type_url}\n")
    assert entry.problem is not None
    assert reason in entry.problem.reason
    assert entry.problem.where == "x.yaml:2"


RESOURCE = "type.googleapis.com/envoy.service.discovery.v3.Resource"


def test_a_wrapped_resource_has_a_time_to_live() -> None:
    """The wrapper is removed; lines are those of its content."""
    (entry,) = read(f"'@type': {RESOURCE}\nttl: 10s\nresource:\n  '@type': {CLUSTER}\n  name: c\n")
    (resource,) = entry.objects
    assert resource == XdsResource(CLUSTER, "c", {"@type": CLUSTER, "name": "c"}, "x.yaml:3", "10s")


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        (f"ttl: 10\nresource: {{'@type': {CLUSTER}, name: c}}\n", "x.yaml:2", "is no duration at $.ttl"),
        (f"resource: {{'@type': {CLUSTER}, name: c}}\n", "x.yaml:1", "is no duration at $.ttl"),
        ("ttl: 10s\nresource: {name: c}\n", "x.yaml:3", "is no resource at $.resource"),
        ("ttl: 10s\nversion: '1'\n", "x.yaml:3", "has no meaning here at $.version"),
    ],
)
def test_a_wrapper_holds_a_time_to_live_and_a_resource(text: str, where: str, reason: str) -> None:
    (entry,) = read(f"'@type': {RESOURCE}\n{text}")
    assert entry.problem is not None
    assert (entry.problem.where, reason in entry.problem.reason) == (where, True), entry.problem
