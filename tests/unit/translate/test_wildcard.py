"""Which names wildcards see: a name may be there because of several services."""

from collections.abc import Iterable

from steerway.catalog.model.mesh import Service, ServiceId
from steerway.translate.client.audience import Audience
from steerway.translate.wildcard import WildcardMember, Wildcards
from steerway.translate.xds.type_url import CLUSTER

A, B = (Service(ServiceId("shop", name)) for name in "ab")
AUDIENCE = Audience("envoy")
SHARED = WildcardMember(CLUSTER, "shared", AUDIENCE)


class WildcardProvider:
    """Each service brings a cluster of its own, and one that all of them bring."""

    def listeners(self, _audience: Audience) -> Iterable[str]:
        return ()

    def clusters(self, service: Service, _audience: Audience) -> Iterable[str]:
        return (service.id.name, "shared")


def own(service: Service) -> WildcardMember:
    return WildcardMember(CLUSTER, service.id.name, AUDIENCE)


def test_a_name_stays_until_the_last_service_that_brings_it_goes() -> None:
    """The first that goes takes its own names alone."""
    wildcards = Wildcards(WildcardProvider(), lambda: [A, B])
    assert set(wildcards.add(CLUSTER, "*", AUDIENCE)) == {own(A), own(B), SHARED}
    assert wildcards.follow(A.id, None) == (set(), {own(A)})
    assert wildcards.sees(SHARED)
    assert wildcards.follow(B.id, None) == (set(), {own(B), SHARED})
    assert wildcards.follow(A.id, A) == ({own(A), SHARED}, set())


def test_a_wildcard_ends_with_its_last_subscription() -> None:
    """`*` and a glob collection see the same; either may go first."""
    wildcards = Wildcards(WildcardProvider(), lambda: [A])
    wildcards.add(CLUSTER, "*", AUDIENCE)
    wildcards.add(CLUSTER, "xdstp://files/T/*", AUDIENCE)
    assert wildcards.remove(CLUSTER, "*", AUDIENCE) is None
    assert wildcards
    assert set(wildcards.remove(CLUSTER, "xdstp://files/T/*", AUDIENCE) or ()) == {own(A), SHARED}
    assert not wildcards
