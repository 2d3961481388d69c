"""TrafficPolicies: every rule and every kind of constraint, with the examples that are also sent to a real API server
(tests/cluster/permission/test_crd_rules.py).
"""

import msgspec
import pytest

from steerway.sources.policy.duration import seconds
from steerway.sources.policy.rule import broken_rules
from steerway.sources.policy.traffic_policy import RULES, TrafficPolicy
from steerway.sources.policy.validation import validation_errors
from steerway.sources.policy.validation_error import conversion_error
from tests.support.example.policy_example import BROKEN, FULL, MISTYPED, Broken, Mistyped, policy


def test_there_is_an_example_for_every_rule() -> None:
    """By its message, which identifies the rule for an operator."""
    assert sorted(example.message for example in BROKEN) == sorted(rule.message for rule in RULES)
    assert len(BROKEN) >= 14


@pytest.mark.parametrize("example", BROKEN, ids=lambda example: example.message[:40])
def test_a_rule_accepts_valid_and_refuses_invalid_specs(example: Broken) -> None:
    """One rule alone, at the path of the struct that violates it."""
    bad = msgspec.convert(policy(example.bad), TrafficPolicy)
    assert list(broken_rules(bad, RULES)) == [(("spec", *example.path), example.message)]
    fault = next(validation_errors(bad), None)
    assert fault is not None
    assert (fault.path, fault.reason) == (("spec", *example.path), example.message)
    assert fault.hint
    assert list(validation_errors(msgspec.convert(policy(example.good), TrafficPolicy))) == []


def test_a_policy_with_every_section_is_valid() -> None:
    """So is one whose name is a subdomain."""
    assert list(validation_errors(msgspec.convert(policy(FULL, "a.b-c"), TrafficPolicy))) == []


@pytest.mark.parametrize(
    "example",
    [example for example in MISTYPED if not example.reason.startswith("unknown field")],
    ids=lambda example: example.name,
)
def test_a_wrong_type_is_reported_with_path_and_hint(example: Mistyped) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(policy(example.spec), TrafficPolicy)
    fault = conversion_error(caught.value, TrafficPolicy)
    assert fault.path == ("spec", *example.path)
    assert fault.reason.startswith(example.reason)
    assert fault.hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("unknown mode", "write Disabled or Failover or Favor or Spill or Strict"),
        ("unknown group", 'write "" or gateway.networking.k8s.io'),
        ("unknown kind", "write GRPCRoute or HTTPRoute or Service"),
        ("number too small", "write 100 or more"),
        ("number too great", "write 100 or less"),
        ("no target", "write at least one of its items"),
        ("no duration", "write hours, minutes, seconds and milliseconds: 1h30m, 10s, 250ms"),
    ],
)
def test_a_hint_has_the_valid_values(name: str, hint: str) -> None:
    """Values by name, bounds by number."""
    (example,) = (example for example in MISTYPED if example.name == name)
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(policy(example.spec), TrafficPolicy)
    assert conversion_error(caught.value, TrafficPolicy).hint == hint


@pytest.mark.parametrize(
    ("text", "value"), [("1h30m", 5400), ("10s", 10), ("250ms", 0.25), ("1m1s1ms", 61.001), ("0s", 0)]
)
def test_durations_are_seconds(text: str, value: float) -> None:
    """Parts are added up; `m` and `ms` are different units."""
    assert seconds(text) == pytest.approx(value)
