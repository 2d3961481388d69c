"""Attachments: rivals in their order, the objects that a change concerns, and an index without history."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from steerway.catalog.model.identity import ServiceId
from steerway.catalog.routing.attachment import Attachments
from steerway.sources.objects.core import Object, ObjectKey
from steerway.status.condition import ObjectStatus
from steerway.status.evaluation import evaluate
from steerway.status.reference_resolver import ReferenceResolver
from testbed.mesh import NAMESPACE, Mesh, service
from tests.support.example.route_example import (
    BACKEND,
    NEW,
    OLD,
    backend,
    grant,
    grpc_route,
    http_route,
    parent,
    policy,
)
from tests.support.example.route_example import rule as single_rule
from tests.support.model import random_traffic

SERVICE = ObjectKey("Service", *BACKEND)


def index(*objects: Object) -> tuple[Attachments, dict[ObjectKey, Object]]:
    """An index of these objects, in the order in which they are given, and the objects."""
    attachments = Attachments()
    facts = {obj.key: obj for obj in objects}
    for key in facts:
        attachments.update(facts.get, key, lambda _: [BACKEND])
    return attachments, facts


def test_the_older_rival_comes_first_and_then_the_alphabet() -> None:
    """By the time of creation, then namespace and name; an object from a file, which has no time, is the oldest."""
    rivals = [
        grpc_route(name="b", creationTimestamp=OLD),
        grpc_route(name="a", creationTimestamp=OLD),
        grpc_route(name="0", creationTimestamp=NEW),
        grpc_route(name="z", namespace="pay", creationTimestamp=OLD, parents=[parent(namespace=NAMESPACE)]),
        grpc_route(name="y"),
    ]
    attachments, facts = index(*rivals)
    names = [route.metadata.name for route in attachments.routes(facts.get, BACKEND)]
    assert names == ["y", "z", "a", "b", "0"]


def test_a_route_is_found_by_services_alone() -> None:
    """A Gateway of the same name is none, nor is a Service of another namespace."""
    other = grpc_route(name="other", parents=[parent(namespace="pay")])
    gateway = grpc_route(name="gateway", parents=[{"name": "backend"}])
    foreign = grpc_route(name="foreign", parents=[parent(group="example.org")])
    attachments, facts = index(other, gateway, foreign)
    assert attachments.routes(facts.get, BACKEND) == []
    assert attachments.routes(facts.get, ServiceId("pay", "backend")) == [other]


def test_policies_are_found_by_each_of_their_targets() -> None:
    """In their order, the older one first."""
    newer, older = policy(name="a", created=NEW), policy(name="b", created=OLD)
    on_route = policy("GRPCRoute", "route", name="c")
    attachments, facts = index(newer, older, on_route)
    assert attachments.policies(facts.get, SERVICE) == [older, newer]
    assert attachments.policies(facts.get, ObjectKey("GRPCRoute", NAMESPACE, "route")) == [on_route]
    assert attachments.policies(facts.get, ObjectKey("HTTPRoute", NAMESPACE, "route")) == []


def test_a_grant_is_for_services_of_its_namespace_and_routes_of_others() -> None:
    """All of them, or the one that it names; grants for Secrets or from Gateways are none."""
    everything = {"group": "", "kind": "Service"}
    attachments, facts = index(
        grant(everything, "pay", name="all"),
        grant({**everything, "name": "backend"}, "web", "pay", name="one"),
        grant({**everything, "name": "other"}, "ops", name="other"),
        grant({"group": "", "kind": "Secret"}, "ops", name="secret"),
        grant(everything, "ops", kind="Gateway", name="gateway"),
        grant(everything, "ops", name="elsewhere", namespace="pay"),
    )
    assert attachments.granted(facts.get, BACKEND) == {"pay", "web"}
    assert attachments.granted(facts.get, ServiceId("shop", "third")) == {"pay"}


def test_a_change_touches_services_before_and_after() -> None:
    """Those that a route leaves, and those that it comes to; a policy on a route touches the route's."""
    attachments, facts = index(grpc_route(), policy("GRPCRoute", "route"))
    moved = grpc_route(parents=[parent("other")])
    facts[moved.key] = moved
    touched = attachments.update(facts.get, moved.key, lambda _: ())
    other = ServiceId(NAMESPACE, "other")
    assert touched == {BACKEND, other}
    on_route = policy("GRPCRoute", "route").key
    assert attachments.concerns(facts.get, on_route, lambda _: ()) == {other}


def test_backends_and_mirrors_are_references_and_no_parents() -> None:
    """For a new Service the routes that send it requests are evaluated again, and nothing else changes."""
    mirrored = [
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 1}}},
    ]
    route = grpc_route(
        single_rule(backend("first", filters=mirrored)), single_rule("second", filters=mirrored)
    )
    attachments, facts = index(route)
    attachments.take_unevaluated()
    for name in ("first", "second", "copy"):
        attachments.note_services([ServiceId(NAMESPACE, name)])
        assert attachments.take_unevaluated() == {route.key}, name
        assert attachments.routes(facts.get, ServiceId(NAMESPACE, name)) == []


def test_policies_of_a_route_are_evaluated_with_it() -> None:
    """Also when the route goes, and once only."""
    route, on_route = grpc_route(), policy("GRPCRoute", "route")
    attachments, facts = index(route, on_route)
    attachments.take_unevaluated()
    del facts[route.key]
    attachments.update(facts.get, route.key, lambda _: ())
    assert attachments.take_unevaluated() == {route.key, on_route.key}
    assert attachments.take_unevaluated() == set()


def test_routes_of_the_other_kind_are_evaluated_with_a_rival() -> None:
    """A GRPCRoute that goes lets an HTTPRoute of the same Service count."""
    grpc, http = grpc_route(), http_route()
    attachments, facts = index(grpc, http)
    attachments.take_unevaluated()
    del facts[grpc.key]
    attachments.update(facts.get, grpc.key, lambda _: ())
    assert http.key in attachments.take_unevaluated()


_SERVICES = st.builds(
    lambda name, namespace, port: service(port, name=name, namespace=namespace),
    st.sampled_from(["a", "svc"]),
    st.sampled_from(["shop", "svc"]),
    st.sampled_from([80, 50051]),
)


class Histories(RuleBasedStateMachine):
    """Objects come, change and go; the index equals one that was built from the present objects."""

    def __init__(self) -> None:
        super().__init__()
        self.mesh = Mesh()
        catalog = self.mesh.catalog
        self.index = catalog.attachments
        self.resolver = ReferenceResolver(
            self.mesh.facts.get, self.index, catalog.service, catalog.service, lambda _: ()
        )
        self.evaluated: dict[ObjectKey, ObjectStatus | None] = {}

    @rule(obj=random_traffic.attached())
    def attach(self, obj: Object) -> None:
        """Something comes, or is another one."""
        self._change(obj.key, obj)

    @rule(service=_SERVICES)
    def serve(self, service: Object) -> None:
        """A Service comes, or is another one."""
        self._change(service.key, service)

    @precondition(lambda self: self.mesh.facts)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Anything goes."""
        self._change(data.draw(st.sampled_from(sorted(self.mesh.facts))), None)

    def _change(self, key: ObjectKey, obj: Object | None) -> None:
        """Take in one object, and check that all objects with another status are named."""
        if obj is None:
            self.mesh.facts.pop(key)
        else:
            self.mesh.facts[key] = obj
        self.mesh.catalog.update(self.mesh.facts.get, [key])
        unevaluated = self.index.take_unevaluated()
        now = {fact: evaluate(fact, self.resolver) for fact in self.mesh.facts}
        others = {item for item in {*now, *self.evaluated} if now.get(item) != self.evaluated.get(item)}
        assert others <= unevaluated, others - unevaluated
        self.evaluated = now

    @invariant()
    def is_what_one_built_anew_is(self) -> None:
        """For everything that it can be asked for."""
        get = self.mesh.facts.get
        anew = Attachments()
        for key in self.mesh.facts:
            if key.kind != "Service":
                anew.update(get, key, lambda _: ())
        for namespace in ("shop", "svc", "x"):
            for name in ("a", "svc", "other", "x", "y", "z"):
                id = ServiceId(namespace, name)
                assert self.index.routes(get, id) == anew.routes(get, id)
                assert self.index.granted(get, id) == anew.granted(get, id)
                for kind in ("Service", "GRPCRoute", "HTTPRoute"):
                    target = ObjectKey(kind, namespace, name)
                    assert self.index.policies(get, target) == anew.policies(get, target)
        assert _size(self.index) == _size(anew)

    def teardown(self) -> None:
        """Nothing is left of what goes."""
        for key in list(self.mesh.facts):
            self._change(key, None)
        assert _size(self.index) == 0


def _size(attachments: Attachments) -> int:
    """How many keys the index holds, those with nothing behind them too."""
    return sum(len(value) for name, value in vars(attachments).items() if name != "_unevaluated")


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestHistories = Histories.TestCase
