"""Which services are served: by name, by labels, and by the word of the Service or its Namespace.

Label selectors are those of Kubernetes (`a=b,c!=d,e in (f,g),h notin (i),j,!k`); `steerway.config` has judged their
form.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from steerway.config.unit import LABEL_KEY, LABEL_VALUE
from steerway.sources.objects import ENABLED_ANNOTATION, Namespace, Service

_REQUIREMENT = re.compile(
    rf"\s*(?P<no>!?)\s*(?P<key>{LABEL_KEY})\s*"
    rf"(?:(?P<equals>==?|!=)\s*(?P<value>{LABEL_VALUE})|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?\s*(?:,|\Z)"
)


@dataclass(frozen=True, slots=True)
class _Requirement:
    key: str
    values: frozenset[str] | None
    """None: any value."""
    negated: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        # A label that is not there has none of the values (Labels and Selectors, Kubernetes documentation).
        there = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return there is not self.negated


class Selector:
    """A label selector; "" matches everything."""

    def __init__(self, text: str = "") -> None:
        self._requirements = tuple(map(_requirement, _REQUIREMENT.finditer(text)))

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        return all(each.matches(labels or {}) for each in self._requirements)


class Selection:
    """What is served of all that is known.

    `only`: `SERVICE` (in any namespace) or `NAMESPACE/SERVICE`; empty is no limit. `services`, `namespaces`: selectors
    for labels of the Service and of its Namespace; one that is not known has none.
    """

    def __init__(self, only: frozenset[str] = frozenset(), services: str = "", namespaces: str = "") -> None:
        self._only = only
        self._services = Selector(services)
        self._namespaces = Selector(namespaces)

    def takes(self, service: Service, namespace: Namespace | None) -> bool:
        """Whether the service is served; its own annotation comes before that of its namespace."""
        name = service.metadata.name
        if self._only and name not in self._only and f"{service.metadata.namespace}/{name}" not in self._only:
            return False
        words = (_enabled(service), None if namespace is None else _enabled(namespace))
        return (
            next((word for word in words if word is not None), True)
            and self._services.matches(service.metadata.labels)
            and self._namespaces.matches(None if namespace is None else namespace.metadata.labels)
        )


def _enabled(fact: Service | Namespace) -> bool | None:
    """What its annotation says; None when it says nothing. Anything but "true" is false: a typo must not publish."""
    value = (fact.metadata.annotations or {}).get(ENABLED_ANNOTATION)
    return None if value is None else value.strip().lower() == "true"


def _requirement(found: re.Match[str]) -> _Requirement:
    if found["set"]:
        values = frozenset(value.strip() for value in found["values"].split(","))
        return _Requirement(found["key"], values, found["set"] == "notin")
    if found["equals"]:
        return _Requirement(found["key"], frozenset({found["value"]}), found["equals"] == "!=")
    return _Requirement(found["key"], None, bool(found["no"]))
