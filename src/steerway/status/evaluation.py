"""The status of all routes and policies, updated as objects change.

Objects whose status may have changed are evaluated in small batches, so that thousands of them do not block other work.
The writer compares results with what it wrote before; this module does not use an API server.
"""

import itertools
from collections.abc import Mapping
from types import MappingProxyType

from steerway.catalog.model.mesh import Problem
from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.gateway import BackendTLSPolicy, GRPCRoute, HTTPRoute
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.status import backend_tls, policy, route, server
from steerway.status.condition import ObjectStatus
from steerway.status.reference_resolver import ReferenceResolver


def evaluate(key: ObjectKey, resolver: ReferenceResolver) -> ObjectStatus | None:
    """The status of one object; None for an object without a status."""
    result = resolver.get(key)
    match result:
        case TrafficPolicy():
            target_statuses, ignored = policy.evaluate(result, resolver), policy.ignored(result, resolver)
        case BackendTLSPolicy():
            target_statuses = backend_tls.evaluate(result, resolver)
            ignored = backend_tls.ignored(result, resolver)
        case ServerPolicy() | AuthorizationPolicy():
            target_statuses, ignored = server.evaluate(result, resolver), server.ignored(result, resolver)
        case GRPCRoute() | HTTPRoute():
            target_statuses, ignored = route.evaluate(result, resolver), route.ignored(result, resolver)
        case _:
            return None
    meta = result.metadata
    return ObjectStatus(key, meta.generation, meta.creation_timestamp, target_statuses, tuple(ignored))


class StatusEvaluator:
    """The status of all objects; see the module's docstring."""

    def __init__(self, resolver: ReferenceResolver) -> None:
        self._resolver = resolver
        self._waiting: dict[ObjectKey, None] = {}
        self._object_statuses: dict[ObjectKey, ObjectStatus] = {}
        self._refused: dict[ObjectKey, tuple[Problem, ...]] = {}

    @property
    def object_statuses(self) -> Mapping[ObjectKey, ObjectStatus]:
        """By object. An equal status keeps its identity."""
        return MappingProxyType(self._object_statuses)

    @property
    def unfinished(self) -> bool:
        """Whether the last call of `evaluate` left objects for the next."""
        return bool(self._waiting)

    def evaluate(self, most: int) -> list[Problem]:
        """Evaluate up to `most` of the objects whose status may have changed; returns their new refusals."""
        self._waiting |= dict.fromkeys(sorted(self._resolver.attachments.take_unevaluated()))
        refused: list[Problem] = []
        for key in list(itertools.islice(self._waiting, most)):
            del self._waiting[key]
            before = self._refused.get(key, ())
            self._evaluate(key)
            refused += [refusal for refusal in self._refused.get(key, ()) if refusal not in before]
        return refused

    def problems(self) -> list[Problem]:
        """The refusals of routes and policies, by object."""
        return [problem for key in sorted(self._refused) for problem in self._refused[key]]

    def _evaluate(self, key: ObjectKey) -> None:
        with isolated("status", object=key) as run:
            result = evaluate(key, self._resolver)
        if run.failure:
            self._refused[key] = (Problem.of(key, f"cannot be evaluated: {run.failure}", isolation.HINT),)
            return
        if result is None:
            self._resolver.forget(key)
            self._object_statuses.pop(key, None)
            self._refused.pop(key, None)
            return
        if result != self._object_statuses.get(key):
            self._object_statuses[key] = result
        self._refused.pop(key, None)
        if refusals := dict.fromkeys(result.refusals):
            self._refused[key] = tuple(Problem.of(key, refusal.message, refusal.hint) for refusal in refusals)
