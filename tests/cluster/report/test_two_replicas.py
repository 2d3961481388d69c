"""Two replicas on one API server send their clients the same bytes."""

from testbed.cluster.namespace import Namespace
from testbed.process.control_plane import ControlPlane
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Open, Steer

pytestmark = NEEDS_CLUSTER


def test_replicas_serve_equal_versions_through_changes(
    namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """A version is a hash of the bytes: a client that moves from one to the other has what it would be sent."""
    first, second, third = open_backends(3)
    namespace.publish([first, second])
    planes = [steer(), steer()]
    channels = [connect(plane).dial(namespace.target()) for plane in planes]
    for channel in channels:
        channel.wait_for_answer()

    def versions(plane: ControlPlane) -> dict[tuple[str, str, str], str]:
        return {
            (kind, resource["name"], resource["audience"]): resource["version"]
            for kind in ("lds", "rds", "cds", "eds")
            for resource in plane.resources(kind)
        }

    before = versions(planes[0])
    assert len(before) == 4
    assert versions(planes[1]) == before
    namespace.publish([third, first])
    with channels[0].load() as item, channels[1].load() as other:
        item.settle(first, third)
        other.settle(first, third)
    after = versions(planes[0])
    assert versions(planes[1]) == after
    assert {key for key in after if after[key] != before[key]} == {key for key in after if key[0] == "eds"}
    assert item.failures == other.failures == []
