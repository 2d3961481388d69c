"""Raw resources from files: any type that xDS serves, what they name, and how they live beside translated ones."""

from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2

from steerway.errors import TranslateError
from steerway.sources.objects.core import ObjectKey, XdsResource
from steerway.translate.protobuf import message
from steerway.translate.xds import raw, type_url
from testbed.mesh import ENVOY, UNKNOWN, Mesh, endpoint_slice, service

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
CANONICAL = "backend.shop.svc.cluster.local:50051"


def document(served: str, name: str, where: str = "a.yaml:1", **body: Any) -> XdsResource:
    """A document as the file source gives it."""
    field = "cluster_name" if served == type_url.ENDPOINT else "name"
    return XdsResource(served, name, {"@type": served, field: name, **body}, where)


@pytest.mark.parametrize("served", type_url.SERVED)
def test_any_type_that_xds_serves_is_published_as_it_is(served: str) -> None:
    """To everybody, at once, without demand."""
    body: dict[str, Any] = {}
    if served == type_url.SCOPED_ROUTE:
        body["route_configuration_name"] = "r"
    result = document(served, "mine", **body)
    mesh = Mesh(result)
    ((key, content),) = mesh.published.entries.items()
    assert key == (served, "mine", "")
    parsed = message.load(served).FromString(content[0])
    assert parsed == message.from_json(served, {k: v for k, v in result.body.items() if k != "@type"})


def test_raw_resources_are_in_the_first_commit() -> None:
    """Together with the entry that wildcards may be answered, but for what Envoys get beside raw resources."""
    commit = Mesh().translator.start([document(type_url.CLUSTER, "a"), document(type_url.LISTENER, "b")])
    assert [resource[:3] for resource in commit.put] == [
        (type_url.CLUSTER, "a", ""),
        (type_url.LISTENER, "b", ""),
    ]
    translated = (type_url.LISTENER, type_url.CLUSTER)
    assert commit.complete == [(served, "grpc" if served in translated else "") for served in type_url.SERVED]


@pytest.mark.parametrize(
    ("served", "body", "references"),
    [
        (type_url.CLUSTER, {"type": "EDS"}, [(type_url.ENDPOINT, "x")]),
        (
            type_url.CLUSTER,
            {"type": "EDS", "eds_cluster_config": {"service_name": "e"}},
            [(type_url.ENDPOINT, "e")],
        ),
        (type_url.CLUSTER, {"type": "STRICT_DNS"}, []),
        (type_url.CLUSTER, {}, []),
        (type_url.ENDPOINT, {}, []),
        (
            type_url.ROUTE,
            {
                "virtual_hosts": [
                    {
                        "name": "h",
                        "domains": ["*"],
                        "routes": [
                            {"match": {"prefix": "/a"}, "route": {"cluster": "c"}},
                            {
                                "match": {"prefix": "/b"},
                                "route": {
                                    "weighted_clusters": {
                                        "clusters": [{"name": "b", "weight": 1}, {"name": "a", "weight": 1}]
                                    }
                                },
                            },
                            {
                                "match": {"prefix": "/c"},
                                "route": {"cluster": "c", "request_mirror_policies": [{"cluster": "m"}]},
                            },
                            {"match": {"prefix": "/d"}, "redirect": {}},
                            {"match": {"prefix": "/e"}, "route": {"cluster_header": "x"}},
                        ],
                    }
                ]
            },
            [(type_url.CLUSTER, name) for name in "abcm"],
        ),
        (
            type_url.LISTENER,
            {"api_listener": {"api_listener": {"@type": HCM, "rds": {"route_config_name": "r"}}}},
            [(type_url.ROUTE, "r")],
        ),
        (
            type_url.LISTENER,
            {
                "filter_chains": [
                    {
                        "filters": [
                            {"name": "h", "typed_config": {"@type": HCM, "rds": {"route_config_name": "r"}}}
                        ]
                    }
                ],
                "default_filter_chain": {
                    "filters": [
                        {
                            "name": "other",
                            "typed_config": {"@type": "type.googleapis.com/google.protobuf.Empty"},
                        },
                        {
                            "name": "h",
                            "typed_config": {
                                "@type": HCM,
                                "route_config": {
                                    "virtual_hosts": [
                                        {
                                            "name": "v",
                                            "domains": ["*"],
                                            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}],
                                        }
                                    ]
                                },
                            },
                        },
                    ]
                },
            },
            [(type_url.CLUSTER, "c"), (type_url.ROUTE, "r")],
        ),
    ],
)
def test_a_resource_names_others(
    served: str, body: dict[str, Any], references: list[tuple[str, str]]
) -> None:
    """Sorted and each once: they are served before it."""
    result = raw.parse(served, document(served, "x", **body).body)
    assert result.references == tuple(references)


@pytest.mark.parametrize(
    ("served", "body", "reason"),
    [
        (type_url.CLUSTER, {}, "the resource has no name"),
        (type_url.CLUSTER, {"name": ""}, "the resource has no name"),
        (type_url.ENDPOINT, {"endpoints": []}, "the resource has no cluster_name"),
        (
            "type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap",
            {"name": "a"},
            "envoy.config.bootstrap.v3.Bootstrap is no type that xDS serves",
        ),
        ("", {"name": "a"}, "a resource without @type is no type that xDS serves"),
        (type_url.CLUSTER, {"name": "a", "lb_polic": 1}, "did you mean lb_policy?"),
    ],
)
def test_what_is_no_resource_is_refused(served: str, body: dict[str, Any], reason: str) -> None:
    """With a reason for its author."""
    with pytest.raises(TranslateError) as error:
        raw.parse(served, body)
    assert reason in str(error.value)


def test_equal_documents_give_equal_bytes() -> None:
    """Whatever the order of keys, and in both spellings of field names; comments and layout never matter."""
    first = raw.parse(type_url.CLUSTER, {"name": "a", "type": "EDS", "connect_timeout": "5s"})
    other = raw.parse(type_url.CLUSTER, {"connectTimeout": "5s", "type": "EDS", "name": "a"})
    assert first == other


class TestLife:
    def test_a_change_is_published_and_an_equal_document_is_not(self) -> None:
        """A file that is written again changes nothing."""
        mesh = Mesh(document(type_url.CLUSTER, "a"))
        assert not mesh.update(document(type_url.CLUSTER, "a", where="b.yaml:7"))
        (put,) = mesh.update(document(type_url.CLUSTER, "a", type="EDS")).put
        assert put[:3] == (type_url.CLUSTER, "a", "")

    def test_a_document_that_goes_is_forgotten(self) -> None:
        """No client demanded it, nothing takes its place."""
        result = document(type_url.CLUSTER, "a")
        mesh = Mesh(result)
        assert mesh.update(delete=[result.key]).forget == [(type_url.CLUSTER, "a", "")]
        assert mesh.published.entries == {}

    def test_a_subscriber_of_a_deleted_document_gets_not_found(self) -> None:
        """A demanded name is answered at all times."""
        result = document(type_url.SECRET, "a")
        mesh = Mesh(result)
        assert not mesh.demand((type_url.SECRET, "a", ENVOY)), "the raw one is the answer"
        commit = mesh.update(delete=[result.key])
        assert commit.forget == [(type_url.SECRET, "a", "")]
        assert commit.absent == [(type_url.SECRET, "a", "envoy", "no file gives it")]
        assert mesh.update(result).forget == [(type_url.SECRET, "a", "envoy")]

    def test_a_broken_document_keeps_its_last_good_version(self) -> None:
        """And is a problem until it is good again or gone."""
        mesh = Mesh(document(type_url.CLUSTER, "a"))
        before = dict(mesh.published.entries)
        broken = document(type_url.CLUSTER, "a", where="a.yaml:3", nonsense=1)
        assert not mesh.update(broken)
        assert mesh.published.entries == before
        (problem,) = mesh.translator.problems()
        assert problem.where == "a.yaml:3"
        assert problem.reason == "Cluster has no field nonsense at Cluster"
        assert problem.hint
        mesh.update(document(type_url.CLUSTER, "a"))
        assert mesh.translator.problems() == []
        mesh.update(broken)
        mesh.update(delete=[broken.key])
        assert mesh.translator.problems() == []
        assert mesh.published.entries == {}

    def test_a_broken_document_harms_no_other(self) -> None:
        """The rest of its batch is published."""
        mesh = Mesh(document(type_url.CLUSTER, "a", nonsense=1), document(type_url.CLUSTER, "b"))
        assert list(mesh.published.entries) == [(type_url.CLUSTER, "b", "")]

    def test_a_fault_of_ours_harms_one_document(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is reported, and its last good version stays."""
        mesh = Mesh(document(type_url.CLUSTER, "a"))

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(raw, "parse", broken)
        assert not mesh.update(document(type_url.CLUSTER, "a", type="EDS"))
        (problem,) = mesh.translator.problems()
        assert problem.reason == "cannot be understood: ZeroDivisionError()"

    def test_two_documents_of_one_type_and_name_are_one_resource(self) -> None:
        """The sources decide which one counts; names are unique within a type only."""
        cluster, listener = document(type_url.CLUSTER, "a"), document(type_url.LISTENER, "a")
        assert cluster.key == document(type_url.CLUSTER, "a", where="z.yaml:1").key != listener.key
        mesh = Mesh(cluster, listener)
        mesh.update(delete=[ObjectKey("XdsResource", type_url.LISTENER, "a")])
        assert list(mesh.published.entries) == [(type_url.CLUSTER, "a", "")]


class TestClash:
    """A raw resource of a name that is translated too: the raw one is served, to all."""

    def test_a_raw_resource_beats_a_translated_one(self) -> None:
        """In one commit: the engine would prefer the narrower audience."""
        mesh = Mesh(service(50051), endpoint_slice("10.0.0.1"))
        mesh.dial("backend.shop")
        own = document(type_url.CLUSTER, CANONICAL, type="EDS", lb_policy="RING_HASH")
        commit = mesh.update(own)
        assert [resource[:3] for resource in commit.put] == [(type_url.CLUSTER, CANONICAL, "")]
        assert commit.forget == [(type_url.CLUSTER, CANONICAL, "grpc")]
        body = mesh.published.body(type_url.CLUSTER, CANONICAL, UNKNOWN)
        assert cluster_pb2.Cluster.FromString(body).lb_policy == cluster_pb2.Cluster.RING_HASH

    def test_the_translated_one_comes_back_when_the_raw_one_goes(self) -> None:
        """With what is true then."""
        own = document(type_url.ENDPOINT, CANONICAL)
        mesh = Mesh(service(50051), endpoint_slice("10.0.0.1"), own)
        assert mesh.dial("backend.shop") == []
        assert not mesh.update(endpoint_slice("10.0.0.2"))
        commit = mesh.update(delete=[own.key])
        assert commit.forget == [(type_url.ENDPOINT, CANONICAL, "")]
        assert mesh.dial("backend.shop") == ["10.0.0.2:50051"]

    def test_a_raw_listener_beats_those_of_all_namespaces(self) -> None:
        """A short name is published once for each; the raw one takes the place of all."""
        mesh = Mesh(service(50051), service(50051, namespace="other"))
        for audience in (UNKNOWN, "grpc/core/other"):
            mesh.get(type_url.LISTENER, "backend", audience)
        commit = mesh.update(document(type_url.LISTENER, "backend"))
        assert sorted(commit.forget) == [
            (type_url.LISTENER, "backend", audience) for audience in ("grpc/core/other", UNKNOWN)
        ]

    def test_a_demand_that_the_raw_one_answers_can_be_withdrawn(self) -> None:
        """There is nothing of its own to forget."""
        mesh = Mesh(service(50051), document(type_url.CLUSTER, CANONICAL))
        wanted = (type_url.CLUSTER, CANONICAL, UNKNOWN)
        assert not mesh.demand(wanted)
        assert not mesh.withdraw(wanted)

    def test_a_document_that_was_never_good_hides_nothing(self) -> None:
        """The service of that name is served."""
        mesh = Mesh(service(50051), endpoint_slice("10.0.0.1"))
        mesh.update(document(type_url.CLUSTER, CANONICAL, nonsense=1))
        assert mesh.dial("backend.shop") == ["10.0.0.1:50051"]
        assert len(mesh.translator.problems()) == 1


def test_an_xdstp_name_has_one_spelling() -> None:
    """As the engine has it, so that a client's demand meets the file whatever its spelling."""
    spelled, canonical = "xdstp://files/T/%61?b=2&a=1", "xdstp://files/T/a?a=1&b=2"
    translator = Mesh().translator
    commit = translator.start([document(type_url.CLUSTER, spelled)])
    assert [resource.name for resource in commit.put] == [canonical]
    for name in (canonical, "xdstp://files/T/*"):
        assert not translator.demand([(type_url.CLUSTER, name, UNKNOWN)])


@pytest.mark.parametrize(("ttl", "seconds"), [("", 0.0), ("10s", 10.0), ("0.100s", 0.1)])
def test_a_time_to_live_is_published_with_the_resource(ttl: str, seconds: float) -> None:
    xds_resource = XdsResource(type_url.CLUSTER, "a", {"name": "a"}, "a.yaml:1", ttl)
    (put,) = Mesh().translator.start([xds_resource]).put
    assert put.ttl_seconds == seconds


@pytest.mark.parametrize("ttl", ["10", "ten", "0s", "-1s", "0.01s", "99999999s"])
def test_a_time_to_live_that_makes_no_sense_is_a_problem(ttl: str) -> None:
    translator = Mesh().translator
    assert not translator.start([XdsResource(type_url.CLUSTER, "a", {"name": "a"}, "a.yaml:1", ttl)]).put
    (problem,) = translator.problems()
    assert problem.where == "a.yaml:1"
    assert "ttl" in problem.reason
