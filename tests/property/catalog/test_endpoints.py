"""Endpoints of any Services and slices, against a model that is as plain as the Kubernetes documents."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from steerway.catalog.catalog import Catalog
from steerway.catalog.model.mesh import Endpoint, EndpointState, ServiceId
from steerway.sources.objects.core import Object, Service
from testbed.mesh import Mesh
from tests.support.model import random_mesh
from tests.support.model.endpoint_model import SPELLINGS, expected, slices_of


def shown(endpoints: Sequence[Endpoint]) -> dict[tuple[str, int], EndpointState]:
    return {
        (SPELLINGS.get(endpoint.address, endpoint.address), endpoint.port): endpoint.state
        for endpoint in endpoints
    }


@given(random_mesh.objects())
def test_each_port_has_the_endpoints_of_the_model(objects: list[Object]) -> None:
    """And only TCP ports of Services that have endpoints at all are there."""
    mesh = Mesh(*objects)
    facts = [fact for fact in mesh.facts.values() if isinstance(fact, Service)]
    for fact in facts:
        built = mesh.catalog.service(ServiceId(fact.metadata.namespace, fact.metadata.name))
        tcp = [port for port in fact.spec.ports or () if port.protocol in (None, "TCP")]
        external = fact.spec.external_name
        if external == "10.0.0.1" or (not tcp and external is None):
            assert built is None
            assert any(problem.where == str(fact.key) for problem in mesh.catalog.problems())
            continue
        assert built is not None
        assert [port.number for port in built.ports] == [port.port for port in tcp]
        assert built.external_name == (external or "")
        if external is not None:
            assert not any(port.endpoints for port in built.ports)
            continue
        own = slices_of(fact, mesh.facts.values())
        for port in built.ports:
            assert shown(port.endpoints) == expected(fact, own, port.name)
            assert len(shown(port.endpoints)) == len(port.endpoints), "no address twice"
    assert len(mesh.catalog) <= len(facts)


@given(random_mesh.objects(), st.randoms(use_true_random=False), st.data())
def test_equal_facts_give_an_equal_catalog_in_any_order_and_any_batches(
    objects: list[Object],
    order: random.Random,
    data: st.DataObject,
) -> None:
    """The facts decide, and not the way in which they came."""
    facts = {obj.key: obj for obj in objects}
    at_once = Catalog()
    at_once.update(facts.get, list(facts))
    keys = list(facts) * 2
    order.shuffle(keys)
    bit_by_bit = Catalog()
    while keys:
        size = data.draw(st.integers(1, len(keys)))
        bit_by_bit.update(facts.get, keys[:size])
        keys = keys[size:]
    for item in at_once:
        assert bit_by_bit.service(item.id) == item
    assert len(bit_by_bit) == len(at_once)
    assert bit_by_bit.problems() == at_once.problems()
    assert bit_by_bit.update(facts.get, list(facts)) == frozenset(), "looking again changes nothing"
