"""What a client does not do is the same in the status, in `steerway check`, in `steerway explain` and of streams."""

from collections.abc import Callable
from pathlib import Path

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.explain.subscriber import Subscribers
from steerway.status.condition import LIMITED
from steerway.translate.client import capability as clients
from steerway.translate.client.capability import Client, Feature, Library
from steerway.translate.xds import type_url
from tests.support.model.attached import EvaluatedMesh

Run = Callable[..., tuple[int, str, str]]

_GRPC = (Library.CORE, Library.GO, Library.JAVA, Library.NODE)
_ALL = (*_GRPC, Library.ENVOY)
_LIBRARIES = {
    Library.CORE: ("grpcio", "gRPC C-core linux Python"),
    Library.GO: ("grpc-go", "gRPC Go"),
    Library.JAVA: ("grpc-java", "gRPC Java"),
    Library.NODE: ("grpc-js", "gRPC Node Pure JS"),
    Library.ENVOY: ("envoy", "envoy"),
}
_SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80, name: grpc}]}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec: {ports: [{port: 80, name: grpc}]}
"""
_BACKEND = "backendRefs: [{name: other, port: 80}]"


def _rule(fields: str, backend: str = _BACKEND, spec: str = "") -> str:
    """An HTTPRoute of one rule."""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: found, namespace: shop}}
spec: {{{spec}parentRefs: [{{group: "", kind: Service, name: web}}], rules: [{{{fields}, {backend}}}]}}
"""


def _policy(sections: str) -> str:
    return f"""
apiVersion: steerway.io/v1alpha1
kind: TrafficPolicy
metadata: {{name: found, namespace: shop}}
spec: {{targetRefs: [{{group: "", kind: Service, name: web}}], {sections}}}
"""


def _filter(kind: str, field: str, value: str) -> str:
    return f"filters: [{{type: {kind}, {field}: {value}}}]"


_SESSION = "sessionPersistence: {sessionName: s"
_MIRROR = "{backendRef: {name: other, port: 80}}"
_SPLIT = (
    "backendRefs: [{name: web, port: 80}, {name: other, port: 80, filters: [{type: URLRewrite, urlRewrite:"
)
CASES: list[tuple[Feature | None, str, tuple[Library, ...], str]] = [
    (Feature.SESSION, _rule(f"{_SESSION}}}"), _GRPC[1:], "sessions by cookie"),
    (Feature.HEADER_SESSION, _rule(f"{_SESSION}, type: Header}}"), _GRPC, "sessions by header"),
    (None, _rule(f"{_SESSION}, type: Ticket}}"), _ALL, "sessionPersistence of type Ticket"),
    (
        None,
        _rule(f"{_SESSION}, idleTimeout: 10m}}"),
        _ALL,
        "sessionPersistence.idleTimeout is applied by no client",
    ),
    (
        None,
        _rule(f"{_SESSION}, type: Header, absoluteTimeout: 1h}}"),
        _ALL,
        "sessionPersistence.absoluteTimeout",
    ),
    (Feature.ATTEMPT_TIMEOUT, _rule("timeouts: {backendRequest: 1s}"), _GRPC, "timeouts.backendRequest"),
    (None, _rule("timeouts: {request: 1s}"), (Library.CORE,), "exact timeouts"),
    (Feature.STATUS_RETRY, _rule("retry: {codes: [501]}"), _GRPC, "retries by HTTP status 501"),
    (Feature.STATUS_RETRY, _rule("retry: {codes: [503, 501]}"), _GRPC, "retries by HTTP status 501"),
    (Feature.MANY_RETRIES, _rule("retry: {attempts: 9}"), _GRPC, "retries after the fourth"),
    (Feature.HOSTNAMES, _rule("name: r", spec="hostnames: [a.example.org], "), _GRPC, "hostnames"),
    (
        Feature.HTTP_MATCH,
        _rule("matches: [{method: GET}]"),
        _GRPC,
        "matches by HTTP method or query parameter",
    ),
    (
        Feature.HTTP_MATCH,
        _rule("matches: [{queryParams: [{name: a, value: b}]}]"),
        _GRPC,
        "matches by HTTP method or query parameter",
    ),
    (
        Feature.BINARY_HEADER_MATCH,
        _rule("matches: [{headers: [{name: a-bin, value: b}]}]"),
        _GRPC,
        "matches by binary headers",
    ),
    *(
        (
            None,
            _rule(f"matches: [{{headers: [{{name: {name}, value: a}}]}}]"),
            hidden,
            f"by the header {name.lower()}",
        )
        for name, hidden in (
            ("content-type", (Library.GO,)),
            ("User-Agent", _GRPC),
            ("host", _GRPC),
            ("te", _GRPC),
            ("grpc-timeout", _GRPC[1:]),
            ("grpc-encoding", _GRPC),
            ("grpc-accept-encoding", _GRPC),
        )
    ),
    (
        None,
        _rule("matches: [{path: {type: RegularExpression, value: '/[a-z]{99}'}}]"),
        (Library.ENVOY,),
        "a regular expression is too large",
    ),
    (
        None,
        _rule("matches: [{path: {type: RegularExpression, value: /a.*}}]"),
        (Library.NODE,),
        "compiles the regular expression anew",
    ),
    (
        Feature.HEADER_CHANGES,
        _rule(_filter("RequestHeaderModifier", "requestHeaderModifier", "{remove: [x]}")),
        _GRPC,
        "changes of headers",
    ),
    (Feature.MIRROR, _rule(_filter("RequestMirror", "requestMirror", _MIRROR)), _GRPC, "mirrors of requests"),
    (Feature.REWRITE, _rule(_filter("URLRewrite", "urlRewrite", "{hostname: a}")), _GRPC, "rewrites of URLs"),
    (
        Feature.REDIRECT,
        _rule(_filter("RequestRedirect", "requestRedirect", "{port: 1}"), ""),
        _GRPC,
        "redirects are not supported",
    ),
    (
        None,
        _rule("name: r", f"{_SPLIT} {{path: {{type: ReplaceFullPath, replaceFullPath: /a}}}}}}]}}]"),
        _ALL,
        "URLRewrite of the path for one of several backends",
    ),
    (
        None,
        _rule("name: r", "backendRefs: [{name: web, port: 80, filters: [{type: RequestMirror}]}]"),
        _ALL,
        "RequestMirror of a backend",
    ),
    (
        Feature.LEAST_REQUEST,
        _policy("balancing: {policy: LeastRequest}"),
        (_GRPC[0], _GRPC[3]),
        "least_request",
    ),
    (
        Feature.PICK_FIRST,
        _policy("balancing: {policy: PickFirst}"),
        (Library.NODE, Library.ENVOY),
        "pick_first",
    ),
    (
        Feature.WEIGHTED_ROUND_ROBIN,
        _policy("balancing: {policy: WeightedRoundRobin}"),
        (Library.NODE,),
        "weighted_round_robin",
    ),
    (Feature.RANDOM, _policy("balancing: {policy: Random}"), _GRPC, "random balancing"),
    (
        Feature.SLOW_START,
        _policy("balancing: {policy: RoundRobin, slowStart: {window: 5s}}"),
        _GRPC,
        "slow start",
    ),
    (
        Feature.COOKIE_HASH,
        _policy("balancing: {policy: RingHash, ringHash: {hashOn: [{cookie: {name: c}}]}}"),
        _GRPC,
        "ring_hash by cookie",
    ),
    (
        None,
        _policy("balancing: {policy: RingHash, ringHash: {hashOn: [{header: a-bin}]}}"),
        _GRPC,
        "ring_hash by the binary header a-bin",
    ),
    (Feature.HEALTH_CHECK, _policy("healthCheck: {}"), _GRPC, "checks of health"),
    (None, _policy("limits: {maxRequests: 5}"), (Library.JAVA,), "limits requests only where"),
    (Feature.SESSION, _policy("session: {cookie: {name: c}}"), _GRPC[1:], "sessions by cookie"),
]


def test_every_feature_that_a_current_client_lacks_is_in_the_table() -> None:
    """One that comes to `Feature` needs a case."""
    lacked = {item for item in Feature if not all(client.can(item) for client in clients.CURRENT)}
    assert {feature for feature, *_ in CASES} - {None} == lacked


@pytest.mark.parametrize(("feature", "manifest", "without", "words"), CASES)
def test_a_limitation_is_seen_wherever_it_is_looked_for(
    steerway: Run,
    tmp_path: Path,
    feature: Feature | None,
    manifest: str,
    without: tuple[Library, ...],
    words: str,
) -> None:
    """By the same words; of a client that has no such limitation nothing is said."""
    (tmp_path / "a.yaml").write_text(f"{_SERVICES}---{manifest}", encoding="utf-8")
    mesh = EvaluatedMesh(f"{_SERVICES}---{manifest}")
    kind = "TrafficPolicy" if "TrafficPolicy" in manifest else "HTTPRoute"
    assert words in mesh.conditions(kind, "found")[LIMITED].message
    code, checked, _ = steerway("check", str(tmp_path))
    assert code == 0
    assert words in checked
    for library in _ALL:
        name, agent = _LIBRARIES[library]
        explained = steerway("explain", "web.shop:80", "--files", str(tmp_path), "--client", name)[1]
        for seen in (explained, "\n".join(_streamed(mesh, agent))):
            assert (words in seen) == (library in without), (library, seen)
        if feature is not None:
            assert Client(library).can(feature) == (library not in without)


def _streamed(mesh: EvaluatedMesh, agent: str) -> list[str]:
    """Of a stream of a client of the newest version that is subscribed to all of the Service."""
    node = base_pb2.Node(user_agent_name=agent).SerializeToString()
    subscribers = Subscribers(mesh.catalog.service, "cluster.local", [item.id for item in mesh.catalog])
    if agent == "envoy":
        return subscribers.limitations(node, "envoy/sidecar/shop", [(type_url.ROUTE, "steerway.sidecar")])
    name = "web.shop.svc.cluster.local:80"
    subscribed = [(type_url.LISTENER, "web.shop:80"), (type_url.CLUSTER, name)]
    return subscribers.limitations(node, "grpc/go/shop", subscribed)
