"""Hold-down in a catalog: the endpoints that it serves meanwhile, the problem, and its end."""

import msgspec
import pytest

from steerway.catalog.catalog import Catalog
from steerway.catalog.model.mesh import ServiceId
from steerway.catalog.service.hold_down import HoldDown
from steerway.sources.objects.core import Object, ObjectKey
from steerway.sources.policy.traffic_policy import TrafficPolicy
from testbed import mesh
from tests.support.example.policy_example import policy as manifest

ID = ServiceId(mesh.NAMESPACE, "backend")


class World:
    """A catalog, the objects that it reads, and the time."""

    def __init__(self, **safety: object) -> None:
        self.now = 0.0
        self.facts: dict[ObjectKey, Object] = {}
        self.catalog = Catalog(hold_down=HoldDown(lambda: self.now))
        self.put(msgspec.convert(manifest({"safety": safety}), TrafficPolicy), mesh.service(80))

    def put(self, *objects: Object) -> None:
        self.facts |= {obj.key: obj for obj in objects}
        self.catalog.update(self.facts.get, [obj.key for obj in objects])

    def delete(self, key: ObjectKey) -> None:
        del self.facts[key]
        self.catalog.update(self.facts.get, [key])

    def scale(self, count: int) -> int:
        """How many endpoints are served when there are `count`."""
        self.put(mesh.endpoint_slice(*(f"10.0.0.{number}" for number in range(count))))
        return self.served()

    def served(self) -> int:
        service = self.catalog.service(ID)
        assert service is not None
        return len(service.ports[0].endpoints)


@pytest.fixture
def careful() -> World:
    return World(minHealthyPercent=50, holdTime="1m")


def test_an_update_is_applied_when_its_hold_down_ends(careful: World) -> None:
    """Somebody has to ask for it: nothing of the facts changes."""
    assert [careful.scale(4), careful.scale(1)] == [4, 4]
    assert careful.catalog.release(careful.facts.get) == frozenset()
    careful.now = 60.0
    assert careful.catalog.release(careful.facts.get) == {ID}
    assert careful.served() == 1
    assert careful.catalog.release(careful.facts.get) == frozenset()


def test_a_hold_is_a_problem_until_it_ends(careful: World) -> None:
    """Of the Service, so that its owner learns why the old endpoints are still there."""
    careful.scale(4)
    assert careful.catalog.problems() == []
    careful.scale(1)
    (problem,) = careful.catalog.problems()
    assert problem.where == "Service shop/backend"
    assert "those before are kept" in problem.reason
    careful.scale(3)
    assert careful.catalog.problems() == []


def test_slices_that_are_all_deleted_keep_the_last_endpoints() -> None:
    """A service without any slice is one without a ready endpoint."""
    world = World(whenEmpty="KeepLast")
    assert world.scale(2) == 2
    world.delete(mesh.endpoint_slice().key)
    assert world.served() == 2


def test_a_service_that_is_deleted_is_not_kept_and_comes_back_empty() -> None:
    """To delete a Service is no accident of its endpoints."""
    world = World(whenEmpty="KeepLast")
    assert [world.scale(2), world.scale(0)] == [2, 2]
    world.delete(mesh.service(80).key)
    assert world.catalog.service(ID) is None
    assert world.catalog.problems() == []
    world.put(mesh.service(80))
    assert world.served() == 0


def test_a_deleted_policy_ends_hold_down_at_once() -> None:
    """Without safety the update is applied."""
    world = World(whenEmpty="KeepLast")
    assert [world.scale(2), world.scale(0)] == [2, 2]
    world.delete(ObjectKey("TrafficPolicy", "shop", "example"))
    assert world.served() == 0
