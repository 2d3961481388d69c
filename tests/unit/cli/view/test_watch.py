"""`--watch`: rows that change, from events or by asking again, until the reader leaves."""

import json
import sys
from collections.abc import Iterator

import pytest

from testbed.process.deadline import until
from testbed.process.process import Process, Processes
from tests.support.admin_replica import AdminReplica, Document
from tests.unit.cli.view.conftest import change, listed, node, service, status


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as started:
        yield started


def started(processes: Processes, pair: list[AdminReplica], *arguments: str) -> Process:
    """The command, querying both replicas."""
    addresses = [part for replica in pair for part in ("--address", replica.address)]
    command = [sys.executable, "-m", "steerway", *arguments, "--watch", *addresses]
    return processes.start("steerway", command)


def wait_for(process: Process, *parts: str) -> str:
    """A line with all the parts."""

    def find() -> str:
        return next((line for line in process.lines if all(part in line for part in parts)), "")

    return process.wait(find, f"a line with {parts}")


def test_rows_of_events_are_printed_when_they_change(processes: Processes, pair: list[AdminReplica]) -> None:
    """Ages alone are no change; what a filter leaves out is not printed; a row that goes is noted."""
    for replica in pair:
        replica.documents["/api/v1/services"] = listed(service())
        replica.publish("services", {"reset": True, "put": [service(changed_age_seconds=91.0)], "remove": []})
    process = started(processes, pair, "services", "--namespace", "shop")
    wait_for(process, "shop/backend", "2/3")
    ends = {"healthy": 1, "draining": 1, "unready": 1, "total": 3}
    other = {**service(), "id": "other/x", "namespace": "other"}
    for replica in pair:
        replica.publish("services", {"reset": False, "put": [other, service(endpoints=ends)], "remove": []})
    wait_for(process, "shop/backend", "1/3")
    for replica in pair:
        replica.publish("services", {"reset": False, "put": [], "remove": ["shop/backend"]})
    process.wait(lambda: "note: service shop/backend is gone" in process.errors, "the note")
    rows = [line.split()[3] for line in process.lines if line.startswith("shop/")]
    assert (rows[0], rows[-1]) == ("2/3", "1/3")
    assert not any("other/x" in line for line in process.lines)


def test_without_events_the_list_is_read_again(processes: Processes, pair: list[AdminReplica]) -> None:
    """As from a replica that has no room for another viewer."""
    for replica in pair:
        replica.documents["/api/v1/services"] = listed(service())
    process = started(processes, pair, "services", "-o", "json")
    wait_for(process, '"state":"ok"')
    for replica in pair:
        replica.documents["/api/v1/services"] = listed(service(state="error"))
    assert json.loads(wait_for(process, '"state":"error"'))["id"] == "shop/backend"


def test_changes_go_on_with_the_newest_last(processes: Processes, pair: list[AdminReplica]) -> None:
    """A change whose counts grow is printed again."""
    for replica, name in zip(pair, "ab", strict=True):
        old = change("1", name, "2026-11-30T21:00:00.000Z")
        replica.documents["/api/v1/changes"] = listed(change("2", name, "2026-11-30T21:00:01.000Z"), old)
        replica.publish("changes", {"reset": True, "put": [old], "remove": []})
    process = started(processes, pair, "changes", "-o", "json")
    process.wait(lambda: len(process.lines) >= 4, "four changes")
    assert [json.loads(line)["id"] for line in process.lines[:4]] == ["1", "1", "2", "2"]
    counts = {"sent": 5, "acked": 4, "nacked": 0, "pending": 1, "ended": 0}
    pair[0].publish("changes", {"reset": False, "put": [change("3", "a", clients=counts)], "remove": []})
    wait_for(process, '"id":"3"', '"acked":4')
    pair[0].publish(
        "changes", {"reset": False, "put": [change("3", "a", clients={**counts, "acked": 5})], "remove": []}
    )
    wait_for(process, '"id":"3"', '"acked":5')


def test_status_goes_on(processes: Processes, pair: list[AdminReplica]) -> None:
    for replica in pair:
        replica.documents["/api/v1/status"] = status("x")
        replica.publish("status", status("x", config_age_seconds=1.0))
    process = started(processes, pair, "status")
    wait_for(process, "0.2.0", "yes")
    pair[1].publish("status", status("x", ready=False, phase="draining"))
    assert wait_for(process, "draining").startswith(pair[1].address)
    address = pair[0].address
    pair[0].__exit__(None, None, None)
    assert wait_for(process, "no answer").startswith(address)


def test_a_reader_that_leaves_is_no_crash(processes: Processes, pair: list[AdminReplica]) -> None:
    """`steerway services --watch | head -1` ends."""
    for replica in pair:
        replica.documents["/api/v1/services"] = listed(*(service(f"s{number}") for number in range(2000)))
    addresses = " ".join(f"--address {replica.address}" for replica in pair)
    program = f"{sys.executable} -m steerway services --watch {addresses}"
    line = f"({program}; echo code $? >&2) | head -1"
    process = processes.start("sh", ["/bin/sh", "-c", line])
    process.ended()
    assert process.lines[0].startswith("SERVICE")
    assert process.errors == ["code 141"]


def test_the_rows_of_a_lost_replica_are_dropped(processes: Processes, pair: list[AdminReplica]) -> None:
    """Its streams go to another replica, and would count twice."""
    for replica in pair:
        replica.documents["/api/v1/clients"] = listed(node())
    process = started(processes, pair, "clients", "--nodes", "-o", "json")
    assert json.loads(wait_for(process, '"streams":2'))["id"] == "checkout-1"
    pair[1].documents.clear()
    assert list(json.loads(wait_for(process, '"streams":1,'))["replicas"]) == [pair[0].address]


def test_times_at_any_depth_are_no_change(processes: Processes, pair: list[AdminReplica]) -> None:
    """As those of the informers of a replica."""

    def aged(seconds: float, **fields: object) -> Document:
        informer = {**status("x")["informers"][0], "silent_seconds": seconds}
        return status("x", informers=[informer], **fields)

    for replica in pair:
        replica.documents["/api/v1/status"] = status("x")
        replica.publish("status", aged(1.0))
    process = started(processes, pair, "status", "-o", "json")
    until(lambda: all(replica.viewers for replica in pair), "the events of both")
    for seconds in (2.0, 3.0):
        pair[0].publish("status", aged(seconds, time="2026-11-30T21:00:05.000Z"))
    pair[0].publish("status", aged(4.0, services=7))
    wait_for(process, '"services":7')
    assert sum('"services"' in line and '"id":"' in line for line in process.lines) == 1
