"""The JSON document that an Envoy starts with: a delta ADS stream to steerway, its Node, the admin interface.

Envoy balances over its control planes and retries another one when a stream fails, so all servers of the bootstrap are
endpoints of one cluster.

Source: envoy/config/bootstrap/v3/bootstrap.proto. The document is the one of docs/guides/envoy.md.
"""

from collections.abc import Sequence
from typing import Any

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Bootstrap, Server, Tls
from steerway.errors import SettingsError
from steerway.translate.client import metadata as key
from steerway.translate.client.capability import LARGE_PROGRAM_SIZE

ADMIN = ServerAddress("127.0.0.1", 15000)
"""Address of Envoy's admin interface, which has no authentication."""
_CLUSTER = "steerway"
_TYPE = "type.googleapis.com/"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_ADS = {"resource_api_version": "V3", "ads": {}}


def document(bootstrap: Bootstrap, role: str, admin: ServerAddress) -> dict[str, Any]:
    """`role` is one of `metadata.ROLES`. SettingsError: the bootstrap has parts that an Envoy does not support."""
    _validate(bootstrap)
    node = bootstrap.node.document()
    node["metadata"] |= {key.ROLE: role, key.PROGRAM_SIZE: LARGE_PROGRAM_SIZE}
    # Envoy refuses features that need the name of its cluster without one.
    node.setdefault("cluster", bootstrap.node.metadata.get(key.NAMESPACE) or bootstrap.node.id)
    return {
        "node": node,
        "admin": {"address": _address(admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": _CLUSTER}}],
            },
            "lds_config": _ADS,
            "cds_config": _ADS,
        },
        "layered_runtime": {
            "layers": [
                {
                    "name": "static",
                    "static_layer": {"re2.max_program_size.error_level": LARGE_PROGRAM_SIZE},
                }
            ]
        },
        "static_resources": {"clusters": [_cluster(bootstrap.servers)]},
    }


def _validate(bootstrap: Bootstrap) -> None:
    unsupported = {
        "authorities": bootstrap.authorities,
        "certificate providers": bootstrap.certificate_providers,
        "listener templates": bootstrap.server_listener_template or bootstrap.client_listener_template,
    }
    for part, given in unsupported.items():
        if given:
            raise SettingsError(f"an Envoy has no {part}, which are for gRPC clients")
    if any(server.jwt_token_file for server in bootstrap.servers):
        raise SettingsError("an Envoy reads no token file for its control plane: use a client certificate")
    if any(
        isinstance(item, Tls) and not item.ca for server in bootstrap.servers for item in server.credentials
    ):
        raise SettingsError("an Envoy verifies a control plane with a CA file only: give its path")
    if len({bool(server.address.path) for server in bootstrap.servers}) > 1:
        raise SettingsError("an Envoy has either Unix sockets or HOST:PORT as its control planes, not both")


def _cluster(servers: Sequence[Server]) -> dict[str, Any]:
    """The cluster of the control planes, which have the same credentials."""
    by_dns = any(server.address.is_name for server in servers)
    endpoints = [{"endpoint": {"address": _address(server.address)}} for server in servers]
    keepalive = {"connection_keepalive": {"interval": "30s", "timeout": "20s"}}
    tls = next((item for item in servers[0].credentials if isinstance(item, Tls)), None)
    return {
        "name": _CLUSTER,
        # Envoy's default is IPv6 alone where a name has both: it never connects to `localhost` of an IPv4 listener.
        **({"type": "STRICT_DNS", "dns_lookup_family": "ALL"} if by_dns else {"type": "STATIC"}),
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"{_TYPE}{_HTTP_OPTIONS}",
                "explicit_http_config": {"http2_protocol_options": keepalive},
            }
        },
        "load_assignment": {"cluster_name": _CLUSTER, "endpoints": [{"lb_endpoints": endpoints}]},
        **({"transport_socket": _transport_socket(tls, servers)} if tls else {}),
    }


def _transport_socket(tls: Tls, servers: Sequence[Server]) -> dict[str, Any]:
    """TLS, verified for the hosts of the servers, as gRPC clients do."""
    hosts = [server.address for server in servers if not server.address.path]
    names = [
        {"san_type": "DNS" if host.is_name else "IP_ADDRESS", "matcher": {"exact": host.host}}
        for host in hosts
    ]
    validation = {"trusted_ca": {"filename": tls.ca}}
    context: dict[str, Any] = {
        "validation_context": validation | ({"match_typed_subject_alt_names": names} if names else {})
    }
    if tls.certificate:
        pair = {
            "certificate_chain": {"filename": tls.certificate},
            "private_key": {"filename": tls.key},
        }
        context["tls_certificates"] = [pair]
    server_name = next((host.host for host in hosts if host.is_name), "")
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}{_TLS}",
            **({"sni": server_name} if server_name else {}),
            "common_tls_context": context,
        },
    }


def _address(address: ServerAddress) -> dict[str, Any]:
    if address.path:
        return {"pipe": {"path": address.path}}
    return {"socket_address": {"address": address.host, "port_value": address.port}}
