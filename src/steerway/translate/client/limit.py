"""A limitation of a client as a sentence, the same in every place that reports it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from steerway.translate.client.capability import Feature, Restriction
from steerway.translate.client.client import CURRENT, Client
from steerway.translate.client.library import GRPC

_NAME = "client"


class Limit(NamedTuple):
    """`sentence` is a row's, `fields` are its fields except `client`. `where` precedes it: a rule or a backend."""

    sentence: str
    client: Client | None
    fields: tuple[tuple[str, str], ...] = ()
    where: str = ""

    def __str__(self) -> str:
        return self.of(str(self.client))

    def of(self, names: str) -> str:
        """The sentence about clients with these names."""
        return self.where + self.sentence.format(client=names, **dict(self.fields))


def missing(client: Client, *wanted: Feature, **fields: str) -> Iterator[Limit]:
    """A limit for each feature that the client lacks."""
    for feature in wanted:
        if not client.can(feature) and feature.value.instead:
            yield Limit(feature.value.sentence, client, tuple(fields.items()))


def restricted(client: Client, restriction: Restriction, **fields: str) -> Iterator[Limit]:
    """The limit of a restriction, if it applies to the client."""
    if client.has(restriction) and restriction.value.sentence:
        yield Limit(restriction.value.sentence, client, tuple(fields.items()))


def merged(limits: Iterable[Limit]) -> list[str]:
    """One sentence for the clients that have a limit alike."""
    clients: dict[Limit, list[Client]] = {}
    for limit in limits:
        holders = clients.setdefault(limit._replace(client=None), [])
        holders += [] if limit.client is None else [limit.client]
    return [limit.of(_names(holders)) for limit, holders in clients.items()]


def of_current(*wanted: Feature) -> list[str]:
    """What current clients lack of some features."""
    return merged(limit for client in CURRENT for limit in missing(client, *wanted))


def _names(clients: Sequence[Client]) -> str:
    """`grpc-go, grpc-java`; all libraries of gRPC together are `gRPC clients`."""
    if sum(client.is_grpc for client in clients) < len(GRPC):
        return ", ".join(map(str, clients))
    return ", ".join(["gRPC clients", *(str(client) for client in clients if not client.is_grpc)])
