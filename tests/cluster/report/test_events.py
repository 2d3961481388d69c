"""A real API server takes the Events and the Lease as they are written."""

from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest, service
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Steer

pytestmark = NEEDS_CLUSTER


def test_a_bad_service_has_an_event_from_the_holder_of_the_lease(namespace: Namespace, steer: Steer) -> None:
    """The next holder counts the same Event up; the Lease changes hands when its holder ends."""
    bad = service("bad", {"": 80}, namespace=namespace.name, type="ExternalName", externalName="10.0.0.1")
    namespace.api.apply(bad)

    def events() -> list[Manifest]:
        return [
            item
            for item in namespace.api.list("Event", namespace.name)
            if item["involvedObject"]["name"] == "bad"
        ]

    own = ("--lease-namespace", namespace.name)
    first = steer(*own)
    (event,) = until(events, "an Event")
    result = namespace.api.get("Service", namespace.name, "bad")
    assert event["involvedObject"]["uid"] == result["metadata"]["uid"]
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "NotServed", 1)
    assert "externalName 10.0.0.1 is an IP address" in event["message"]
    second = steer(*own)
    until(second.ready, "the second replica")
    holder = namespace.api.get("Lease", namespace.name, "steerway")["spec"]["holderIdentity"]
    first.stop()
    until(lambda: second.metric("steerway_lease_held") == 1, "the second replica to take over")
    lease = namespace.api.get("Lease", namespace.name, "steerway")["spec"]
    assert lease["holderIdentity"] not in ("", holder)
    until(lambda: [event["count"] for event in events()] == [2], lambda: f"one Event, twice: {events()}")
