"""Translation by increments equals translation from scratch: after any history the facts alone decide."""

import random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.objects.core import EXPORT_ANNOTATION, Object, ObjectKey, Service, XdsResource
from steerway.translate.translator import Demand
from steerway.translate.xds import type_url
from testbed.mesh import Mesh
from tests.support.model import random_mesh, random_traffic
from tests.support.model.random_mesh import DOMAIN, demands, endpoint_slices, services

CLASHING = f"a.shop.svc.{DOMAIN}:80"


def document(served: str, name: str, good: bool, **body: Any) -> XdsResource:
    """A raw resource, or one that is none."""
    field = "cluster_name" if served == type_url.ENDPOINT else "name"
    return XdsResource(served, name, {field: name, **body, **({} if good else {"nonsense": 1})}, "a.yaml:1")


DOCUMENTS = st.one_of(
    st.builds(
        document,
        st.just(type_url.CLUSTER),
        st.sampled_from([CLASHING, "own"]),
        st.booleans(),
        alt_stat_name=st.sampled_from(["x", "y"]),
    ),
    st.builds(document, st.just(type_url.ENDPOINT), st.just(CLASHING), st.booleans()),
    st.builds(document, st.just(type_url.LISTENER), st.sampled_from(["a", "a.shop:80"]), st.booleans()),
)


def exported(to: str | None, service: Service) -> Service:
    """The Service with this annotation."""
    annotations = None if to is None else {EXPORT_ANNOTATION: to}
    return msgspec.structs.replace(
        service, metadata=msgspec.structs.replace(service.metadata, annotations=annotations)
    )


SERVICES = st.builds(exported, st.sampled_from([None, None, "*", "", "shop", "svc,x"]), services())
CHANGES = st.lists(
    SERVICES | endpoint_slices() | DOCUMENTS | random_traffic.attached(), min_size=1, max_size=4
)
BATCHES = st.tuples(st.just("update"), CHANGES, st.lists(st.integers(0, 20), max_size=3))
DEMANDS = st.tuples(st.just("demand"), st.lists(demands(), min_size=1, max_size=4))
WITHDRAWALS = st.tuples(st.just("withdraw"), st.lists(st.integers(0, 20), min_size=1, max_size=4))
HISTORY = st.lists(BATCHES | BATCHES | DEMANDS | WITHDRAWALS, max_size=12)
COMMON: tuple[Demand, ...] = tuple(
    (served, CLASHING, f"grpc/{kind}/shop/z1/-/{bucket}")
    for served in (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT)
    for kind, bucket in (("unknown", 0), ("core", 1))
)
"""What most clients want: demanded at the start of each history, so that few of its steps are in vain."""


@given(HISTORY, st.sampled_from([(), ("a",), ("shop/a", "b")]))
def test_after_any_history_the_facts_are_published(
    history: list[tuple[Any, ...]], only: tuple[str, ...]
) -> None:
    """Nothing stale, missing or without a subscriber; the last good version of a broken document counts."""
    mesh = Mesh(*random_traffic.SERVED, only=only)
    wanted = set(COMMON)
    mesh.demand(*COMMON)
    good: dict[ObjectKey, XdsResource] = {}
    for step in history:
        match step:
            case ("update", objects, indices):
                _update(mesh, objects, indices, good)
            case ("demand", names):
                mesh.demand(*names)
                wanted |= set(names)
            case ("withdraw", indices):
                there = sorted(wanted)
                unwanted = {there[index % len(there)] for index in indices if there}
                mesh.withdraw(*unwanted)
                wanted -= unwanted
        present = [fact for fact in mesh.facts.values() if not isinstance(fact, XdsResource)]
        anew = Mesh(*present, *good.values(), only=only)
        anew.demand(*sorted(wanted))
        assert mesh.published.as_seen(wanted) == anew.published.as_seen(wanted)
    mesh.withdraw(*wanted)
    raw = {key for key in mesh.published.entries if key[2] == ""}
    assert mesh.published.entries.keys() == raw


def _update(
    mesh: Mesh, objects: list[Object], indices: list[int], good: dict[ObjectKey, XdsResource]
) -> None:
    """Put the objects (of two with one key the last) and delete some of those that were there before."""
    batch = {obj.key: obj for obj in objects}
    there = [key for key in mesh.facts if key not in batch]
    gone = {there[index % len(there)] for index in indices if there}
    mesh.update(*batch.values(), delete=sorted(gone))
    raw = {key: value for key, value in batch.items() if isinstance(value, XdsResource)}
    good |= {key: value for key, value in raw.items() if "nonsense" not in value.body}
    for key in gone:
        good.pop(key, None)


@given(
    random_mesh.objects(),
    st.lists(random_traffic.attached(), max_size=4),
    st.lists(demands(), max_size=8),
    st.randoms(use_true_random=False),
)
def test_equal_facts_and_demands_in_any_order_give_equal_bytes(
    objects: list[Object], attached: list[Object], wanted: list[Demand], order: random.Random
) -> None:
    """Replicas agree on every version, whatever the API server sent first."""
    facts = list({obj.key: obj for obj in [*objects, *attached]}.values())
    wanted = [*COMMON, *wanted]
    mesh = Mesh(*facts)
    mesh.demand(*wanted)
    other = Mesh()
    other.demand(*reversed(wanted))
    order.shuffle(facts)
    for fact in facts:
        other.update(fact)
    assert mesh.published.entries == other.published.entries
