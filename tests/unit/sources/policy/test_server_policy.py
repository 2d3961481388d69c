"""ServerPolicies and AuthorizationPolicies: every rule and every kind of constraint, with the examples that are also
sent to a real API server (tests/cluster/permission/test_crd_rules.py).
"""

from typing import Any, NamedTuple

import msgspec
import pytest

from steerway.sources.policy import authorization_policy, server_policy
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.rule import Rule, broken_rules
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.validation import validation_errors
from steerway.sources.policy.validation_error import conversion_error
from tests.support.example import authorization_policy_example, server_policy_example
from tests.support.example.policy_example import Broken, Mistyped, policy


class Kind(NamedTuple):
    type: Any
    rules: tuple[Rule, ...]
    examples: Any

    def convert(self, spec: Any) -> Any:
        return msgspec.convert(policy(spec, kind=self.type.__name__), self.type)


KINDS = (
    Kind(ServerPolicy, server_policy.RULES, server_policy_example),
    Kind(AuthorizationPolicy, authorization_policy.RULES, authorization_policy_example),
)
BROKEN = [(kind, example) for kind in KINDS for example in kind.examples.BROKEN]
MISTYPED = [(kind, example) for kind in KINDS for example in kind.examples.MISTYPED]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type.__name__)
def test_there_is_an_example_for_every_rule(kind: Kind) -> None:
    """By its message, which identifies the rule for an operator."""
    assert sorted(example.message for example in kind.examples.BROKEN) == sorted(
        rule.message for rule in kind.rules
    )


@pytest.mark.parametrize(("kind", "example"), BROKEN, ids=lambda part: getattr(part, "message", "")[:40])
def test_a_rule_accepts_valid_and_refuses_invalid_specs(kind: Kind, example: Broken) -> None:
    """One rule alone, at the path of the struct that violates it."""
    bad = kind.convert(example.bad)
    assert list(broken_rules(bad, kind.rules)) == [(("spec", *example.path), example.message)]
    fault = next(validation_errors(bad), None)
    assert fault is not None
    assert (fault.path, fault.reason) == (("spec", *example.path), example.message)
    assert fault.hint
    assert list(validation_errors(kind.convert(example.good))) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type.__name__)
def test_a_policy_with_every_field_is_valid(kind: Kind) -> None:
    assert list(validation_errors(kind.convert(kind.examples.FULL))) == []


@pytest.mark.parametrize(("kind", "example"), MISTYPED, ids=lambda part: getattr(part, "name", ""))
def test_a_wrong_type_is_reported_with_path_and_hint(kind: Kind, example: Mistyped) -> None:
    """Unknown fields are found by the schema, and not by the types."""
    if example.reason.startswith("unknown field"):
        kind.convert(example.spec)
        return
    with pytest.raises(msgspec.ValidationError) as caught:
        kind.convert(example.spec)
    fault = conversion_error(caught.value, kind.type)
    assert fault.path == ("spec", *example.path)
    assert fault.reason.startswith(example.reason)
    assert fault.hint


def test_a_regular_expression_must_be_one_of_re2() -> None:
    """Servers refuse all of their routes for one that is not."""
    header = {"name": "x-team", "type": "RegularExpression", "value": "(?=a)"}
    (fault,) = validation_errors(KINDS[1].convert({"rules": [{"headers": [header]}]}))
    assert fault.path == ("spec", "rules", 0, "headers", 0, "value")
    assert "not a regular expression that clients can use" in fault.reason
