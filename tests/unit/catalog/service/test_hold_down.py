"""Updates that remove endpoints are delayed by a policy, with a clock of the test."""

import pytest

from steerway.catalog.model.mesh import Endpoint, EndpointState, Port, Service, ServiceId
from steerway.catalog.model.policy import NOTHING, Policy, Safety, WhenEmpty
from steerway.catalog.service.hold_down import HoldDown

ID = ServiceId("shop", "backend")
KEEP_LAST = Policy(safety=Safety(WhenEmpty.KEEP_LAST))
HALF = Policy(safety=Safety(minimum_healthy_share=0.5, hold_down_seconds=60))


def service(count: int, policy: Policy, state: EndpointState = EndpointState.HEALTHY) -> Service:
    endpoints = tuple(Endpoint(f"10.0.0.{number}", 80, state) for number in range(count))
    return Service(ID, (Port(80, endpoints=endpoints, policy=policy),))


class Believer:
    """A service in a catalog, with the endpoints that were applied last."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.hold_down = HoldDown(lambda: self.now)
        self.last: Service | None = None

    def see(self, count: int, policy: Policy, state: EndpointState = EndpointState.HEALTHY) -> int:
        """The number of endpoints that are applied of `count`."""
        self.last = self.hold_down.apply(self.last, service(count, policy, state))
        return len(self.last.ports[0].endpoints)


@pytest.fixture
def port_history() -> Believer:
    return Believer()


def test_without_safety_everything_is_applied(port_history: Believer) -> None:
    """The last endpoint may go at once."""
    assert [port_history.see(count, NOTHING) for count in (4, 1, 0)] == [4, 1, 0]
    assert not port_history.hold_down.is_held_down(ID)


def test_the_last_endpoints_are_kept_until_there_is_one_again(port_history: Believer) -> None:
    """However long that takes; draining and unready ones are no reason to forget them."""
    assert [port_history.see(count, KEEP_LAST) for count in (4, 1, 0)] == [4, 1, 1]
    assert port_history.see(3, KEEP_LAST, EndpointState.DRAINING) == 1
    port_history.now += 1e9
    assert port_history.hold_down.is_held_down(ID)
    assert port_history.hold_down.due() == []
    assert port_history.see(0, KEEP_LAST) == 1
    assert port_history.see(2, KEEP_LAST) == 2
    assert not port_history.hold_down.is_held_down(ID)


def test_a_service_that_never_had_an_endpoint_has_nothing_to_keep(port_history: Believer) -> None:
    """Neither the first look nor the second holds anything back."""
    assert [port_history.see(0, KEEP_LAST), port_history.see(0, KEEP_LAST)] == [0, 0]
    assert not port_history.hold_down.is_held_down(ID)


def test_an_update_that_leaves_too_few_is_held_back_for_its_time(port_history: Believer) -> None:
    """Further updates of the same kind do not start the time anew."""
    assert [port_history.see(count, HALF) for count in (10, 4)] == [10, 10]
    port_history.now += 59
    assert port_history.see(3, HALF) == 10
    assert port_history.hold_down.due() == []
    port_history.now += 1
    assert port_history.hold_down.due() == [ID]
    assert port_history.see(3, HALF) == 3
    assert (port_history.hold_down.is_held_down(ID), port_history.hold_down.due()) == (False, [])


def test_the_next_such_update_has_its_whole_time_again(port_history: Believer) -> None:
    """The endpoints that were applied last are compared, and the old deadline ends."""
    assert [port_history.see(count, HALF) for count in (10, 4)] == [10, 10]
    port_history.now += 60
    assert port_history.see(4, HALF) == 4
    port_history.now += 1
    assert port_history.see(1, HALF) == 4
    port_history.now += 59
    assert port_history.hold_down.due() == []


def test_endpoints_that_come_back_end_the_hold(port_history: Believer) -> None:
    """Half of them are enough, and the next loss is held back for the whole time."""
    assert [port_history.see(count, HALF) for count in (10, 4)] == [10, 10]
    port_history.now += 50
    assert port_history.see(5, HALF) == 5
    assert not port_history.hold_down.is_held_down(ID)
    assert port_history.see(1, HALF) == 5
    port_history.now += 50
    assert port_history.see(1, HALF) == 5


def test_a_slow_decline_is_applied(port_history: Believer) -> None:
    """Each step leaves enough of what was before it."""
    assert [port_history.see(count, HALF) for count in (10, 6, 3, 2, 1)] == [10, 6, 3, 2, 1]


def test_exactly_the_share_is_enough(port_history: Believer) -> None:
    """0.07 * 100 is a little more than 7 in floating point."""
    policy = Policy(safety=Safety(minimum_healthy_share=0.07))
    assert [port_history.see(count, policy) for count in (100, 7)] == [100, 7]


def test_none_left_is_kept_for_ever_or_for_a_time(port_history: Believer) -> None:
    """KeepLast has no end; without it the share holds an empty service back for its time, too."""
    both = Policy(safety=Safety(WhenEmpty.KEEP_LAST, minimum_healthy_share=0.5, hold_down_seconds=60))
    assert [port_history.see(count, both) for count in (4, 0)] == [4, 4]
    port_history.now += 1e9
    assert port_history.see(0, both) == 4
    assert port_history.see(1, both) == 4, "one of four: now the share counts"
    port_history.now += 60
    assert port_history.see(1, both) == 1
    assert [port_history.see(0, HALF), port_history.see(0, HALF)] == [1, 1]
    port_history.now += 60
    assert port_history.see(0, HALF) == 0


def test_a_policy_that_goes_ends_the_hold(port_history: Believer) -> None:
    """No policy requires it any more."""
    assert [port_history.see(count, HALF) for count in (10, 1)] == [10, 10]
    assert port_history.see(1, NOTHING) == 1
    assert not port_history.hold_down.is_held_down(ID)


def test_a_service_that_was_deleted_has_nothing_to_keep(port_history: Believer) -> None:
    """One that is made anew under its name starts from what it has."""
    assert [port_history.see(count, KEEP_LAST) for count in (4, 0)] == [4, 4]
    port_history.hold_down.forget(ID)
    port_history.last = None
    assert not port_history.hold_down.is_held_down(ID)
    assert port_history.see(0, KEEP_LAST) == 0


def test_each_port_is_evaluated_by_itself_and_keeps_its_own_time(port_history: Believer) -> None:
    """One may be due while the other is still held; what is new of the policy counts at once."""

    def ports(first: int, second: int) -> Service:
        port, other = service(first, HALF).ports[0], service(second, HALF).ports[0]
        return Service(ID, (port, Port(90, endpoints=other.endpoints, policy=HALF)))

    def see(first: int, second: int) -> list[int]:
        port_history.last = port_history.hold_down.apply(port_history.last, ports(first, second))
        return [len(port.endpoints) for port in port_history.last.ports]

    assert see(4, 4) == [4, 4]
    assert see(1, 4) == [4, 4]
    port_history.now += 30
    assert see(1, 1) == [4, 4]
    port_history.now += 30
    assert port_history.hold_down.due() == [ID]
    assert see(1, 1) == [1, 4]
    assert port_history.hold_down.is_held_down(ID)
    port_history.now += 30
    assert see(1, 1) == [1, 1]
