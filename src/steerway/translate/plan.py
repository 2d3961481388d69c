"""Plans: how a name is answered until a service that it depends on changes.

A plan has a builder (see `translate/xds`), which knows which audiences get different bytes. It asks the builder for the
variant of each audience and builds each variant once.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from steerway.catalog.model.mesh import Service, ServiceId
from steerway.errors import TranslateError
from steerway.translate.answer import Content, Denied, Reason
from steerway.translate.client.audience import Audience, Width

_V = TypeVar("_V", bound=Hashable)


class Builder(Protocol[_V]):
    """Makes the resource of one name. Audiences with equal keys get the same bytes."""

    @property
    def width(self) -> Width:
        """How many parts of an audience its key depends on; `Width.EVERYBODY`: all get the same."""

    def variant_key(self, audience: Audience) -> _V: ...

    def build(self, variant: _V) -> Content:
        """TranslateError for a variant that has no resource."""


class FixedBuilder(NamedTuple):
    """The same content for every audience."""

    content: Content
    width: Width = Width.EVERYBODY

    def variant_key(self, _audience: Audience) -> None:
        return None

    def build(self, _variant: None) -> Content:
        return self.content


@dataclass(slots=True)
class Plan:
    """How a name is answered to audiences under `root`."""

    root: Audience
    builder: Builder[Any]
    services: frozenset[ServiceId] = frozenset()
    """The services that the answer depends on, existing or not."""
    exporter: Service | None = None
    """A service that the audience must be allowed to see; None: everybody may see the answer."""
    endpoints: bool = False
    """Whether it depends on the endpoints of its services, too."""
    servers: str = ""
    """The namespace on whose configuration of servers it depends; "" for none."""
    open_ended: bool = False
    """Whether it depends on services that are created later, too."""
    missing: Reason | None = None
    """Why nothing exists for any audience, as long as neither the name nor the one Service that it depends on, if it
    depends on one, exists."""
    _contents: dict[Hashable, Content] = field(default_factory=dict)

    @property
    def width(self) -> Width:
        """How many parts of an audience its answers depend on."""
        exported = self.exporter is not None and self.exporter.exported_to is not None
        return max(self.builder.width, Width.NAMESPACE) if exported else self.builder.width

    def contents(self, users: Iterable[Audience]) -> Mapping[Audience, Content]:
        """The answers for the audiences that ask: one for all, or one for each part of them with a variant."""
        width, service = self.width, self.exporter
        if width == Width.EVERYBODY:
            return {self.root: self._content(self.root)}
        contents: dict[Audience, Content] = {}
        for audience in {user.widened(width) for user in users}:
            # Wider audiences have no namespace, and nothing is exported to some only.
            if service is not None and not service.is_for(audience.namespace):
                contents[audience] = Denied(f"service {service.id} is not exported to {audience.namespace}")
            else:
                contents[audience] = self._content(audience)
        return contents

    def _content(self, audience: Audience) -> Content:
        variant = self.builder.variant_key(audience)
        content = self._contents.get(variant)
        if content is None:
            try:
                content = self.builder.build(variant)
            except TranslateError as error:
                content = Reason(error)
            self._contents[variant] = content
        return content


def fixed(root: Audience, content: Content, services: frozenset[ServiceId] = frozenset()) -> Plan:
    """One content for every audience."""
    return Plan(root, FixedBuilder(content), services)


def missing(root: Audience, reason: Reason, services: frozenset[ServiceId] = frozenset()) -> Plan:
    """Nothing exists, and nothing but the name itself or the Service that it is of can change that."""
    return Plan(root, FixedBuilder(reason), services, missing=reason)
