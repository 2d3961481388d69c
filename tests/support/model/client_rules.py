"""What grpc-go, C-core, grpc-java and grpc-js refuse, or take and then fail on: an oracle with no code of steerway's.

Each rule was seen in the released clients (grpc-go 1.85, grpcio 1.85, grpc-java 1.85, grpc-js-xds 1.14) or stands in
the gRFC named beside it. A rule holds for all clients when it names none.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import re2
from envoy.config.cluster.v3 import cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import base_pb2, config_source_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.load_balancing_policies.ring_hash.v3 import ring_hash_pb2
from envoy.extensions.load_balancing_policies.wrr_locality.v3 import wrr_locality_pb2
from google.protobuf import duration_pb2
from google.protobuf.any_pb2 import Any as Any_

from tests.support.model import server_rules

UINT32_MAX = 2**32 - 1
RETRIED = {"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}
_TOKEN = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]])*\]|.", re.DOTALL)
"""What is quoted, an escape, a class of characters, or a character."""
HIDDEN_LIMIT = 1024
"""Concurrent requests per cluster without a threshold (gRFC A32)."""


def refusals(type_url: str, name: str, body: bytes) -> list[str]:
    """Why some client would not work with this resource, asked for by `name`; empty when all do."""
    message_type, rules = _RULES[type_url]
    return list(rules(message_type.FromString(body), name))


def _listener(listener: listener_pb2.Listener, name: str) -> Iterator[str]:
    if listener.name != name:
        yield f"the Listener is named {listener.name!r}, the client asked for {name!r}"
    if listener.filter_chains or listener.HasField("default_filter_chain"):
        yield from server_rules.listener(listener)
        return
    if not listener.HasField("api_listener"):
        yield "no api_listener (gRFC A27)"
        return
    manager = hcm_pb2.HttpConnectionManager()
    if not listener.api_listener.api_listener.Unpack(manager):
        yield "the api_listener is no HttpConnectionManager"
        return
    if manager.WhichOneof("route_specifier") != "rds":
        yield f"route_specifier {manager.WhichOneof('route_specifier')}"
    if not _is_ads(manager.rds.config_source):
        yield "Go servers and all clients: the route must come over ads"
    if not manager.rds.route_config_name:
        yield "no route_config_name"
    if manager.xff_num_trusted_hops or manager.original_ip_detection_extensions:
        yield "Go, C-core, Java: xff_num_trusted_hops and original_ip_detection_extensions (gRFC A41)"
    yield from _filters(manager)


def _filters(manager: hcm_pb2.HttpConnectionManager) -> Iterator[str]:
    names = [http_filter.name for http_filter in manager.http_filters]
    if len(names) != len(set(names)) or "" in names:
        yield "filter names must be unique and not empty (gRFC A39)"
    routers = [
        http_filter.typed_config.Is(router_pb2.Router.DESCRIPTOR) for http_filter in manager.http_filters
    ]
    if not routers or not routers[-1] or any(routers[:-1]):
        yield "the last filter, and only it, must be the router (gRFC A39)"


def _route(configuration: route_pb2.RouteConfiguration, name: str) -> Iterator[str]:
    if configuration.name != name:
        yield f"the RouteConfiguration is named {configuration.name!r}, the Listener names {name!r}"
    domains = [domain for host in configuration.virtual_hosts for domain in host.domains]
    if not domains or not all(host.domains for host in configuration.virtual_hosts):
        yield "C-core: a virtual host without domains"
    if len(domains) != len(set(domains)):
        yield "Java: a domain twice"
    for domain in domains:
        if not domain or "*" in domain[1:-1] or domain != domain.lower():
            yield f"domain {domain!r}: empty, a star in the middle, or capital letters (Go, Node)"
    for host in configuration.virtual_hosts:
        if not host.routes:
            yield "a virtual host without routes answers UNAVAILABLE"
        if name.startswith("server/"):
            yield from server_rules.routes(host)
            continue
        for route in host.routes:
            yield from _route_entry(route)


def _route_entry(route: route_components_pb2.Route) -> Iterator[str]:
    match = route.match.WhichOneof("path_specifier")
    if match not in ("prefix", "path", "safe_regex"):
        yield f"path_specifier {match}: needs a check of its own here, or is refused by all"
    for regex in (route.match.safe_regex.regex, *(h.safe_regex_match.regex for h in route.match.headers)):
        yield from _regex(regex)
    for header in route.match.headers:
        yield from _header(header)
    yield from _retry(route.route.retry_policy, route.route.HasField("retry_policy"))
    yield from _time(route.route.max_stream_duration.max_stream_duration)
    for policy in route.route.hash_policy:
        if policy.WhichOneof("policy_specifier") not in ("header", "filter_state"):
            yield "a hash policy that gRPC passes over (gRFC A42)"
        elif policy.HasField("header") and not policy.header.header_name:
            yield "C-core: a hash policy of a header without a name"
    for name, config in route.typed_per_filter_config.items():
        yield from _override(name, config)
    if route.match.query_parameters:
        yield "Node: query_parameters are taken as if they were not there"
    if route.WhichOneof("action") != "route":
        yield f"Java, Node: action {route.WhichOneof('action')}"
        return
    specifier = route.route.WhichOneof("cluster_specifier")
    if specifier == "weighted_clusters":
        weights = [cluster.weight.value for cluster in route.route.weighted_clusters.clusters]
        if not 0 < sum(weights) <= UINT32_MAX or not all(weights):
            yield "C-core, Java, Node: each weighted cluster needs a weight of at least 1"
        if route.route.weighted_clusters.total_weight.value != sum(weights):
            yield "grpc-js-xds before 1.14.1: total_weight is not the sum of the weights"
        names = [cluster.name for cluster in route.route.weighted_clusters.clusters]
        if not all(names):
            yield "C-core: an empty cluster name"
        if len(names) != len(set(names)):
            yield "a weighted cluster twice"
    elif specifier != "cluster" or not route.route.cluster:
        yield f"cluster_specifier {specifier} {route.route.cluster!r}: the route is ignored, or its calls hang"


def _override(name: str, config: Any_) -> Iterator[str]:
    """What a route sets for a filter (gRFC A39): bare where all clients know the filter, else marked as optional."""
    wrapper = route_components_pb2.FilterConfig()
    wrapped = config.Unpack(wrapper)
    known = (wrapper.config if wrapped else config).Is(fault_pb2.HTTPFault.DESCRIPTOR)
    if known and wrapped:
        yield f"Node: {name} is known, and not looked for in a FilterConfig"
    if not known and not (wrapped and wrapper.is_optional):
        yield f"{name}: a client that does not know the filter refuses what is not marked optional (gRFC A39)"


def _regex(regex: str) -> Iterator[str]:
    try:
        re2.compile(regex)
    except re2.error:
        yield f"{regex!r} is nothing that RE2 compiles: refused, and a crash of grpc-js"
    depth = 0
    for token in _TOKEN.findall(regex):
        depth += (token == "(") - (token == ")")
        if token == "|" and not depth:
            yield f"Node: {regex!r} is taken for ^{regex}$, which matches more"


def _header(header: route_components_pb2.HeaderMatcher) -> Iterator[str]:
    match_type = header.WhichOneof("header_match_specifier")
    if match_type not in ("exact_match", "safe_regex_match", "present_match"):
        yield f"header match {match_type}: not read by clients before gRFC A63, or refused (Go, C-core, Java)"


def _retry(policy: route_components_pb2.RetryPolicy, there: bool) -> Iterator[str]:
    if not there:
        return
    if not set(policy.retry_on.split(",")) <= RETRIED:
        yield f"retry_on {policy.retry_on!r}: codes are lower-case, with commas and no spaces (gRFC A44)"
    if policy.num_retries.value < 1:
        yield "Go, C-core, Node: num_retries must be at least 1"
    base, most = policy.retry_back_off.base_interval, policy.retry_back_off.max_interval
    if base.ToNanoseconds() <= 0 or most.ToNanoseconds() < base.ToNanoseconds():
        yield "Java, Node: the back-off needs a base, and a maximum that is not less"


def _time(duration: duration_pb2.Duration) -> Iterator[str]:
    if duration.ToNanoseconds() < 0 or duration.seconds > 315_576_000_000:
        yield "C-core: a duration out of range"


def _policies(load_balancing_policy: cluster_pb2.LoadBalancingPolicy) -> Iterator[str]:
    """The last entry is one that every client knows; a ring names its hash function (gRFC A52)."""
    for policy in load_balancing_policy.policies:
        config = policy.typed_extension_config.typed_config
        ring, locality = ring_hash_pb2.RingHash(), wrr_locality_pb2.WrrLocality()
        if config.Unpack(ring) and ring.hash_function != ring_hash_pb2.RingHash.XX_HASH:
            yield "Go, Java, Node: a ring with another hash function than XX_HASH"
        if ring.HasField("minimum_ring_size") or ring.HasField("maximum_ring_size"):
            yield "Node: the size of a ring in the list is read as text, and refused"
        if config.Unpack(locality):
            yield from _policies(locality.endpoint_picking_policy)
    last = (
        load_balancing_policy.policies[-1].typed_extension_config.typed_config
        if load_balancing_policy.policies
        else Any_()
    )
    if last.TypeName().rpartition(".")[2] not in ("RoundRobin", "WrrLocality", "RingHash"):
        yield "load_balancing_policy ends with something that not every client knows"


def _outliers(outlier_detection: outlier_detection_pb2.OutlierDetection) -> Iterator[str]:
    percents = ("max_ejection_percent", "enforcing_success_rate", "enforcing_failure_percentage")
    for field in percents:
        if not outlier_detection.HasField(field) or getattr(outlier_detection, field).value > 100:
            yield f"{field} is unset, which means something else for each client, or over 100 (gRFC A50)"


def _cluster(cluster: cluster_pb2.Cluster, name: str) -> Iterator[str]:
    if cluster.name != name:
        yield f"the Cluster is named {cluster.name!r}, the route names {name!r}"
    if cluster.WhichOneof("cluster_discovery_type") != "type" or cluster.type not in (
        cluster_pb2.Cluster.EDS,
        cluster_pb2.Cluster.LOGICAL_DNS,
    ):
        yield "discovery other than EDS and LOGICAL_DNS needs checks of its own here, or is refused by all"
    if cluster.type == cluster_pb2.Cluster.LOGICAL_DNS:
        hosts = [
            lb_endpoint
            for locality in cluster.load_assignment.endpoints
            for lb_endpoint in locality.lb_endpoints
        ]
        if len(cluster.load_assignment.endpoints) != 1 or len(hosts) != 1:
            yield "gRFC A37: a LOGICAL_DNS cluster has one locality with one endpoint"
        elif not (host := hosts[0].endpoint.address.socket_address).address or not host.port_value:
            yield "gRFC A37: the endpoint of a LOGICAL_DNS cluster has a host and a port"
        elif host.resolver_name:
            yield "gRFC A37: a resolver_name is refused"
    elif not _is_ads(cluster.eds_cluster_config.eds_config):
        yield "endpoints must come over ads"
    if cluster.lb_policy not in (cluster_pb2.Cluster.ROUND_ROBIN, cluster_pb2.Cluster.RING_HASH):
        yield "C-core, Node: lb_policy is neither ROUND_ROBIN nor RING_HASH"
    if cluster.HasField("load_balancing_policy"):
        yield from _policies(cluster.load_balancing_policy)
    if cluster.HasField("outlier_detection"):
        yield from _outliers(cluster.outlier_detection)
    if cluster.HasField("lrs_server") and not cluster.lrs_server.HasField("self"):
        yield "the load reporting server is not `self` (gRFC A27)"
    if cluster.HasField("transport_socket"):
        yield from server_rules.upstream(cluster.transport_socket)
    if cluster.transport_socket_matches:
        yield "transport_socket_matches need checks of their own here"
    limits = [
        threshold
        for threshold in cluster.circuit_breakers.thresholds
        if threshold.priority == base_pb2.DEFAULT
    ]
    if len(limits) != 1 or not limits[0].HasField("max_requests"):
        yield f"no single default max_requests: the hidden limit of {HIDDEN_LIMIT} applies (gRFC A32)"
    elif not 0 < limits[0].max_requests.value < 2**31:
        yield "Java: max_requests is read as a signed 32 bit number"


def _assignment(assignment: endpoint_pb2.ClusterLoadAssignment, name: str) -> Iterator[str]:
    if assignment.cluster_name != name:
        yield f"the assignment is named {assignment.cluster_name!r}, the Cluster names {name!r}"
    seen: Counter[tuple[str, int]] = Counter()
    numbers: Counter[tuple[int, str, str, str]] = Counter()
    weights: Counter[int] = Counter()
    for locality in assignment.endpoints:
        where = locality.locality
        numbers[locality.priority, where.region, where.zone, where.sub_zone] += 1
        weights[locality.priority] += locality.load_balancing_weight.value
        if not locality.HasField("locality"):
            yield "Go, C-core, Node: locality unset"
        if not locality.load_balancing_weight.value:
            yield "a locality without weight gets no traffic, and may leave a gap between priorities"
        if not locality.lb_endpoints:
            yield "a locality without endpoints"
        for lb_endpoint in locality.lb_endpoints:
            socket = lb_endpoint.endpoint.address.socket_address
            seen[socket.address, socket.port_value] += 1
            yield from _endpoint(lb_endpoint)
    if twice := [address for address, times in seen.items() if times > 1]:
        yield f"Go, C-core, Node: addresses twice: {twice}"
    if any(times > 1 for times in numbers.values()):
        yield "a locality twice within a priority"
    if sorted(weights) != list(range(len(weights))):
        yield f"priorities with gaps: {sorted(weights)}"
    if any(weight > UINT32_MAX for weight in weights.values()):
        yield "the weights of a priority do not fit 32 bits"


def _endpoint(lb_endpoint: endpoint_components_pb2.LbEndpoint) -> Iterator[str]:
    socket = lb_endpoint.endpoint.address.socket_address
    try:
        ipaddress.ip_address(socket.address)
    except ValueError:
        yield f"C-core, Java, Node: {socket.address!r} is no IP address"
    if not 1 <= socket.port_value <= 65535:
        yield f"port {socket.port_value}: dialled as it is"
    if lb_endpoint.HasField("load_balancing_weight") and not lb_endpoint.load_balancing_weight.value:
        yield "Go, C-core: endpoint weight 0"
    if lb_endpoint.health_status not in (health_check_pb2.HEALTHY, health_check_pb2.DRAINING):
        yield f"health_status {health_check_pb2.HealthStatus.Name(lb_endpoint.health_status)}: sent in vain"


def _is_ads(source: config_source_pb2.ConfigSource) -> bool:
    return source.WhichOneof("config_source_specifier") == "ads"


_PREFIX = "type.googleapis.com/envoy.config."
_RULES: dict[str, tuple[Any, Callable[[Any, str], Iterator[str]]]] = {
    _PREFIX + "listener.v3.Listener": (listener_pb2.Listener, _listener),
    _PREFIX + "route.v3.RouteConfiguration": (route_pb2.RouteConfiguration, _route),
    _PREFIX + "cluster.v3.Cluster": (cluster_pb2.Cluster, _cluster),
    _PREFIX + "endpoint.v3.ClusterLoadAssignment": (endpoint_pb2.ClusterLoadAssignment, _assignment),
}
