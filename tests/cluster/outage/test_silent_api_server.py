"""An API server that hangs, and a link that drops everything: both are noticed although no connection breaks."""

from pathlib import Path

from testbed.cluster import kubeconfig
from testbed.cluster.cluster import Cluster
from testbed.cluster.command import API_SERVER, SERVER_NAME
from testbed.cluster.forwarder import Forwarder
from testbed.cluster.namespace import Namespace
from tests.cluster.conftest import NEEDS_CLUSTER, Connect, Open, Steer

pytestmark = NEEDS_CLUSTER

_FAR = "10.244.250.1"
"""An address that the cluster's network can drop."""


def test_a_hanging_api_server_is_stale_and_followed_when_it_goes_on(
    cluster: Cluster, namespace: Namespace, open_backends: Open, steer: Steer, connect: Connect
) -> None:
    """Its kernel accepts connections and answers keepalive: only the silence of its watches is seen."""
    first, second = open_backends(2)
    namespace.publish([first])
    plane = steer("--watch-idle-timeout-seconds", "2", "--stale-seconds", "4")
    channel = connect(plane).dial(namespace.target())
    with channel.load() as load:
        load.settle(first)
        cluster.parts["api-server"].stop()
        try:
            plane.wait_for_problem("kubernetes API server", "endpointslices in all namespaces")
            assert plane.ready()
            assert any(informer["stale"] for informer in plane.get("/readyz")["informers"])
        finally:
            cluster.parts["api-server"].go_on()
        namespace.publish([second])
        load.settle(second)
        plane.wait_for_no_problem()
    assert load.failures == []


def test_a_link_that_drops_everything_is_noticed_by_keepalive(
    cluster: Cluster,
    namespace: Namespace,
    open_backends: Open,
    steer: Steer,
    connect: Connect,
    tmp_path: Path,
) -> None:
    """No FIN and no RST arrives. With a silence of an hour only keepalive can end the watches."""
    first, second = open_backends(2)
    namespace.publish([first])
    with Forwarder(API_SERVER.removeprefix("https://"), _FAR) as forwarder:
        file = kubeconfig.write(
            tmp_path / "far.kubeconfig",
            f"https://{forwarder.address}",
            cluster.commands.certificate,
            {"token": cluster.token},
            server_name=SERVER_NAME,
        )
        plane = steer("--watch-idle-timeout-seconds", "3600", kubeconfig=file)
        channel = connect(plane).dial(namespace.target())
        with channel.load() as load:
            load.settle(first)
            with cluster.network.dropped(_FAR):
                plane.wait_for_problem(f"kubernetes API server https://{forwarder.address}", "cannot watch")
                assert plane.ready()
                namespace.publish([second])
            load.settle(second)
        assert load.failures == []
