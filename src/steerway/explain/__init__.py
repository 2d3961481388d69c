"""What a target means to a client and why, as one document for people and their tools."""

from steerway.explain.explainer import Explainer, Question

__all__ = ["Explainer", "Question"]
