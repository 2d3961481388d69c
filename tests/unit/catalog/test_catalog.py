"""The catalog as facts change: services, the changes that matter, and problems."""

from typing import Any

import msgspec
import pytest

from steerway.catalog.catalog import Catalog
from steerway.catalog.model.mesh import Port, Problem, ServiceId
from steerway.catalog.model.policy import CHANNEL, Algorithm
from steerway.catalog.service import service as build_service
from steerway.catalog.service import slice_owner
from steerway.catalog.service.scope import Selection
from steerway.sources.objects.core import (
    PRIVATE_ANNOTATION,
    Endpoint,
    EndpointSlice,
    Namespace,
    Object,
    ObjectKey,
    ObjectMeta,
    Service,
    ServiceMeta,
    ServicePort,
    ServiceSpec,
)
from testbed.mesh import endpoint, endpoint_slice, service

BACKEND = ServiceId("shop", "backend")


class Facts(dict[ObjectKey, Object]):
    """Objects by key, and the catalog that reads them."""

    def __init__(
        self, *objects: Object, only: frozenset[str] = frozenset(), services: str = "", namespaces: str = ""
    ) -> None:
        super().__init__()
        self.catalog = Catalog(Selection(only, services, namespaces))
        self.put(*objects)

    def put(self, *objects: Object) -> frozenset[ServiceId]:
        for obj in objects:
            self[obj.key] = obj
        return self.catalog.update(self.get, [obj.key for obj in objects])

    def remove(self, *objects: Object) -> frozenset[ServiceId]:
        for obj in objects:
            del self[obj.key]
        return self.catalog.update(self.get, [obj.key for obj in objects])

    def endpoints(self, id: ServiceId = BACKEND) -> int | None:
        """How many endpoints the service has in all; None when there is no such service."""
        result = self.catalog.service(id)
        return None if result is None else sum(len(port.endpoints) for port in result.ports)


def test_a_service_has_its_tcp_ports_in_the_order_of_the_manifest() -> None:
    """With name and appProtocol; the number is the Service's own."""
    facts = Facts(
        service(
            ServicePort(9090, "metrics", "TCP"),
            ServicePort(53, "dns", "UDP"),
            ServicePort(80, "grpc", None, "kubernetes.io/h2c"),
            ServicePort(132, "sctp", "SCTP"),
        )
    )
    result = facts.catalog.service(BACKEND)
    assert result is not None
    assert result.ports == (Port(9090, "metrics"), Port(80, "grpc", "kubernetes.io/h2c"))
    assert facts.catalog.problems() == []


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (
            service(80, external_name="10.0.0.1"),
            "externalName 10.0.0.1 is an IP address, not a host name",
        ),
        (service(), "it has no ports, so there is nothing to serve"),
        (Service(ServiceMeta("backend", "shop")), "it has no ports, so there is nothing to serve"),
        (
            service(ServicePort(53, "dns", "UDP"), ServicePort(1, "s", "SCTP")),
            "none of its ports is TCP, so there is nothing to serve",
        ),
    ],
)
def test_what_cannot_be_served_is_reported_with_a_hint(fact: Service, reason: str) -> None:
    """It is no service of the catalog, whatever slices it has."""
    facts = Facts(fact, endpoint_slice("10.0.0.1"))
    assert len(facts.catalog) == 0
    (problem,) = facts.catalog.problems()
    assert (problem.where, problem.reason) == ("Service shop/backend", reason)
    assert problem.hint
    facts.put(service(50051))
    assert facts.endpoints() == 1
    assert facts.catalog.problems() == []


@pytest.mark.parametrize("kind", [None, "ClusterIP", "NodePort", "LoadBalancer"])
def test_every_other_type_of_service_is_served(kind: str | None) -> None:
    """Clients go to the pods: what stands in front of them does not matter."""
    assert Facts(service(50051, type=kind), endpoint_slice("10.0.0.1")).endpoints() == 1


def test_an_external_name_stands_for_a_host_instead_of_endpoints() -> None:
    """Whatever slices name its Service; with the ports that it lists, which may be none."""
    facts = Facts(service(external_name="db.example.org."), endpoint_slice("10.0.0.1"))
    result = facts.catalog.service(BACKEND)
    assert result is not None
    assert (result.external_name, result.ports) == ("db.example.org", ())
    facts.put(service(5432, external_name="db.example.org"))
    result = facts.catalog.service(BACKEND)
    assert result is not None
    assert (result.external_name, result.ports) == ("db.example.org", (Port(5432),))
    assert facts.put(service(50051)) == {BACKEND}
    assert facts.endpoints() == 1


def test_the_traffic_distribution_of_a_service_is_known() -> None:
    """Both ways; whether it applies depends on the client."""
    facts = Facts(
        service(
            80,
            internal_traffic_policy="Local",
            traffic_distribution="PreferSameZone",
            session_affinity="ClientIP",
        )
    )
    result = facts.catalog.service(BACKEND)
    assert result is not None
    assert (result.local_only, result.distribution) == (True, "PreferSameZone")
    sticky = result.ports[0].policy.balancing
    assert sticky is not None
    assert (sticky.algorithm, sticky.hash_on) == (Algorithm.RING_HASH, (CHANNEL,))
    assert facts.put(service(80, internal_traffic_policy="Cluster", session_affinity="None")) == {BACKEND}
    result = facts.catalog.service(BACKEND)
    assert result is not None
    assert (result.local_only, result.distribution) == (False, "")
    assert result.ports[0].policy.balancing is None
    assert facts.catalog.problems() == []


def test_a_policy_of_the_node_is_reported_where_nodes_are_not_known() -> None:
    """Its clients get the endpoints of all nodes: nothing fails, and a problem is reported."""
    fact = service(80, internal_traffic_policy="Local")
    catalog = Catalog(nodes_known=False)
    catalog.update({fact.key: fact}.get, [fact.key])
    assert (result := catalog.service(BACKEND)) is not None
    assert not result.local_only
    (problem,) = catalog.problems()
    assert "internalTrafficPolicy Local is not followed" in problem.reason
    assert "set topology to node" in problem.hint


def test_a_headless_service_without_selector_is_served() -> None:
    """Its slices are written by hand."""
    spec = ServiceSpec(ports=[ServicePort(50051)], cluster_ip="None")
    slices = [
        endpoint_slice("10.0.0.1"),
        EndpointSlice(ObjectMeta("stray", "shop"), "IPv4", [Endpoint(["10.0.0.9"])]),
    ]
    assert Facts(Service(ServiceMeta("backend", "shop"), spec), *slices).endpoints() == 1


def test_a_port_that_is_there_twice_is_served_once() -> None:
    """The first of them, and it is reported."""
    facts = Facts(service(ServicePort(80, "a"), ServicePort(80, "b")))
    result = facts.catalog.service(BACKEND)
    assert result is not None
    assert [port.name for port in result.ports] == ["a"]
    assert facts.catalog.problems() == [
        Problem(
            "Service shop/backend",
            "port 80 is there twice",
            "remove one of them",
            ObjectKey("Service", "shop", "backend"),
        )
    ]


def test_a_change_waits_with_its_services() -> None:
    """A slice that moves concerns the service that it leaves, too; pods and nodes concern none."""
    there = endpoint_slice("10.0.0.1")
    facts = Facts(service(50051), there)
    cart = ServiceId("shop", "cart")
    facts[there.key] = endpoint_slice("10.0.0.1", service="cart")
    assert set(facts.catalog.owners(facts.get, there.key)) == {BACKEND, cart}
    facts.put(facts[there.key])
    assert set(facts.catalog.owners(facts.get, there.key)) == {cart}
    del facts[there.key]
    assert set(facts.catalog.owners(facts.get, there.key)) == {cart}
    assert set(facts.catalog.owners(facts.get, service(50051).key)) == {BACKEND}
    assert not facts.catalog.owners(facts.get, ObjectKey("Pod", "shop", "backend-1"))


class TestChanges:
    """`update` reports the services that are another value than before, and no others."""

    def test_a_service_appears_changes_and_goes(self) -> None:
        """Each of these is a change."""
        facts = Facts()
        assert facts.put(service(50051)) == {BACKEND}
        assert facts.put(service(50052)) == {BACKEND}
        assert facts.remove(service(50052)) == {BACKEND}
        assert facts.catalog.service(BACKEND) is None

    def test_equal_facts_are_no_change(self) -> None:
        """Also when they came in other objects, in another order, or with objects that are not served."""
        facts = Facts(service(50051), endpoint_slice("10.0.0.1", "10.0.0.2"))
        assert facts.put(service(50051), endpoint_slice("10.0.0.2", "10.0.0.1")) == frozenset()
        assert facts.put(endpoint_slice("10.0.0.1", "10.0.0.2", name="backend-2")) == frozenset()
        unready = endpoint("10.0.0.3", ready=False)
        assert facts.put(endpoint_slice("10.0.0.1", unready)) == frozenset()

    def test_a_change_touches_its_own_service_only(self) -> None:
        """Not the one of the same name elsewhere, nor another one of the namespace."""
        facts = Facts(
            service(50051), service(50051, namespace="other"), service(50051, name="cart", namespace="shop")
        )
        assert facts.put(endpoint_slice("10.0.0.1")) == {BACKEND}
        assert facts.put(endpoint_slice("10.0.0.1", namespace="other")) == {ServiceId("other", "backend")}

    def test_endpoints_may_come_before_their_service(self) -> None:
        """A slice of a service that does not exist is kept in mind and changes nothing."""
        facts = Facts()
        assert facts.put(endpoint_slice("10.0.0.1")) == frozenset()
        assert facts.endpoints() is None
        assert facts.put(service(50051)) == {BACKEND}
        assert facts.endpoints() == 1

    def test_a_service_that_comes_back_finds_its_endpoints(self) -> None:
        """Its slices stayed."""
        facts = Facts(service(50051), endpoint_slice("10.0.0.1"))
        facts.remove(service(50051))
        facts.put(service(50051))
        assert facts.endpoints() == 1

    def test_a_slice_that_goes_takes_its_endpoints_along(self) -> None:
        """The service stays, and is empty."""
        facts = Facts(service(50051), endpoint_slice("10.0.0.1"))
        assert facts.remove(endpoint_slice()) == {BACKEND}
        assert facts.endpoints() == 0

    @pytest.mark.parametrize("label", ["cart", "", None])
    def test_a_slice_may_move_to_another_service(self, label: str | None) -> None:
        """Its label decides; both services change."""
        cart = ServiceId("shop", "cart")
        facts = Facts(service(50051), service(50051, name="cart"), endpoint_slice("10.0.0.1"))
        moved = endpoint_slice("10.0.0.1", service=label or "")
        if label is None:
            moved = EndpointSlice(
                ObjectMeta(moved.metadata.name, "shop"), "IPv4", moved.endpoints, moved.ports
            )
        assert facts.put(moved) == ({BACKEND, cart} if label else {BACKEND})
        assert (facts.endpoints(), facts.endpoints(cart)) == (0, 1 if label else 0)

    def test_objects_of_other_kinds_are_not_looked_at(self) -> None:
        """Raw resources go to translate."""
        assert Facts().catalog.update({}.get, [ObjectKey("XdsResource", "type", "name")]) == frozenset()


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (frozenset[str](), {"shop/backend", "shop/cart", "other/backend"}),
        (frozenset({"backend"}), {"shop/backend", "other/backend"}),
        (frozenset({"shop/backend"}), {"shop/backend"}),
        (frozenset({"shop/backend", "cart"}), {"shop/backend", "shop/cart"}),
        (frozenset({"shop"}), set[str]()),
        (frozenset({"other/cart"}), set[str]()),
    ],
)
def test_only_the_listed_services_are_served(only: frozenset[str], expected: set[str]) -> None:
    """`SERVICE` in any namespace, or `NAMESPACE/SERVICE`; an empty list is no limit."""
    names = [("backend", "shop"), ("cart", "shop"), ("backend", "other")]
    facts = Facts(*(service(1, name=name, namespace=namespace) for name, namespace in names), only=only)
    assert {str(item.id) for item in facts.catalog} == expected
    assert len(facts.catalog) == len(expected)


def test_a_service_outside_the_scope_is_no_problem() -> None:
    """What is left out by a setting needs no fix."""
    assert Facts(service(80, external_name="10.0.0.1"), only=frozenset({"cart"})).catalog.problems() == []


def test_problems_go_with_their_cause_and_are_sorted() -> None:
    """By service; a service that goes takes its own along."""
    facts = Facts(service(name="c"), service(name="a"), service(50051))
    fqdn = endpoint_slice(name="fqdn", address_type="FQDN")
    facts.put(fqdn)
    where = ["Service shop/a", "EndpointSlice shop/fqdn", "Service shop/c"]
    assert [problem.where for problem in facts.catalog.problems()] == where
    facts.remove(fqdn, service(name="c"))
    assert [problem.where for problem in facts.catalog.problems()] == where[:1]


def test_a_service_that_breaks_the_code_keeps_its_last_good_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others go on: one service never stops the rest."""
    facts = Facts(service(50051), endpoint_slice("10.0.0.1"))
    build = build_service.build

    def broken(fact: Service, slices: list[EndpointSlice], *others: Any) -> object:
        if fact.metadata.name == "backend":
            raise ZeroDivisionError("no")
        return build(fact, slices, *others)

    monkeypatch.setattr(build_service, "build", broken)
    cart = ServiceId("shop", "cart")
    assert facts.put(endpoint_slice("10.0.0.1", "10.0.0.2"), service(1, name="cart")) == {cart}
    assert facts.endpoints() == 1
    (problem,) = facts.catalog.problems()
    assert problem.where == "Service shop/backend"
    assert problem.reason == "cannot be understood: ZeroDivisionError('no')"
    monkeypatch.undo()
    assert facts.put(service(50051)) == {BACKEND}
    assert (facts.endpoints(), facts.catalog.problems()) == (2, [])


def _distribution(value: str | None) -> dict[str, str] | None:
    return None if value is None else {PRIVATE_ANNOTATION: value}


def _namespace(value: str | None) -> Namespace:
    return Namespace(ObjectMeta("shop", annotations=_distribution(value)))


@pytest.mark.parametrize(
    ("own", "of_namespace", "private"),
    [
        (None, None, False),
        ("true", None, True),
        ("false", None, False),
        (" False ", None, False),
        ("yes", None, True),
        ("", None, True),
        (None, "true", True),
        (None, "false", False),
        ("false", "true", False),
        ("true", "false", True),
    ],
)
@pytest.mark.parametrize("first", ["service", "namespace"])
def test_a_service_is_private_by_its_own_word_or_that_of_its_namespace(
    own: str | None, of_namespace: str | None, private: bool, first: str
) -> None:
    """Whichever is known first; anything but false is true, so that a typo publishes nothing."""
    fact = msgspec.structs.replace(
        service(50051), metadata=ServiceMeta("backend", "shop", annotations=_distribution(own))
    )
    objects = [fact, _namespace(of_namespace)]
    facts = Facts(*(objects if first == "service" else reversed(objects)))
    result = facts.catalog.service(BACKEND)
    assert result is not None
    assert result.private is private


def test_a_namespace_concerns_its_own_services_and_only_when_its_word_changes() -> None:
    """Also when it goes, and for services that come later."""
    facts = Facts(service(50051), service(50051, namespace="pay"))
    assert facts.put(_namespace(None)) == frozenset()
    assert facts.put(_namespace("true")) == {BACKEND}
    assert facts.put(_namespace("true")) == frozenset()
    assert facts.put(service(1, name="cart")) == {ServiceId("shop", "cart")}
    cart = facts.catalog.service(ServiceId("shop", "cart"))
    assert cart is not None
    assert cart.private
    assert facts.remove(_namespace("true")) == {BACKEND, ServiceId("shop", "cart")}


PENDING = service(81)
"""The Service as it is known, and not committed: another port than `service(80)`."""


@pytest.mark.parametrize(
    ("committed", "earlier", "now", "kept"),
    [
        pytest.param([service(80), endpoint_slice("10.0.0.1")], "10.0.0.1", "10.0.0.2", True, id="replaced"),
        pytest.param([service(80), endpoint_slice("10.0.0.1")], "10.0.0.1", None, False, id="emptied"),
        pytest.param([service(80), endpoint_slice("10.0.0.1")], None, None, False, id="emptied twice"),
        pytest.param([], "10.0.0.1", None, False, id="emptied before it is committed"),
        pytest.param([service(80)], "10.0.0.1", None, False, id="first endpoints emptied before a commit"),
        pytest.param([], None, "10.0.0.1", True, id="first endpoints of a Service that waits"),
        pytest.param([], None, None, True, id="empty as before"),
    ],
)
def test_endpoints_are_kept_of_the_last_commit_and_of_what_waits_for_the_next(
    committed: list[Object], earlier: str | None, now: str | None, *, kept: bool
) -> None:
    """A Service that waits, with a route to it perhaps, must not lose its endpoints before it is committed."""
    facts = Facts(*committed)
    before, after = (endpoint_slice(*([address] if address else [])) for address in (earlier, now))
    store: dict[ObjectKey, Object] = {**facts, PENDING.key: PENDING, after.key: after}
    assert facts.catalog.keeps_endpoints(facts.get, store.get, {after.key: [before]}) is kept


def test_endpoints_that_came_and_went_while_their_service_waits_are_lost() -> None:
    """Those of one moment between two changes of a slice: a route that waits may name the Service since then."""
    facts = Facts()
    gone = endpoint_slice("10.0.0.1")
    states = [None, gone, endpoint_slice()]
    assert not facts.catalog.keeps_endpoints(facts.get, {PENDING.key: PENDING}.get, {gone.key: states})


def test_a_slice_that_waits_and_goes_to_another_service_takes_its_endpoints_away() -> None:
    """Its first Service waits, too: only the slice before the change names it."""
    facts = Facts()
    other = endpoint_slice("10.0.0.1", service="other")
    store: dict[ObjectKey, Object] = {PENDING.key: PENDING, other.key: other}
    assert not facts.catalog.keeps_endpoints(facts.get, store.get, {other.key: [endpoint_slice("10.0.0.1")]})


def test_an_object_that_fails_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same batch and of the next: its problem goes when it is understood."""
    facts = Facts()
    real = slice_owner.stray

    def broken(slice_: EndpointSlice) -> object:
        return 1 // 0 if slice_.metadata.name == "bad" else real(slice_)

    monkeypatch.setattr(slice_owner, "stray", broken)
    bad = endpoint_slice("10.0.0.2", name="bad")
    assert facts.put(bad, service(50051), endpoint_slice("10.0.0.1")) == {BACKEND}
    assert facts.endpoints() == 1
    (problem,) = facts.catalog.problems()
    assert (problem.where, problem.reason[:21]) == ("EndpointSlice shop/bad", "cannot be understood:")
    monkeypatch.undo()
    assert facts.put(bad) == {BACKEND}
    assert (facts.endpoints(), facts.catalog.problems()) == (2, [])


def test_an_object_that_fails_waits_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is committed as others are, and fails again then."""
    facts = Facts(service(80), endpoint_slice("10.0.0.1"))
    gone = endpoint_slice()
    monkeypatch.setattr(slice_owner, "owner", lambda _: 1 // 0)
    monkeypatch.setattr(facts.catalog.attachments, "references", lambda *_: 1 // 0)
    assert facts.catalog.owners(facts.get, gone.key) == (gone.key,)
    assert facts.catalog.references(facts.get, gone.key) == {("Namespace", "shop")}
    assert facts.catalog.keeps_endpoints(facts.get, {gone.key: gone}.get, {gone.key: [facts[gone.key]]})


def test_services_stay_as_they_were_until_the_last_step_of_a_change() -> None:
    """A demand that comes between two steps is answered from one moment."""
    old, new = [
        (service(1, name=name), endpoint_slice(address, name=f"{name}-1", service=name))
        for name, address in (("old", "10.0.0.1"), ("new", "10.0.0.2"))
    ]
    facts = Facts(*old)
    for gone in old:
        del facts[gone.key]
    facts.update({item.key: item for item in new})
    steps = facts.catalog.steps(facts.get, [item.key for item in (*old, *new)])
    count = 0
    for _ in steps:
        count += 1
        assert [item.id.name for item in facts.catalog] == ["old"]
    assert count == 6
    assert [item.id.name for item in facts.catalog] == ["new"]


def test_an_update_gives_the_problems_that_it_brought() -> None:
    """Not those from before, and not one that stays."""
    stray = endpoint_slice("10.0.0.1", name="stray", service="")
    facts = Facts(stray, service(1, name="external", type="ExternalName"))
    assert [str(problem.where) for problem in facts.catalog.new_problems] == [
        problem.where for problem in facts.catalog.problems()
    ]
    facts.catalog.update(facts.get, [stray.key])
    assert facts.catalog.new_problems == []
