"""A canary on a real cluster: a GRPCRoute moves calls from one Deployment to another, and none is lost."""

import pytest

from testbed.client.grpc_client import Library
from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import PORT, deployment
from testbed.manifest import Manifest, backend_ref, grpc_route, rule, service
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Steer

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("kinds")]


@pytest.mark.usefixtures("grpc_go")
@pytest.mark.parametrize("library", ["grpcio", "grpc-go"])
def test_calls_move_to_the_new_version_and_back_without_a_failure(
    namespace: Namespace, steer: Steer, connect: Connect, library: Library
) -> None:
    """By the weights of a route on the Service that clients dial, which has no pods of its own."""
    for version in ("old", "new"):
        ports, selector = {"grpc": PORT}, {"app": version}
        namespace.api.apply(
            service(version, ports, namespace=namespace.name, selector=selector),
            deployment(version, namespace.name, 2),
        )
    namespace.api.apply(service("shop", {"grpc": PORT}, namespace=namespace.name), _route(namespace, 100, 0))
    old, new = (
        set(until(lambda version=version: _pods(namespace, version), f"pods of {version}"))
        for version in ("old", "new")
    )
    channel = connect(steer(), library).dial(namespace.target("shop"))
    channel.wait_for_answer()
    with channel.load() as load:
        load.settle(*old)
        namespace.api.apply(_route(namespace, 50, 50))
        load.settle(*old, *new)
        namespace.api.apply(_route(namespace, 0, 100))
        load.settle(*new)
        namespace.api.apply(_route(namespace, 100, 0))
        load.settle(*old)
    assert not load.failures, load.failures
    until(lambda: _is_programmed(namespace), "the Programmed condition")


def _pods(namespace: Namespace, version: str) -> list[str] | None:
    """Their addresses, once both are ready."""
    pods = list(namespace.pods(version).values())
    return pods if len(pods) == 2 else None


def _route(namespace: Namespace, old: int, new: int) -> Manifest:
    backends = rule(backend_ref("old", old), backend_ref("new", new))
    return grpc_route("shop", "shop", backends, namespace=namespace.name)


def _is_programmed(namespace: Namespace) -> bool:
    route = namespace.api.get("GRPCRoute", namespace.name, "shop")
    conditions = [
        condition for entry in route.get("status", {}).get("parents", []) for condition in entry["conditions"]
    ]
    return {condition["type"]: condition["status"] for condition in conditions}.get("Programmed") == "True"
