"""Any AuthorizationPolicies together against any call: what they are compiled to means what their fields mean."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from steerway.catalog.security.access import authorization
from steerway.catalog.security.evaluator import Request, decide
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.validation import validation_errors
from tests.support.model.authorization import DOMAIN, allowed, policies, requests


@given(policies())
def test_the_policies_are_valid(applied: list[AuthorizationPolicy]) -> None:
    """So that the other tests are about what users can write."""
    for policy in applied:
        assert list(validation_errors(policy)) == []


@given(policies(), st.booleans(), requests)
def test_a_call_is_accepted_as_the_fields_of_the_policies_state(
    applied: list[AuthorizationPolicy], default_deny: bool, request: Request
) -> None:
    """The rule that decides is one of a policy of that action."""
    result = decide(authorization(applied, DOMAIN, default_deny=default_deny), request)
    assert result.allowed == allowed(applied, default_deny, request)
    deciding = [policy for policy in applied if result.by.startswith(f"{policy.key} rule ")]
    for policy in deciding:
        assert (policy.spec.mode, policy.spec.action == "Allow") == ("Enforce", result.allowed)


@given(policies(), st.booleans(), requests)
def test_a_result_that_enforcing_would_change_is_audited(
    applied: list[AuthorizationPolicy], default_deny: bool, request: Request
) -> None:
    """And none is audited without a policy in audit mode."""
    result = decide(authorization(applied, DOMAIN, default_deny=default_deny), request)
    if result.allowed != allowed(applied, default_deny, request, "Audit"):
        assert result.audited
    if all(policy.spec.mode == "Enforce" for policy in applied):
        assert result.audited == ()


@given(policies(), st.randoms())
def test_the_order_of_policies_does_not_matter(applied: list[AuthorizationPolicy], random: Random) -> None:
    """Equal policies give equal values, so that all replicas send the same bytes."""
    shuffled = list(applied)
    random.shuffle(shuffled)
    assert authorization(shuffled, DOMAIN) == authorization(applied, DOMAIN)
