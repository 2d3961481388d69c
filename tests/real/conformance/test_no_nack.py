"""Nothing that steerway sends is refused: random policies and routes, one set after another, to released clients."""

from hypothesis import HealthCheck, Phase, given, seed, settings

from steerway.sources.objects.core import Object
from tests.real.conftest import Connect
from tests.support.model import random_traffic
from tests.support.model.live_mesh import LiveMesh

_TARGETS = ("a.shop:80", "a.shop:50051", "svc.shop:80", "a.shop")
_EXAMPLES = 150


def test_no_policy_and_no_route_is_refused(connect: Connect) -> None:
    """Each set is acknowledged by every stream of the client before the next one comes."""
    with LiveMesh() as mesh:
        mesh.engine.set_serving(True)
        mesh.replace(random_traffic.SERVED)
        client = connect(mesh, "--zone", "z1")
        for target in _TARGETS:
            client.dial(f"xds:///{target}").begin()
        sets = 0

        @seed(20261126)
        @settings(
            max_examples=_EXAMPLES,
            database=None,
            suppress_health_check=[*HealthCheck],
            phases=[Phase.generate],
        )
        @given(random_traffic.routed_meshes())
        def every_set_is_taken(objects: list[Object]) -> None:
            nonlocal sets
            sets += 1
            mesh.replace(objects)
            mesh.wait_for_clients(len(_TARGETS))
            assert not mesh.refusals, [(refusal.message, objects) for refusal in mesh.refusals]

        every_set_is_taken()
        assert sets >= _EXAMPLES
