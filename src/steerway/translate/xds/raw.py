"""Raw xDS resources from files: protobuf's JSON mapping to bytes, and which other resources they name.

They are published as they are, to everybody; a Secret only to clients with a grant. What clients make of them is their
author's business; what is checked is that they are messages of their type and have a name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from steerway.errors import TranslateError
from steerway.translate.protobuf import message
from steerway.translate.xds import type_url

MIN_TTL_SECONDS = 0.1
MAX_TTL_SECONDS = 366 * 86400
"""Bounds of a time to live, as the engine has them."""

Reference = tuple[str, str]
"""(type_url, name) of another resource."""


@dataclass(frozen=True, slots=True)
class RawResource:
    """A parsed raw resource."""

    type_url: str
    name: str
    body: bytes
    references: tuple[Reference, ...]
    ttl_seconds: float = 0.0
    """0: without end."""

    @property
    def scope(self) -> str:
        """What a grant must cover; "" for what everybody may see."""
        return f"secret:{self.name}" if self.type_url == type_url.SECRET else ""


def parse(url: str, body: dict[str, Any], ttl: str = "") -> RawResource:
    """Parse one document with or without its `@type`; `ttl` is a duration in protobuf's JSON mapping, or "".

    TranslateError for an invalid one.
    """
    if url not in type_url.SERVED:
        raise TranslateError(
            f"{url.rpartition('/')[2] or 'a resource without @type'} is no type that xDS serves"
        )
    parsed = message.from_json(url, {key: value for key, value in body.items() if key != "@type"})
    name = parsed.cluster_name if url == type_url.ENDPOINT else parsed.name  # type: ignore[attr-defined]
    if not name:
        field = "cluster_name" if url == type_url.ENDPOINT else "name"
        raise TranslateError(f"the resource has no {field}")
    named = tuple(sorted(set(references(parsed))))
    return RawResource(url, name, message.serialize(parsed), named, _seconds(ttl))


def _seconds(ttl: str) -> float:
    if not ttl:
        return 0.0
    duration = Duration()
    try:
        duration.FromJsonString(ttl)
    except ValueError:
        raise TranslateError(f'ttl {ttl!r} is no duration: write seconds, as in "10s" or "1.5s"') from None
    seconds: float = duration.ToTimedelta().total_seconds()
    if not MIN_TTL_SECONDS <= seconds <= MAX_TTL_SECONDS:
        raise TranslateError(f"ttl {ttl} is not within {MIN_TTL_SECONDS}s and {MAX_TTL_SECONDS}s")
    return seconds


def references(parsed: Message) -> Iterator[Reference]:
    """The resources that a Listener, RouteConfiguration or Cluster names; they must be served before it."""
    match parsed:
        case listener_pb2.Listener():
            for packed in _filter_configs(parsed):
                manager = hcm_pb2.HttpConnectionManager()
                if packed.Unpack(manager):
                    yield from _of_manager(manager)
        case route_pb2.RouteConfiguration():
            yield from _of_route(parsed)
        case cluster_pb2.Cluster():
            if (
                parsed.WhichOneof("cluster_discovery_type") == "type"
                and parsed.type == cluster_pb2.Cluster.EDS
            ):
                yield type_url.ENDPOINT, parsed.eds_cluster_config.service_name or parsed.name


def _filter_configs(listener: listener_pb2.Listener) -> Iterator[AnyMessage]:
    if listener.HasField("api_listener"):
        yield listener.api_listener.api_listener
    for chain in [*listener.filter_chains, listener.default_filter_chain]:
        for route_filter in chain.filters:
            yield route_filter.typed_config


def _of_manager(manager: hcm_pb2.HttpConnectionManager) -> Iterator[Reference]:
    match manager.WhichOneof("route_specifier"):
        case "rds":
            yield type_url.ROUTE, manager.rds.route_config_name
        case "route_config":
            yield from _of_route(manager.route_config)


def _of_route(configuration: route_pb2.RouteConfiguration) -> Iterator[Reference]:
    for host in configuration.virtual_hosts:
        for route in host.routes:
            for cluster in _clusters(route.route):
                yield type_url.CLUSTER, cluster


def _clusters(action: route_components_pb2.RouteAction) -> Iterator[str]:
    if action.cluster:
        yield action.cluster
    for weighted in action.weighted_clusters.clusters:
        yield weighted.name
    for mirror in action.request_mirror_policies:
        yield mirror.cluster
