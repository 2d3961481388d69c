"""A limitation is the same in the status, `steerway check`, `steerway explain`, streams, and the documents."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from envoy.config.core.v3 import base_pb2

from steerway.admin.api import stream
from steerway.explain.subscriber import Subscribers
from steerway.status.condition import ACCEPTED, LIMITED
from steerway.translate.client.capability import Feature, Restriction
from steerway.translate.client.client import CURRENT, Client
from steerway.translate.client.library import Library
from steerway.translate.xds import type_url
from tests.support import capability_document
from tests.support.model.attached import EvaluatedMesh
from tests.unit.admin.admin_world import Stream, Subscription

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
metadata: {{name: limited, namespace: shop}}
spec: {{{spec}parentRefs: [{{group: "", kind: Service, name: web}}], rules: [{{{fields}, {backend}}}]}}
"""


def _policy(sections: str) -> str:
    return f"""
apiVersion: steerway.io/v1alpha1
kind: TrafficPolicy
metadata: {{name: limited, namespace: shop}}
spec: {{targetRefs: [{{group: "", kind: Service, name: web}}], {sections}}}
"""


def _header(name: str) -> str:
    return _rule(f"matches: [{{headers: [{{name: {name}, value: a}}]}}]")


def _hash(key: str) -> str:
    return _policy(f"balancing: {{policy: RingHash, ringHash: {{hashOn: [{{{key}}}]}}}}")


def _secure(protocol: str) -> str:
    """A route to a Service of this appProtocol."""
    service = f"""
apiVersion: v1
kind: Service
metadata: {{name: secure, namespace: shop}}
spec: {{ports: [{{port: 80, appProtocol: {protocol}}}]}}
"""
    return f"{_rule('name: r', 'backendRefs: [{name: secure, port: 80}]')}---{service}"


def _filter(kind: str, field: str, value: str) -> str:
    return f"filters: [{{type: {kind}, {field}: {value}}}]"


_SESSION = "sessionPersistence: {sessionName: s"
_MIRROR = "{backendRef: {name: other, port: 80}}"
_TLS = """
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: limited, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: web}]
  validation: {hostname: a.b, wellKnownCACertificates: System}
"""
_SPLIT = (
    "backendRefs: [{name: web, port: 80}, {name: other, port: 80, filters: [{type: URLRewrite, urlRewrite:"
)
CASES: list[tuple[Feature | Restriction, str, tuple[Library, ...], str]] = [
    (Feature.SESSION, _rule(f"{_SESSION}}}"), _GRPC[1:], "sessions by cookie"),
    (Feature.SESSION, _policy("session: {cookie: {name: c}}"), _GRPC[1:], "sessions by cookie"),
    (Feature.HEADER_SESSION, _rule(f"{_SESSION}, type: Header}}"), _GRPC, "sessions by header"),
    (
        Feature.SESSION_TYPE,
        _rule(f"{_SESSION}, type: Ticket}}"),
        _ALL,
        "sessionPersistence of type Ticket is supported by no client",
    ),
    (
        Feature.IDLE_TIMEOUT,
        _rule(f"{_SESSION}, idleTimeout: 10m}}"),
        _ALL,
        "sessionPersistence.idleTimeout is supported by no client",
    ),
    (
        Feature.ABSOLUTE_TIMEOUT,
        _rule(f"{_SESSION}, type: Header, absoluteTimeout: 1h}}"),
        _ALL,
        "sessionPersistence.absoluteTimeout without cookieConfig.lifetimeType Permanent is supported by no client",
    ),
    (Feature.ATTEMPT_TIMEOUT, _rule("timeouts: {backendRequest: 1s}"), _GRPC, "timeouts.backendRequest"),
    (Restriction.EARLY_TIMEOUT, _rule("timeouts: {request: 1s}"), (Library.CORE,), "exact timeouts"),
    (Feature.STATUS_RETRY, _rule("retry: {codes: [501]}"), _GRPC, "retries by HTTP status 501"),
    (Feature.STATUS_RETRY, _rule("retry: {codes: [503, 501]}"), _GRPC, "retries by HTTP status 501"),
    (Feature.MANY_RETRIES, _rule("retry: {attempts: 9}"), _GRPC, "retries after the fourth"),
    (Feature.HOSTNAMES, _rule("name: r", spec="hostnames: [a.example.org], "), _GRPC, "hostnames"),
    (Feature.HTTP_MATCH, _rule("matches: [{method: GET}]"), _GRPC, "matches by HTTP method"),
    (
        Feature.HTTP_MATCH,
        _rule("matches: [{queryParams: [{name: a, value: b}]}]"),
        _GRPC,
        "matches by HTTP method or query parameter",
    ),
    (Feature.BINARY_HEADER_MATCH, _header("a-bin"), _GRPC, "matches by binary headers"),
    (Feature.CONTENT_TYPE_MATCH, _header("content-type"), (Library.GO,), "by the header content-type"),
    (Feature.USER_AGENT_MATCH, _header("User-Agent"), _GRPC, "by the header user-agent"),
    (Feature.HOST_MATCH, _header("host"), _GRPC, "by the header host"),
    (Feature.TE_MATCH, _header("te"), _GRPC, "by the header te"),
    (Feature.GRPC_TIMEOUT_MATCH, _header("grpc-timeout"), _GRPC[1:], "by the header grpc-timeout"),
    (Feature.GRPC_ENCODING_MATCH, _header("grpc-encoding"), _GRPC, "by the header grpc-encoding"),
    (
        Feature.GRPC_ACCEPT_ENCODING_MATCH,
        _header("grpc-accept-encoding"),
        _GRPC,
        "by the header grpc-accept-encoding",
    ),
    (
        Feature.PREVIOUS_ATTEMPTS_MATCH,
        _header("grpc-previous-rpc-attempts"),
        _GRPC,
        "by the header grpc-previous-rpc-attempts",
    ),
    (
        Restriction.REGEX_SIZE,
        _rule("matches: [{path: {type: RegularExpression, value: '/[a-z]{99}'}}]"),
        (Library.ENVOY,),
        "a regular expression is too large",
    ),
    (
        Restriction.REGEX_LEAK,
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
    (Feature.OTHER_FILTER, _rule("filters: [{type: ExternalAuth}]"), _ALL, "filter ExternalAuth is"),
    (
        Feature.BACKEND_PATH,
        _rule("name: r", f"{_SPLIT} {{path: {{type: ReplaceFullPath, replaceFullPath: /a}}}}}}]}}]"),
        _ALL,
        "URLRewrite of the path for one of several backends is supported by no client",
    ),
    (
        Feature.BACKEND_FILTER,
        _rule("name: r", "backendRefs: [{name: web, port: 80, filters: [{type: RequestMirror}]}]"),
        _ALL,
        "RequestMirror of a backend is supported by no client",
    ),
    (
        Feature.LEAST_REQUEST,
        _policy("balancing: {policy: LeastRequest}"),
        (Library.CORE, Library.NODE),
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
    (Feature.COOKIE_HASH, _hash("cookie: {name: c}"), _GRPC, "ring_hash by cookie"),
    (Feature.BINARY_HEADER_HASH, _hash("header: a-bin"), _GRPC, "ring_hash by the binary header a-bin"),
    (Feature.HEALTH_CHECK, _policy("healthCheck: {}"), _GRPC, "checks of health"),
    (
        Restriction.LIMITS_WITH_LOAD_REPORTS,
        _policy("limits: {maxRequests: 5}"),
        (Library.JAVA,),
        "limits requests only where",
    ),
    (Feature.BACKEND_TLS, _TLS, _GRPC, "TLS to backends"),
    (
        Feature.OTHER_TLS,
        _secure("https"),
        (Library.ENVOY,),
        "TLS without a BackendTLSPolicy is not supported by Envoy",
    ),
    (
        Feature.OTHER_PROTOCOL,
        _secure("tcp"),
        (Library.ENVOY,),
        "protocols other than HTTP are not supported by Envoy",
    ),
]
OLD: list[tuple[Feature, str, str]] = [
    (Feature.ROUTE, _rule("name: r"), "routes (gRFC A28) are not supported by {client}"),
    (Feature.TIMEOUT, _policy("timeout: {request: 1s}"), "timeouts (gRFC A31) are not supported by {client}"),
    (
        Feature.RETRY,
        _policy("retry: {codes: [Unavailable]}"),
        "retries (gRFC A44) are not supported by {client}",
    ),
    (
        Feature.FAULT,
        _policy("fault: {abort: {code: Unavailable, percent: 1}}"),
        "fault injection (gRFC A33) is not supported by {client}",
    ),
    (
        Feature.LIMITS,
        _policy("limits: {maxRequests: 5}"),
        "limits of requests (gRFC A32) are not supported by {client}",
    ),
    (
        Feature.OUTLIER_DETECTION,
        _policy("outlierDetection: {failurePercentage: {}}"),
        "outlier detection (gRFC A50) is not supported by {client}",
    ),
    (Feature.RING_HASH, _hash("header: a"), "ring_hash (gRFC A42) is not supported by {client}"),
    (
        Feature.EXTERNAL_NAME,
        _SERVICES.replace("{ports:", "{type: ExternalName, externalName: a.b, ports:"),
        "type ExternalName (gRFC A37) is not supported by {client}",
    ),
]
"""Features of every current client, with the sentence about one that is older."""


OF_SERVERS = {Feature.SERVER_TLS, Feature.RBAC, Feature.AUDIT, Restriction.UNASKED_IDENTITY}
"""Of policies for servers, which calls of clients do not depend on."""


def test_every_row_of_the_table_has_an_example() -> None:
    """But those that calls do not depend on. A row that is added needs a case."""
    lacked = {item for item in Feature if not all(client.can(item) for client in CURRENT)}
    silent = {Restriction.LOAD_REPORT_LEAK, Restriction.KEEPS_WITHDRAWN, Restriction.MISSES_RETURN}
    assert {row for row, *_ in CASES} == (lacked | (set(Restriction) - silent)) - OF_SERVERS
    assert {feature for feature, *_ in OLD} == set(Feature) - lacked - {Feature.POLICY_LIST}
    assert not any(row.value.sentence for row in silent)
    assert not Feature.POLICY_LIST.value.instead


@pytest.mark.parametrize(("row", "manifest", "without", "words"), CASES)
def test_a_limitation_is_seen_wherever_it_is_looked_for(
    steerway: Run,
    tmp_path: Path,
    row: Feature | Restriction,
    manifest: str,
    without: tuple[Library, ...],
    words: str,
) -> None:
    """By the same words, and in no place for a client without the limitation."""
    (tmp_path / "a.yaml").write_text(f"{_SERVICES}---{manifest}", encoding="utf-8")
    mesh = EvaluatedMesh(f"{_SERVICES}---{manifest}")
    kind, *_ = re.findall("^kind: (.*)$", manifest, re.M)
    refused = row is Feature.OTHER_FILTER  # The status of a rule that is not applied at all.
    condition = mesh.conditions(kind, "limited")[ACCEPTED if refused else LIMITED]
    assert words in condition.message
    code, checked, _ = steerway("check", str(tmp_path))
    assert code == refused
    assert words in checked
    for library in _ALL:
        name, agent = _LIBRARIES[library]
        explained = steerway("explain", "web.shop:80", "--files", str(tmp_path), "--client", name)[1]
        for seen in (explained, _streamed(mesh, agent)):
            assert (words in seen) == (library in without), (library, seen)
        assert _limits(Client(library), row) == (library in without)
    _assert_documented(row, without)


def _limits(client: Client, row: Feature | Restriction) -> bool:
    return not client.can(row) if isinstance(row, Feature) else client.has(row)


def _assert_documented(row: Feature | Restriction, without: tuple[Library, ...]) -> None:
    """In docs/conformance.md, for these clients."""
    text = capability_document.DOCUMENT.read_text(encoding="utf-8")
    if isinstance(row, Restriction):
        line = capability_document.restrictions()[row]
        assert ", ".join(str(library) for library in without) in line
    else:
        line = capability_document.rows()[row]
        cells = line.split(" | ")[1:6]
        assert (
            tuple(library for library, cell in zip(_ALL, cells, strict=True) if cell == "\N{EN DASH}")
            == without
        )
    assert f"{line}\n" in text


@pytest.mark.parametrize(("feature", "manifest", "sentence"), OLD)
def test_a_limitation_of_old_clients_is_seen_in_explain_and_streams(
    steerway: Run, tmp_path: Path, feature: Feature, manifest: str, sentence: str
) -> None:
    """The status and `check` are about current clients."""
    services = manifest if feature is Feature.EXTERNAL_NAME else f"{_SERVICES}---{manifest}"
    (tmp_path / "a.yaml").write_text(services, encoding="utf-8")
    mesh = EvaluatedMesh(services)
    assert feature.value.instead not in steerway("check", str(tmp_path))[1]
    for library in _GRPC:
        name, agent = _LIBRARIES[library]
        major, minor = feature.value.since[library]
        for version, limited in (((major, minor - 1), True), ((major, minor), False)):
            client = Client(library, version)
            words = sentence.format(client=client)
            target = ["web.shop:80", "--files", str(tmp_path), "--client", f"{name}/{major}.{version[1]}"]
            assert (words in steerway("explain", *target)[1]) is limited
            streamed = _streamed(mesh, agent, f"{major}.{version[1]}.0")
            assert (words in streamed) is limited, streamed
            assert client.can(feature) is not limited
    _assert_documented(feature, ())


def _streamed(mesh: EvaluatedMesh, agent: str, version: str = "") -> str:
    """Of `/api/v1/streams`, where a client, of the newest version by default, is subscribed to all of the Service."""
    node = base_pb2.Node(user_agent_name=agent, user_agent_version=version).SerializeToString()
    subscribers = Subscribers(mesh.catalog.service, "cluster.local", [item.id for item in mesh.catalog])
    routes = [Subscription(type_url.ROUTE, names=["steerway.sidecar"])]
    if agent == "envoy":
        client = Stream(node=node, audience="envoy/sidecar/shop", subscriptions=routes)
    else:
        cluster = Subscription(type_url.CLUSTER, names=["web.shop.svc.cluster.local:80"])
        listener = Subscription(type_url.LISTENER, names=["web.shop:80"])
        client = Stream(node=node, audience="grpc/go/shop", subscriptions=[listener, cluster])
    (described,) = stream.describe([client], lambda _: None, lambda _: None, subscribers)
    return "\n".join(described["limitations"])
