"""Of several policies on one target: the port before the whole, the older one, and no half of a policy."""

import msgspec

from steerway.catalog.model.policy import NOTHING, Algorithm, Subset
from steerway.catalog.policy.precedence import applied, merged
from steerway.sources.objects.core import ObjectKey
from steerway.sources.policy.traffic_policy import TrafficPolicy
from tests.support.example.policy_example import policy as manifest

TARGET = ObjectKey("Service", "shop", "backend")
RANDOM = {"balancing": {"policy": "Random"}}
FIRST = {"balancing": {"policy": "PickFirst"}}


def policy(name: str, *sections: str, **spec: object) -> TrafficPolicy:
    """One that targets the Service, or ports of it."""
    service = {"group": "", "kind": "Service", "name": "backend"}
    targets = [{**service, "sectionName": section} for section in sections] or [service]
    return msgspec.convert(manifest({"targetRefs": targets, **spec}, name), TrafficPolicy)


def test_without_a_policy_nothing_is_set() -> None:
    """Neither by none, nor by one that has no section."""
    assert applied([], TARGET) is NOTHING
    assert merged([policy("a")], TARGET, None) == (NOTHING, [])


def test_policies_that_speak_of_different_things_add_up() -> None:
    """And the source of each section is kept."""
    result = applied(
        [policy("a", **RANDOM), policy("b", subset={"min": 3}, timeout={"request": "1s"})], TARGET
    )
    assert result.balancing is not None
    assert result.balancing.algorithm is Algorithm.RANDOM
    assert (result.subset, result.timeout_seconds) == (Subset(3, 0.33), 1.0)
    names = {section: owner.rpartition("/")[2] for section, owner in result.sources}
    assert names == {"balancing": "a", "subset": "b", "timeout_seconds": "b"}


def test_a_newer_rival_is_not_used_at_all() -> None:
    """Not even a section that it alone has: a part of a policy is never intended."""
    old, new = policy("a", **RANDOM), policy("b", subset={"min": 3}, **FIRST)
    result, conflicts = merged([old, new], TARGET, None)
    assert conflicts == [(new, old, ("balancing",))]
    assert result.subset is None
    assert result.balancing is not None
    assert result.balancing.algorithm is Algorithm.RANDOM


def test_one_that_is_not_used_is_no_rival_of_others() -> None:
    """The third may speak of what only the refused one spoke of; each rival is named with what they share."""
    first = policy("a", subset={"min": 1}, timeout={"request": "1s"})
    second = policy("b", subset={"min": 2}, timeout={"request": "2s"}, **RANDOM)
    third = policy("c", **FIRST)
    result, conflicts = merged([first, second, third], TARGET, None)
    assert conflicts == [(second, first, ("subset", "timeout_seconds"))]
    assert result.balancing is not None
    assert result.balancing.algorithm is Algorithm.PICK_FIRST


def test_one_that_has_two_rivals_names_the_one_of_its_first_section() -> None:
    """One is enough to know why it is not used."""
    first, second = policy("a", **RANDOM), policy("b", subset={"min": 1})
    third = policy("c", subset={"min": 2}, **FIRST)
    assert merged([first, second, third], TARGET, None)[1] == [(third, first, ("balancing",))]


def test_a_port_comes_before_the_whole_section_by_section() -> None:
    """A policy on a port and one on the Service are no rivals, whichever is older; other ports have the whole."""
    whole, part = policy("a", subset={"min": 9}, **RANDOM), policy("b", "grpc", **FIRST)
    for both in ([whole, part], [part, whole]):
        result = applied(both, TARGET, "grpc")
        assert result.balancing is not None
        assert (result.balancing.algorithm, result.subset) == (Algorithm.PICK_FIRST, Subset(9, 0.33))
        for section in ("", "http"):
            assert applied(both, TARGET, section) == applied([whole], TARGET)
        assert merged(both, TARGET, None)[1] == merged(both, TARGET, "grpc")[1] == []


def test_rivals_on_one_port_leave_other_ports_alone() -> None:
    """A policy may be used on one of its targets and not on another."""
    old, new = policy("a", "grpc", **RANDOM), policy("b", "grpc", "admin", **FIRST)
    assert merged([old, new], TARGET, "grpc")[1] == [(new, old, ("balancing",))]
    assert merged([old, new], TARGET, "admin")[1] == []
    result = applied([old, new], TARGET, "admin")
    assert result.balancing is not None
    assert result.balancing.algorithm is Algorithm.PICK_FIRST


def test_a_policy_is_about_its_targets_alone() -> None:
    """An equal name of another kind is another object."""
    route = ObjectKey("GRPCRoute", "shop", "backend")
    assert applied([policy("a", **RANDOM)], route) is NOTHING
    assert applied([policy("a", **RANDOM)], ObjectKey("Service", "shop", "other")) is NOTHING
