"""The clients that a difference is computed for: the connected ones, or one of each library."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from steerway.catalog.model.mesh import Service, ServiceId
from steerway.errors import TranslateError
from steerway.sources.kubernetes.namespace import DEFAULT
from steerway.translate import destination, resource_name
from steerway.translate.client.audience import ENVOY, Audience, decode, of_client
from steerway.translate.client.client import CURRENT, Client
from steerway.translate.client.library import Library
from steerway.translate.xds import type_url

WILDCARD = "*"
_CACHED_NAMES = 2**17
"""Names that `service_of` keeps: thousands of streams share theirs."""


class Name(NamedTuple):
    """A resource; `name` is `*` for a wildcard subscription."""

    type_url: str
    name: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream with its subscriptions. `workload`: "" where it is not known. `node` "": a client that stands for all of
    its library, of which none need be connected."""

    audience: Audience
    client: Client
    names: tuple[Name, ...]
    node: str = ""
    workload: str = ""

    @property
    def is_envoy(self) -> bool:
        return self.audience.dialect == ENVOY


def connected(rows: Iterable[Mapping[str, Any]], workloads: Mapping[str, str]) -> list[Stream]:
    """The streams of `/api/v1/streams`. `workloads`: by node id."""
    return [
        Stream(
            decode(row["audience"]),
            _client(row["client"]),
            tuple(_names(row["types"])),
            row["node"],
            workloads.get(row["node"], ""),
        )
        for row in rows
        if row["audience"]
    ]


def typical(services: Iterable[Service], raw: Sequence[Name] = ()) -> list[Stream]:
    """One client of the current release of each gRPC library in the namespace of each service, for all its ports; and
    one of an unknown library for raw resources."""
    by_namespace: dict[str, list[Name]] = {}
    for service in services:
        name = f"{service.id.name}.{service.id.namespace}"
        for port in service.ports:
            target = f"{name}:{port.number}" if port.number else name
            by_namespace.setdefault(service.id.namespace, []).append(Name(type_url.LISTENER, target))
    streams = [
        Stream(of_client(client, namespace), client, tuple(names))
        for namespace, names in sorted(by_namespace.items())
        for client in CURRENT
        if client.is_grpc
    ]
    if raw:
        streams.append(Stream(of_client(Client(), DEFAULT), Client(), tuple(raw)))
    return streams


@functools.lru_cache(maxsize=_CACHED_NAMES)
def service_of(name: Name, namespace: str, domain: str) -> ServiceId | None:
    """The service that a name means to clients of the namespace; None for one that means none."""
    try:
        if name.type_url == type_url.LISTENER:
            return resource_name.parse_target(name.name, namespace, domain).service
        canonical = resource_name.without_object(destination.plaintext(name.name))
        return resource_name.parse_canonical(canonical, domain).service
    except TranslateError:
        return None


def _names(types: Sequence[Mapping[str, Any]]) -> Iterator[Name]:
    for row in types:
        if row["wildcard"]:
            yield Name(row["type_url"], WILDCARD)
        yield from (Name(row["type_url"], name) for name in row["names"] if name != WILDCARD)


def _client(text: str) -> Client:
    """A client as `/api/v1/streams` writes it: `grpc-go 1.80`."""
    for library in Library:
        title, number = str(library), text.rpartition(" ")[2]
        if text == title:
            return Client(library)
        if text == f"{title} {number}":
            major, _, minor = number.partition(".")
            return Client(library, (int(major), int(minor)))
    return Client()
