"""The configuration of a target for a client and its sources, as one document for people and tools."""

from steerway.explain.explainer import Explainer, Question

__all__ = ["Explainer", "Question"]
