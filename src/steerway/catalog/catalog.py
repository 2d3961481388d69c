"""The catalog: every service that can be served, rebuilt one at a time as facts change.

An EndpointSlice belongs to the Service that its label names. A change of either rebuilds that one service; a service
whose value is equal to before is not reported, so what does not matter to clients goes no further.

The catalog holds no objects of its own: it reads them from the store that gave the keys.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator

import structlog

from steerway.catalog import service as build_service
from steerway.catalog.model import Problem, Service, ServiceId
from steerway.catalog.selection import Selection
from steerway.sources.objects import SERVICE_NAME_LABEL, EndpointSlice, Namespace, Object, ObjectKey
from steerway.sources.objects import Service as ServiceFact

log = structlog.get_logger()
Get = Callable[[ObjectKey], Object | None]


class Catalog:
    """Services by identity; see the module's docstring.

    `selection` says what is served of all that is known; without one, everything. `nodes_known`: clients are told apart
    by their nodes, for Services that ask for it.
    """

    def __init__(self, selection: Selection | None = None, nodes_known: bool = True) -> None:
        self._nodes_known = nodes_known
        self._selection = selection if selection is not None else Selection()
        self._services: dict[ServiceId, Service] = {}
        self._problems: dict[ServiceId, tuple[Problem, ...]] = {}
        self._slices: dict[ServiceId, set[ObjectKey]] = {}
        self._owners: dict[ObjectKey, ServiceId] = {}
        self._known: defaultdict[str, set[ServiceId]] = defaultdict(set)

    def update(self, get: Get, changed: Iterable[ObjectKey]) -> frozenset[ServiceId]:
        """Take in changed objects; returns the services whose value changed, appeared or went."""
        touched: set[ServiceId] = set()
        for key in changed:
            if key.kind == "Service":
                touched.add(self._note(ServiceId(key.namespace, key.name), get(key)))
            elif key.kind == "EndpointSlice":
                touched |= self._assign(key, get(key))
            elif key.kind == "Namespace":
                touched |= self._known.get(key.name, set())
        return frozenset(id for id in touched if self._rebuild(id, get))

    def owners(self, get: Get, key: ObjectKey) -> Collection[Hashable]:
        """Whom a change of an object concerns: its service; of an EndpointSlice the one that it named before and the
        one that it names now. Raw resources, and what concerns whole namespaces, are one owner each; others have none.
        """
        match key.kind:
            case "Service":
                return (ServiceId(key.namespace, key.name),)
            case "EndpointSlice":
                return {self._owners.get(key), _named_service(key, get(key))} - {None}
            case "Namespace" | "XdsResource":
                return (key.kind,)
        return ()

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
        after = _named_service(key, found)
        if after is not None:
            self._owners[key] = after
            self._slices.setdefault(after, set()).add(key)
        return {id for id in (before, after) if id is not None}

    def _note(self, id: ServiceId, found: Object | None) -> ServiceId:
        """Keep in mind which Services a namespace has, also those that are not served: its word is about them all."""
        known = self._known[id.namespace]
        if isinstance(found, ServiceFact):
            known.add(id)
        else:
            known.discard(id)
        if not known:
            del self._known[id.namespace]
        return id

    def _rebuild(self, id: ServiceId, get: Get) -> bool:
        """Build one service anew; whether its value is another one now."""
        fact = get(ObjectKey("Service", id.namespace, id.name))
        about = get(ObjectKey("Namespace", "", id.namespace))
        namespace = about if isinstance(about, Namespace) else None
        built: Service | None = None
        problems: list[Problem] = []
        if isinstance(fact, ServiceFact) and self._selection.takes(fact, namespace):
            found = (get(key) for key in self._slices.get(id, ()))
            slices = [each for each in found if isinstance(each, EndpointSlice)]
            try:
                built, problems = build_service.build(fact, slices, namespace, self._nodes_known)
            except Exception as error:  # one service must never stop the others
                log.exception("service_not_understood", service=str(id))
                cure = "its last good version is served; please report this"
                problems = [Problem.of(fact.key, f"cannot be understood: {error!r}", cure)]
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


def _named_service(key: ObjectKey, found: Object | None) -> ServiceId | None:
    """The service that a slice's label names."""
    if not isinstance(found, EndpointSlice):
        return None
    name = (found.metadata.labels or {}).get(SERVICE_NAME_LABEL)
    return ServiceId(key.namespace, name) if name else None
