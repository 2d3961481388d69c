"""What xDS servers in grpc-go, C-core, grpc-java and grpc-js refuse or fail on, and the TLS of clients: an oracle with
no code of steerway's.

Each rule was seen in the released libraries (see `client_rules`) or stands in the gRFC named beside it.
"""

import ipaddress
from collections.abc import Iterable, Iterator

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.config.rbac.v3 import rbac_pb2 as rules_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

_SOCKET = "envoy.transport_sockets.tls"
_LOGGERS = ("type.googleapis.com/envoy.extensions.rbac.audit_loggers.stream.v3.StdoutAuditLog",)


def listener(message: listener_pb2.Listener) -> Iterator[str]:
    """Of a server's Listener."""
    socket = message.address.socket_address
    try:
        ipaddress.ip_address(socket.address)
    except ValueError:
        yield f"{socket.address!r} is no address: Go and C-core refuse it, the others do not serve (gRFC A36)"
    if not 1 <= socket.port_value <= 65535:
        yield f"Node: port {socket.port_value}"
    if message.listener_filters or message.HasField("use_original_dst") or message.traffic_direction:
        yield "Go, Java, Node: listener_filters, use_original_dst or traffic_direction"
    if message.HasField("default_filter_chain"):
        yield "Java: with a default chain, later changes of the routes are ignored"
    if len(message.filter_chains) != 1 or message.filter_chains[0].HasField("filter_chain_match"):
        yield "Node: chains are not selected as the others do; use one without a match"
    if message.HasField("api_listener"):
        yield "a server does not serve an api_listener"
    for chain in message.filter_chains:
        yield from _chain(chain)


def _chain(chain: listener_components_pb2.FilterChain) -> Iterator[str]:
    manager = hcm_pb2.HttpConnectionManager()
    if len(chain.filters) != 1 or not chain.filters[0].typed_config.Unpack(manager):
        yield "the only network filter must be an HttpConnectionManager (gRFC A36)"
    if chain.HasField("transport_socket"):
        yield from _downstream(chain.transport_socket)
    if (manager.stat_prefix == "server-off") is chain.HasField("transport_socket"):
        yield "Node: the manager must change together with TLS"
    if manager.rds.config_source.WhichOneof("config_source_specifier") != "ads":
        yield "Go: the route must come over ads"
    if not manager.rds.route_config_name:
        yield "no route_config_name"
    names = [extension.name for extension in manager.http_filters]
    if len(names) != len(set(names)) or "" in names:
        yield "filter names must be unique and not empty (gRFC A39)"
    *others, last = [*manager.http_filters] or [hcm_pb2.HttpFilter()]
    if not last.typed_config.Is(router_pb2.Router.DESCRIPTOR):
        yield "the last filter must be the router (gRFC A39)"
    for extension in others:
        config = rbac_pb2.RBAC()
        if not extension.typed_config.Unpack(config):
            yield f"{extension.name}: servers refuse filters of clients"
        if extension.is_optional:
            yield f"{extension.name}: Node passes over an optional RBAC filter"
        yield from _rbac(config)


def routes(host: route_components_pb2.VirtualHost) -> Iterator[str]:
    """Of the virtual host of a server."""
    for route in host.routes:
        if route.WhichOneof("action") not in ("non_forwarding_action", "route"):
            yield f"action {route.WhichOneof('action')}"
        if route.match.prefix != "/":
            yield "a match other than of every call"
        yield from _overrides(route.typed_per_filter_config.values())
    yield from _overrides(host.typed_per_filter_config.values())


def _overrides(configs: Iterable[Any]) -> Iterator[str]:
    for config in configs:
        override = rbac_pb2.RBACPerRoute()
        if not config.Unpack(override):
            yield f"servers refuse {config.type_url}"
        elif not override.HasField("rbac"):
            yield "Go, Node: an RBACPerRoute without rbac"
        yield from _rbac(override.rbac)


def _rbac(config: rbac_pb2.RBAC) -> Iterator[str]:
    if config.HasField("matcher") or config.HasField("shadow_rules") or config.HasField("shadow_matcher"):
        yield "a matcher or shadow rules, which gRPC does not read (gRFC A41)"
    options = config.rules.audit_logging_options
    for entry in options.logger_configs:
        if entry.audit_logger.typed_config.type_url not in _LOGGERS and not entry.is_optional:
            yield f"Go: unknown logger {entry.audit_logger.name}"
    if config.rules.action == rules_pb2.RBAC.LOG:
        yield "Node: action LOG"
    for name, policy in config.rules.policies.items():
        if policy.HasField("condition") or policy.HasField("checked_condition"):
            yield f"{name}: a condition (gRFC A41)"
        if not policy.permissions or not policy.principals:
            yield f"{name}: a policy without permissions or principals never matches"
        yield from _matchers(policy)


def _matchers(message: Message) -> Iterator[str]:
    """Of everything in a policy."""
    if isinstance(message, route_components_pb2.HeaderMatcher):
        name = message.name
        if not name or name != name.lower() or name.startswith((":", "grpc-")) or name in ("te", "host"):
            yield f"a header {name!r}, which is refused or never matches"
        if message.WhichOneof("header_match_specifier") is None:
            yield f"header {name}: no matcher"
        if message.HasField("present_match"):
            yield f"Go: present_match of {name} is false for an empty value"
    elif isinstance(message, string_pb2.StringMatcher):
        yield from _text(message)
    elif isinstance(message, rules_pb2.Principal.Authenticated) and not message.HasField("principal_name"):
        yield "Go, C-core, Java, Node: an authenticated principal without a name counts differently"
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                yield from _matchers(part)


def _text(matcher: string_pb2.StringMatcher) -> Iterator[str]:
    kind = matcher.WhichOneof("match_pattern")
    if kind not in ("exact", "prefix", "safe_regex"):
        yield f"a text matcher {kind} needs a check of its own here"
    if kind == "prefix" and not matcher.prefix:
        yield "Go: an empty prefix"


def _downstream(socket: base_pb2.TransportSocket) -> Iterator[str]:
    context = tls_pb2.DownstreamTlsContext()
    if socket.name != _SOCKET or not socket.typed_config.Unpack(context):
        yield f"a transport socket {socket.name!r} that is no TLS (gRFC A29)"
    if not context.common_tls_context.tls_certificate_provider_instance.instance_name:
        yield "a server without a certificate (gRFC A29)"
    if context.HasField("require_client_certificate") and not context.require_client_certificate.value:
        yield "Java: require_client_certificate counts as true when it is present"
    if context.HasField("require_sni") or context.ocsp_staple_policy:
        yield "Java, Go: require_sni or ocsp_staple_policy"
    if context.common_tls_context.validation_context.match_subject_alt_names:
        yield "Go, C-core, Java: names of subjects at a server"
    yield from _common(context.common_tls_context)


def upstream(socket: base_pb2.TransportSocket) -> Iterator[str]:
    """Of the transport socket of a Cluster."""
    context = tls_pb2.UpstreamTlsContext()
    if socket.name != _SOCKET or not socket.typed_config.Unpack(context):
        yield f"a transport socket {socket.name!r} that is no TLS (gRFC A29)"
    if context.sni or context.auto_host_sni or context.auto_sni_san_validation:
        yield "SNI, which libraries send or check differently (gRFC A101)"
    names = context.common_tls_context.validation_context.match_subject_alt_names
    if not names:
        yield "any server of the trust domain would be accepted: no name is checked without matchers"
    for name in names:
        yield from _text(name)
    yield from _common(context.common_tls_context)


def _common(common: tls_pb2.CommonTlsContext) -> Iterator[str]:
    if common.WhichOneof("validation_context_type") != "validation_context":
        yield "no validation context with a CA"
    validation = common.validation_context
    if not validation.ca_certificate_provider_instance.instance_name:
        yield "no CA: refused by all clients (gRFC A29)"
    allowed = {"ca_certificate_provider_instance", "match_subject_alt_names"}
    if extra := {field.name for field, _ in validation.ListFields()} - allowed:
        yield f"{', '.join(sorted(extra))}: refused or ignored by some"
    allowed = {"tls_certificate_provider_instance", "validation_context"}
    if extra := {field.name for field, _ in common.ListFields()} - allowed:
        yield f"{', '.join(sorted(extra))}: refused or ignored by some"
