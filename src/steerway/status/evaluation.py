"""The verdicts on all routes and policies, kept up as facts change.

What may have changed is judged a few objects at a time, so that thousands of them hold up nothing else. Who writes them
down compares; nothing here knows an API server.
"""

import itertools
from collections.abc import Mapping
from types import MappingProxyType

from steerway.catalog.model.mesh import Problem
from steerway.runtime import isolation
from steerway.runtime.isolation import isolated
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.gateway import BackendTLSPolicy, GRPCRoute, HTTPRoute
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.status import backend_tls, policy, route
from steerway.status.condition import Judgement
from steerway.status.reference_resolver import Evidence


def judge(key: ObjectKey, evidence: Evidence) -> Judgement | None:
    """The judgement of one object; None where there is nothing to judge."""
    found = evidence.get(key)
    if not isinstance(found, GRPCRoute | HTTPRoute | TrafficPolicy | BackendTLSPolicy):
        return None
    if isinstance(found, TrafficPolicy):
        verdicts, ignored = policy.judge(found, evidence), policy.ignored(found, evidence)
    elif isinstance(found, BackendTLSPolicy):
        verdicts, ignored = backend_tls.judge(found, evidence), backend_tls.ignored(found, evidence)
    else:
        verdicts, ignored = route.judge(found, evidence), route.ignored(found, evidence)
    meta = found.metadata
    return Judgement(key, meta.generation, meta.creation_timestamp, verdicts, tuple(ignored))


class Verdicts:
    """All judgements; see the module's docstring."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._waiting: dict[ObjectKey, None] = {}
        self._judgements: dict[ObjectKey, Judgement] = {}
        self._refused: dict[ObjectKey, tuple[Problem, ...]] = {}

    @property
    def judgements(self) -> Mapping[ObjectKey, Judgement]:
        """Of every object that is there. One that stays equal stays the same object."""
        return MappingProxyType(self._judgements)

    @property
    def unfinished(self) -> bool:
        """Whether the last call of `judge` left some for the next."""
        return bool(self._waiting)

    def judge(self, most: int) -> list[Problem]:
        """Judge up to `most` of the objects whose verdict may have changed; returns what of them is refused that was
        not before."""
        self._waiting |= dict.fromkeys(sorted(self._evidence.attachments.take_unjudged()))
        refused: list[Problem] = []
        for key in list(itertools.islice(self._waiting, most)):
            del self._waiting[key]
            before = self._refused.get(key, ())
            self._judge(key)
            refused += [each for each in self._refused.get(key, ()) if each not in before]
        return refused

    def problems(self) -> list[Problem]:
        """What of routes and policies is refused, by object."""
        return [problem for key in sorted(self._refused) for problem in self._refused[key]]

    def _judge(self, key: ObjectKey) -> None:
        with isolated("status", object=key) as run:
            found = judge(key, self._evidence)
        if run.failure:
            self._refused[key] = (Problem.of(key, f"cannot be evaluated: {run.failure}", isolation.HINT),)
            return
        if found is None:
            self._evidence.forget(key)
            self._judgements.pop(key, None)
            self._refused.pop(key, None)
            return
        if found != self._judgements.get(key):
            self._judgements[key] = found
        self._refused.pop(key, None)
        if refusals := dict.fromkeys(found.refusals):
            self._refused[key] = tuple(Problem.of(key, each.message, each.cure) for each in refusals)
