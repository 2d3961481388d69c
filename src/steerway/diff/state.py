"""The mesh of one set of objects, before and after a change: its services, its problems, and what clients get.

The catalog takes the change in as the control plane does, so that what depends on the state before (hold-down) is the
same. Answers are computed for names that are asked for, and for what these resources refer to, as clients follow the
references.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from steerway.catalog.catalog import Catalog
from steerway.catalog.model.mesh import Problem, Service, ServiceId
from steerway.commit import Commit
from steerway.diff.client import WILDCARD, Name
from steerway.explain import limitation
from steerway.sources.objects.core import Object, ObjectKey, XdsResource
from steerway.status.evaluation import StatusEvaluator
from steerway.status.reference_resolver import ReferenceResolver
from steerway.translate.answer import Content, Reason, Resource
from steerway.translate.client.audience import Audience, decode, encode
from steerway.translate.destination import Find
from steerway.translate.resource_name import LeftOut
from steerway.translate.translator import Translator

MakeTranslator = Callable[[Find, Callable[[], Iterable[Service]], LeftOut], Translator]
"""Of services by identity, of all in the scope, and of what leaves a service out."""
Contents = Mapping[Name, Content]
"""What clients of one audience get."""


class State:
    """A moment of the mesh: everything in it stays as it is when the catalog changes."""

    def __init__(
        self,
        services: Mapping[ServiceId, Service],
        left_out: Mapping[ServiceId, str],
        problems: Iterable[Problem],
        resources: Iterable[XdsResource],
        make: MakeTranslator,
    ) -> None:
        self.services = services
        self._problems = [*problems]
        inside = [service for service in services.values() if not service.outside]
        self._translator = make(services.get, lambda: inside, lambda id: left_out.get(id, ""))
        self._answers = _Answers()
        self._answers.take(self._translator.start(resources))

    def find(self, id: ServiceId) -> Service | None:
        return self.services.get(id)

    def problems(self) -> list[Problem]:
        """What is not served as written."""
        return list(dict.fromkeys((*self._problems, *self._translator.problems())))

    def contents(self, audience: Audience, names: Iterable[Name]) -> Contents:
        """What clients of the audience get for the names, and for all that these resources refer to."""
        contents: dict[Name, Content] = {}
        waiting = sorted(names)
        while waiting:
            wanted = ((*name, encode(audience)) for name in waiting)
            self._answers.take(self._translator.demand(wanted))
            references: set[Name] = set()
            for name in self._spelled(audience, waiting):
                content = contents[name] = self._answers.of(name, audience)
                if isinstance(content, Resource):
                    references |= {Name(*reference) for reference in content.references}
            waiting = sorted(references - contents.keys())
        return contents

    def _spelled(self, audience: Audience, names: Iterable[Name]) -> Iterable[Name]:
        """The names; in the place of a wildcard those that it sees."""
        for name in names:
            if name.name == WILDCARD:
                yield from self._answers.seen(name.type_url, audience)
            else:
                yield name


@dataclass(frozen=True, slots=True)
class Mesh:
    """Objects and the catalog of them, which `state` and `apply` keep up to date."""

    objects: dict[ObjectKey, Object]
    catalog: Catalog
    evaluator: StatusEvaluator
    make: MakeTranslator

    @classmethod
    def of(cls, objects: Iterable[Object], catalog: Catalog, make: MakeTranslator) -> "Mesh":
        """`catalog` is empty."""
        known = {obj.key: obj for obj in objects}
        find = catalog.service
        resolver = ReferenceResolver(known.get, catalog.attachments, find, find, limitation.stated)
        catalog.update(known.get, list(known))
        return cls(known, catalog, StatusEvaluator(resolver), make)

    def apply(self, changes: Mapping[ObjectKey, Object | None]) -> None:
        """Take in changed objects; None: the object is gone."""
        for key, obj in changes.items():
            if obj is None:
                self.objects.pop(key, None)
            else:
                self.objects[key] = obj
        self.catalog.update(self.objects.get, changes)

    def state(self) -> State:
        """The present one."""
        self.evaluator.evaluate(len(self.objects))
        ids = [ServiceId(key.namespace, key.name) for key in self.objects if key.kind == "Service"]
        built = {id: service for id in ids if (service := self.catalog.service(id)) is not None}
        return State(
            built,
            {id: self.catalog.left_out(id) for id in ids},
            [*self.catalog.problems(), *self.evaluator.problems()],
            [obj for obj in self.objects.values() if isinstance(obj, XdsResource)],
            self.make,
        )


class _Answers:
    """What is published, as the engine keeps it: by name and audience, for all clients that the audience covers."""

    def __init__(self) -> None:
        self._by_name: dict[Name, dict[Audience, Content]] = {}

    def take(self, commit: Commit) -> None:
        for gone in commit.forget:
            self._by_name.get(Name(*gone[:2]), {}).pop(decode(gone.audience), None)
        for put in commit.put:
            self._put(put[:3], Resource(put.body, put.references, put.scope))
        for absent in (*commit.absent, *commit.denied):
            self._put(absent[:3], Reason(absent.reason))
        for missing in commit.missing:
            self._put(missing[:3], Reason(missing.reason))

    def of(self, name: Name, audience: Audience) -> Content:
        by_audience = self._by_name.get(name, {})
        wider = (by_audience[at] for at in audience.widening() if at in by_audience)
        return next(wider, Reason("no resource of this name exists"))

    def seen(self, type_url: str, audience: Audience) -> list[Name]:
        """Names with a resource for clients of the audience."""
        return sorted(
            name
            for name in self._by_name
            if name.type_url == type_url and isinstance(self.of(name, audience), Resource)
        )

    def _put(self, key: tuple[str, str, str], content: Content) -> None:
        self._by_name.setdefault(Name(*key[:2]), {})[decode(key[2])] = content
