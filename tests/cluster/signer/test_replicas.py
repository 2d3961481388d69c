"""Replicas share one Lease and one CA; one that is killed is replaced."""

from testbed.cluster.cluster import Cluster
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.signer.conftest import Signing

pytestmark = NEEDS_CLUSTER


def test_one_of_two_issues_and_the_other_takes_over(signing: Signing) -> None:
    """With the same CA, also for pods that wait when the first is killed."""
    signing.allow()
    first = signing.start()
    until(lambda: first.state()["active"], "the first replica has the Lease")
    second = signing.start()
    until(lambda: second.state()["ready"], "the second replica follows")
    signing.start_pod("one").wait_until_ready()
    assert not second.state()["active"]
    (root,) = signing.wait_for_roots(1)
    first.kill()
    signing.start_pod("two").wait_until_ready()
    assert signing.roots() == [root]
    assert [line["pod"].partition("/")[2] for line in second.events("identity_issued")] == ["two"]
    assert second.events("intermediate_in_use") == []
    second.stop()
    third = signing.start()
    signing.start_pod("three").wait_until_ready()
    assert signing.roots() == [root]
    third.stop()


def test_the_signer_outlives_an_outage_of_the_api_server(signing: Signing, cluster: Cluster) -> None:
    """And issues for pods that were created during a time without a signer."""
    signing.allow()
    replica = signing.start()
    signing.start_pod("before").wait_until_ready()
    cluster.kill_api_server()
    until(lambda: replica.state()["problems"], "a problem")
    cluster.start_api_server()
    signing.start_pod("after").wait_until_ready()
    until(lambda: replica.state()["problems"] == [], lambda: f"no problem: {replica.state()}")
    replica.stop()
