"""The scope of an installation: which Services it serves, by name, by labels, and by the annotation of the Service or
its Namespace.

Label selectors are those of Kubernetes (`a=b,c!=d,e in (f,g),h notin (i),j,!k`); `steerway.config` validates their
form.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from steerway.catalog.model.identity import ServiceId
from steerway.config.unit import LABEL_KEY, LABEL_VALUE
from steerway.sources.objects.core import ENABLED_ANNOTATION, Namespace, Service

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
        self.text = text
        self._requirements = tuple(map(_requirement, _REQUIREMENT.finditer(text)))

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        return all(requirement.matches(labels or {}) for requirement in self._requirements)


Followed = Callable[[], frozenset[str] | None]
"""The namespaces whose Services are known; None: all."""


class Selection:
    """What is served of all that is known.

    `only`: `SERVICE` (in any namespace) or `NAMESPACE/SERVICE`; empty is no limit. `services`, `namespaces`: selectors
    for labels of the Service and of its Namespace; one that is not known has none. `followed`: a Service that is not
    known is outside when its namespace is not followed.
    """

    def __init__(
        self,
        only: frozenset[str] = frozenset(),
        services: str = "",
        namespaces: str = "",
        followed: Followed = lambda: None,
    ) -> None:
        self._only = only
        self._services = Selector(services)
        self._namespaces = Selector(namespaces)
        self._followed = followed
        self.filters: Mapping[tuple[str, str], str] = {
            **{("upstream_services", name): "matches no Service" for name in sorted(only)},
            **({("service_selector", services): "matches the labels of no Service"} if services else {}),
            **(
                {("namespace_selector", namespaces): "matches the Namespace of no Service"}
                if namespaces
                else {}
            ),
        }
        """Each filter by its setting and value, with what is wrong when it matches nothing."""

    def outside(self, id: ServiceId, service: Service | None, namespace: Namespace | None) -> str:
        """What leaves a Service out, as the end of a sentence about it; "" for one in the scope. `service` and
        `namespace` are None where they are not known."""
        followed = self._followed() if service is None else None
        if followed is not None and id.namespace not in followed:
            return f"is in namespace {id.namespace}, which the setting kubernetes.namespaces does not list"
        if reason := disabled(service, namespace):
            return reason
        matched = self.matched(id, service, namespace)
        if self._only and not any(setting == "upstream_services" for setting, _ in matched):
            return "is not listed in the setting upstream_services"
        if not self._services.matches(_labels(service)):
            return "has no labels that match the setting service_selector"
        if not self._namespaces.matches(_labels(namespace)):
            return "is in a Namespace without labels that match the setting namespace_selector"
        return ""

    def matched(
        self, id: ServiceId, service: Service | None, namespace: Namespace | None
    ) -> frozenset[tuple[str, str]]:
        """The filters that match a Service, each alone."""
        if not self.filters:
            return frozenset()
        tests = {("upstream_services", name): True for name in (id.name, str(id))}
        tests["service_selector", self._services.text] = self._services.matches(_labels(service))
        tests["namespace_selector", self._namespaces.text] = self._namespaces.matches(_labels(namespace))
        return frozenset(selector_name for selector_name in self.filters if tests.get(selector_name))


def disabled(service: Service | None, namespace: Namespace | None) -> str:
    """Which annotation leaves a Service out, whatever the settings are; that of the Service comes before that of its
    Namespace."""
    for fact in (service, namespace):
        enabled = None if fact is None else _enabled(fact)
        if fact is not None and enabled is not None:
            return "" if enabled else f"is left out by the annotation {ENABLED_ANNOTATION} of {fact.key}"
    return ""


def _enabled(fact: Service | Namespace) -> bool | None:
    """The value of its annotation; None without it. Anything but "true" is false: a typo must not publish."""
    value = (fact.metadata.annotations or {}).get(ENABLED_ANNOTATION)
    return None if value is None else value.strip().lower() == "true"


def _labels(fact: Service | Namespace | None) -> Mapping[str, str] | None:
    return None if fact is None else fact.metadata.labels


def _requirement(match: re.Match[str]) -> _Requirement:
    if match["set"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
        return _Requirement(match["key"], values, match["set"] == "notin")
    if match["equals"]:
        return _Requirement(match["key"], frozenset({match["value"]}), match["equals"] == "!=")
    return _Requirement(match["key"], None, bool(match["no"]))
