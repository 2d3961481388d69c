"""What is answered to a demand: a resource, or a reason why there is none, for each audience that must be told
apart."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from steerway.catalog.model.mesh import ServiceId
from steerway.translate.client.audience import Audience


class Resource(NamedTuple):
    """Bytes, the other resources that they name as (type_url, name), and what a grant must cover."""

    body: bytes
    references: tuple[tuple[str, str], ...] = ()
    scope: str = ""


class Reason(str):
    """Why there is no resource."""

    __slots__ = ()


class Denied(Reason):
    """There is one, and the audience must not see it: what its clients have is withdrawn at once."""

    __slots__ = ()


Content = Resource | Reason


class Plan(NamedTuple):
    """How a name is answered. `contents`: audience → content for the audiences that ask, one for all who share it or
    one for each part of them that must be told apart. `services`: what it depends on, those that do not exist among
    them; `endpoints`: whether their endpoints matter, too; `further`: whether it depends on services that come, too;
    `missing`: why there is nothing for anybody as long as neither the name nor the one Service that it depends on, if
    it depends on one, exists."""

    contents: Callable[[Iterable[Audience]], Mapping[Audience, Content]]
    services: frozenset[ServiceId] = frozenset()
    endpoints: bool = False
    further: bool = False
    missing: Reason | None = None


def same(audience: Audience, content: Content, services: frozenset[ServiceId] = frozenset()) -> Plan:
    """The same for all."""
    return Plan(lambda _: {audience: content}, services)


def missing(audience: Audience, reason: Reason, services: frozenset[ServiceId] = frozenset()) -> Plan:
    """Nothing exists, and nothing but the name itself or the Service that it is of can change that."""
    return same(audience, reason, services)._replace(missing=reason)
