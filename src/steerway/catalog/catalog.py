"""The catalog: every service that can be served, rebuilt one at a time as facts change.

An EndpointSlice belongs to the Service that its label names. A change of either rebuilds that one service; a service
whose value is equal to before is not reported, so what does not matter to clients goes no further.

The catalog holds no objects of its own: it reads them from the store that gave the keys.
"""

from collections.abc import Callable, Iterable, Iterator

import structlog

from steerway.catalog import service as build_service
from steerway.catalog.model import Problem, Service, ServiceId
from steerway.sources.objects import SERVICE_NAME_LABEL, EndpointSlice, Namespace, Object, ObjectKey
from steerway.sources.objects import Service as ServiceFact

log = structlog.get_logger()
Get = Callable[[ObjectKey], Object | None]


class Catalog:
    """Services by identity; see the module's docstring.

    `only` limits what is served: `SERVICE` (in any namespace) or `NAMESPACE/SERVICE`; empty is no limit.
    """

    def __init__(self, only: frozenset[str] = frozenset()) -> None:
        self._only = only
        self._services: dict[ServiceId, Service] = {}
        self._problems: dict[ServiceId, tuple[Problem, ...]] = {}
        self._slices: dict[ServiceId, set[ObjectKey]] = {}
        self._owners: dict[ObjectKey, ServiceId] = {}
        self._private: set[str] = set()

    def update(self, get: Get, changed: Iterable[ObjectKey]) -> frozenset[ServiceId]:
        """Take in changed objects; returns the services whose value changed, appeared or went."""
        touched: set[ServiceId] = set()
        for key in changed:
            if key.kind == "Service":
                touched.add(ServiceId(key.namespace, key.name))
            elif key.kind == "EndpointSlice":
                touched |= self._assign(key, get(key))
            elif key.kind == "Namespace":
                touched |= self._mark(key.name, get(key))
        return frozenset(id for id in touched if self._rebuild(id, get))

    def service(self, id: ServiceId) -> Service | None:
        return self._services.get(id)

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())

    def __len__(self) -> int:
        return len(self._services)

    def problems(self) -> list[Problem]:
        """Everything that is known and not served, by service."""
        return [problem for id in sorted(self._problems) for problem in self._problems[id]]

    def _assign(self, key: ObjectKey, found: Object | None) -> set[ServiceId]:
        """Move a slice to the service that its label names now; returns the services before and after."""
        before = self._owners.pop(key, None)
        if before is not None:
            slices = self._slices[before]
            slices.discard(key)
            if not slices:
                del self._slices[before]
        after = None
        if isinstance(found, EndpointSlice):
            name = (found.metadata.labels or {}).get(SERVICE_NAME_LABEL)
            if name:
                after = ServiceId(key.namespace, name)
                self._owners[key] = after
                self._slices.setdefault(after, set()).add(key)
        return {id for id in (before, after) if id is not None}

    def _mark(self, namespace: str, found: Object | None) -> set[ServiceId]:
        """Note whether a namespace is private; returns its services when that is news."""
        private = isinstance(found, Namespace) and build_service.is_private(found) is True
        if private == (namespace in self._private):
            return set()
        self._private ^= {namespace}
        return {id for id in self._services if id.namespace == namespace}

    def _rebuild(self, id: ServiceId, get: Get) -> bool:
        """Build one service anew; whether its value is another one now."""
        fact = get(ObjectKey("Service", id.namespace, id.name))
        built: Service | None = None
        problems: list[Problem] = []
        if isinstance(fact, ServiceFact) and self._serves(id):
            found = (get(key) for key in self._slices.get(id, ()))
            slices = [each for each in found if isinstance(each, EndpointSlice)]
            try:
                built, problems = build_service.build(fact, slices, id.namespace in self._private)
            except Exception as error:  # one service must never stop the others
                log.exception("service_not_understood", service=str(id))
                cure = "its last good version is served; please report this"
                problems = [Problem(str(fact.key), f"cannot be understood: {error!r}", cure)]
                built = self._services.get(id)
        if problems:
            self._problems[id] = tuple(sorted(problems, key=str))
        else:
            self._problems.pop(id, None)
        if built == self._services.get(id):
            return False
        if built is None:
            del self._services[id]
        else:
            self._services[id] = built
        return True

    def _serves(self, id: ServiceId) -> bool:
        return not self._only or id.name in self._only or str(id) in self._only
