"""What a client would be answered, without noting or publishing anything."""

from collections.abc import Mapping
from dataclasses import dataclass

from steerway.translate.answer import Content, Reason, Resource
from steerway.translate.client.audience import Audience
from steerway.translate.dialect.base import Dialect
from steerway.translate.xds.raw import RawResource


@dataclass(frozen=True, slots=True)
class Preview:
    """`raw`: resources from files, which come first. Thread-safe if the dialects look up services by thread-safe
    functions."""

    dialects: Mapping[str, Dialect]
    raw: Mapping[tuple[str, str], RawResource]

    def __call__(self, served: str, name: str, audience: Audience) -> Content:
        """The answer to a client of this audience."""
        if (raw_resource := self.raw.get((served, name))) is not None:
            return Resource(raw_resource.body, raw_resource.references, raw_resource.scope)
        dialect = self.dialects[audience.dialect]
        plan = dialect.plan(served, name, dialect.root(served, name, audience))
        contents = plan.contents((audience,))
        wider = (wider for wider in audience.widening() if wider in contents)
        return next((contents[wider] for wider in wider), Reason("it is not visible to this client"))
