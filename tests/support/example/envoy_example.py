"""Services whose policies and routes use all features of Envoy, as the catalog would have them."""

from dataclasses import replace

from steerway.catalog.model.mesh import Endpoint, Locality, Port, Service, ServiceId
from steerway.catalog.model.policy import (
    CHANNEL,
    Algorithm,
    Balancing,
    Ejection,
    Fault,
    HashKey,
    HashSource,
    HealthCheck,
    OutlierDetection,
    Policy,
    Retry,
    Session,
    SlowStart,
)
from steerway.catalog.model.route import (
    Backend,
    BackendPort,
    Changes,
    Entry,
    HeaderChange,
    Match,
    MatchType,
    Mirror,
    Redirect,
    Rewrite,
    Routing,
    Rule,
    ValueMatch,
)

NAMESPACE = "shop"
HOSTNAMES = ("shop.example.org", "*.example.org")

_COOKIE = HashKey(HashSource.COOKIE, "user", "/", 60.0)
_SLOW = SlowStart(30.0)
_CHANGE = HeaderChange((("x-set", "a%b"),), (("x-add", ""),), ("x-gone",))
BALANCING = (
    None,
    Balancing(Algorithm.ROUND_ROBIN, slow_start=_SLOW),
    Balancing(Algorithm.LEAST_REQUEST, choices=3, slow_start=_SLOW),
    Balancing(Algorithm.RING_HASH, hash_on=(HashKey(HashSource.HEADER, "x-user"), _COOKIE, CHANNEL)),
    Balancing(Algorithm.RING_HASH),
    Balancing(Algorithm.WEIGHTED_ROUND_ROBIN, slow_start=_SLOW),
    Balancing(Algorithm.PICK_FIRST),
    Balancing(Algorithm.RANDOM),
)
_FULL = Policy(
    outlier_detection=OutlierDetection(success_rate=Ejection(1.9), failure_percentage=Ejection(0.85)),
    maximum_requests=100,
    health_check=HealthCheck("shop.Backend"),
    timeout_seconds=1.5,
    retry=Retry(("cancelled", "unavailable"), 3, 0.025, 1.0, (502, 503)),
    session=Session("sid", "/", 3600.0),
    fault=Fault(0.01, 0.5, 14, 0.25),
)
_ENDPOINTS = (
    Endpoint("10.0.0.1", 8080, locality=Locality("eu", "eu-1a")),
    Endpoint("10.0.0.2", 8080, locality=Locality("eu", "eu-1b"), priority=1),
)


def to(name: str, port: int = 50051, namespace: str = NAMESPACE) -> BackendPort:
    """A port of one of the services."""
    return BackendPort(ServiceId(namespace, name), port)


_LARGE = ValueMatch("x-large", MatchType.REGEX, "[^a]*[^b]*" * 20)
"""Too large for an Envoy that is not configured for it."""
MATCHES = (
    Match(MatchType.EXACT, "/shop.Backend/Get"),
    Match(MatchType.REGEX, "/[^/]+/Get"),
    Match(MatchType.PREFIX, "/shop.Backend/"),
    Match(MatchType.REGEX, "/v1/[0-9]{99}", headers=(_LARGE,), query=(_LARGE,)),
    Match(MatchType.PREFIX, "/api/", elements=True),
    Match(MatchType.PREFIX, "/", elements=True),
    Match(
        headers=(
            ValueMatch("x-tier", MatchType.EXACT, "gold"),
            ValueMatch("x-user", MatchType.REGEX, "[a-m].*"),
        ),
        query=(ValueMatch("q", MatchType.EXACT, "1"), ValueMatch("r", MatchType.REGEX, "[0-9]+")),
        method="POST",
    ),
)
RULES = (
    Rule(
        "split",
        (
            Backend(to("full"), 3),
            Backend(to("missing"), 1),
            Backend(to("backend-1"), 2, Changes(_CHANGE, _CHANGE)),
        ),
        Changes(_CHANGE, _CHANGE, Rewrite("other.example.org", path="/new\\1")),
        (Mirror(to("backend-2"), 0.25), Mirror(to("missing"))),
        policy=_FULL,
    ),
    Rule("prefix", (Backend(to("backend-3")),), Changes(rewrite=Rewrite(prefix="/v2")), attempt_seconds=0.5),
    Rule("header", (Backend(to("backend-3")),), policy=Policy(session=Session("", header="x-cart"))),
    Rule("root", (Backend(to("backend-4"), 1, Changes(rewrite=Rewrite("b.example.org", prefix="/"))),)),
    Rule("http", (Backend(to("plain", 80)), Backend(to("outside", 443))), policy=Policy(timeout_seconds=0.0)),
    Rule("absent"),
    Rule("unknown", (Backend(to("backend-1")),), not_done=("ExtensionRef",), redirect=Redirect()),
    *(
        Rule("redirect", redirect=redirect)
        for redirect in (
            Redirect("https", "other.example.org", 8443, path="/new", status=301),
            Redirect("http", None, 80, prefix="/v2", status=303),
            Redirect(prefix="/", status=307),
            Redirect(host="a.example.org", status=308),
        )
    ),
)
_TABLE = tuple(Entry(match, replace(rule, hostnames=HOSTNAMES)) for rule in RULES for match in MATCHES)


def services() -> list[Service]:
    """One that all routes are attached to, and their backends: each kind of balancing, every section, HTTP, a name."""
    ports = [Port(50051, endpoints=_ENDPOINTS, policy=Policy(balancing=item)) for item in BALANCING]
    routed = Port(50051, "grpc", routing=Routing(_TABLE))
    return [
        Service(ServiceId(NAMESPACE, "routed"), (routed,)),
        Service(ServiceId(NAMESPACE, "full"), (Port(50051, endpoints=_ENDPOINTS, policy=_FULL),)),
        *(Service(ServiceId(NAMESPACE, f"backend-{index}"), (port,)) for index, port in enumerate(ports)),
        Service(ServiceId(NAMESPACE, "plain"), (Port(80, "http", "http"), Port(50051, "grpc"))),
        Service(ServiceId(NAMESPACE, "outside"), external_name="db.example.org"),
    ]
