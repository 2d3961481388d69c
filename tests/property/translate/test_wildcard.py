"""What Envoys with a wildcard see follows from the facts, after any history and without leftovers."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.objects.core import EXPORT_ANNOTATION, PRIVATE_ANNOTATION, Object, ObjectKey, Service
from steerway.sources.policy.gateway import GRPCRoute
from steerway.translate.translator import Demand
from steerway.translate.xds import type_url
from testbed.mesh import Mesh
from tests.support.example.route_example import backend, grpc_route, parent, rule
from tests.support.model import random_traffic
from tests.support.model.random_mesh import DOMAIN, NAMES, NAMESPACES, endpoint_slices, services

CLUSTER = f"a.shop.svc.{DOMAIN}:80"


def annotated(service: Service, annotations: dict[str, str]) -> Service:
    """The Service with these annotations."""
    return msgspec.structs.replace(
        service, metadata=msgspec.structs.replace(service.metadata, annotations=annotations)
    )


def route(name: str, namespace: str, of: str, to: str, port: int) -> GRPCRoute:
    """A route of any namespace for a Service of `shop`, to one of its own namespace."""
    return grpc_route(
        rule(backend(to, port=port)), parents=[parent(of, namespace="shop")], name=name, namespace=namespace
    )


ANNOTATIONS = st.sampled_from(
    [{}, {}, {EXPORT_ANNOTATION: "."}, {EXPORT_ANNOTATION: "svc"}, {PRIVATE_ANNOTATION: "true"}]
)
SERVICES = st.builds(annotated, services(), ANNOTATIONS)
ROUTES = st.builds(
    route,
    st.sampled_from(["r", "s"]),
    st.sampled_from(NAMESPACES),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from([80, 50051]),
)
AUDIENCES = st.builds(
    "envoy/{}/{}{}".format,
    st.sampled_from(["sidecar", "gateway", "raw"]),
    st.sampled_from(NAMESPACES),
    st.sampled_from(["", "/z1"]),
)
WANTED = st.tuples(
    st.sampled_from(
        [
            (type_url.CLUSTER, "*"),
            (type_url.CLUSTER, "*"),
            (type_url.CLUSTER, CLUSTER),
            (type_url.LISTENER, "*"),
            (type_url.ROUTE, "steerway.sidecar"),
            (type_url.ROUTE, "steerway.gateway"),
        ]
    ),
    AUDIENCES,
).map(lambda item: (*item[0], item[1]))
CHANGES = st.lists(
    SERVICES | SERVICES | ROUTES | random_traffic.attached() | endpoint_slices(), min_size=1, max_size=4
)
UPDATES = st.tuples(st.just("update"), CHANGES, st.lists(st.integers(0, 20), max_size=3))
DEMANDS = st.tuples(st.just("demand"), st.lists(WANTED, min_size=1, max_size=4))
WITHDRAWALS = st.tuples(st.just("withdraw"), st.lists(st.integers(0, 20), min_size=1, max_size=3))


@given(st.lists(UPDATES | UPDATES | DEMANDS | WITHDRAWALS, max_size=12))
def test_after_any_history_wildcards_follow_from_the_facts(history: list[tuple[Any, ...]]) -> None:
    """As if they had just subscribed; `Mesh` checks that no commit repeats a resource or removes an absent one."""
    mesh = Mesh()
    wanted: set[Demand] = set()
    for step in history:
        match step:
            case ("update", objects, indices):
                batch = {obj.key: obj for obj in objects}
                _update(mesh, batch, indices)
            case ("demand", names):
                mesh.demand(*names)
                wanted |= set(names)
            case ("withdraw", indices):
                there = sorted(wanted)
                unwanted = {there[index % len(there)] for index in indices if there}
                mesh.withdraw(*unwanted)
                wanted -= unwanted
        anew = Mesh(*mesh.facts.values())
        anew.demand(*sorted(wanted))
        assert mesh.published.as_seen(wanted) == anew.published.as_seen(wanted)
    mesh.withdraw(*wanted)
    assert mesh.published.entries == {}


def _update(mesh: Mesh, batch: dict[ObjectKey, Object], indices: list[int]) -> None:
    there = [key for key in mesh.facts if key not in batch]
    mesh.update(*batch.values(), delete=sorted({there[index % len(there)] for index in indices if there}))
