"""The commands that show a running control plane: two replicas with real clients."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from testbed.backend.backend import Backends
from testbed.manifest import Endpoint, Files, service
from testbed.process.control_plane import ControlPlane, Steer
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.process import Processes, installed
from tests.real.conftest import Connect, by

Ask = Callable[..., Any]
TARGET = "xds:///backend.shop:50051"
pytestmark = by("grpcio")


@pytest.fixture
def planes(files: Files, backends: Backends, steer: Steer) -> list[ControlPlane]:
    """Two replicas with the Service `backend` in two zones, a pod that is not ready, and an invalid Service."""
    first, second = backends.open(2)
    files.publish(
        [Endpoint(first, "eu-1a"), Endpoint(second, "eu-1b"), Endpoint("127.0.0.9:9", "eu-1b", ready=False)]
    )
    wrong = service("wrong", {"grpc": 50051}, type="ExternalName", externalName="10.0.0.7")
    files.write("wrong.yaml", wrong)
    return [steer(), steer()]


def addresses(planes: list[ControlPlane]) -> list[str]:
    return [part for plane in planes for part in ("--address", plane.admin)]


@pytest.fixture
def ask(planes: list[ControlPlane]) -> Ask:
    """Run a command on both replicas; the answer is its JSON."""

    def run(*arguments: str, code: int = 0) -> Any:
        command = [installed("steerway"), *arguments, "-o", "json", *addresses(planes)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        assert (done.returncode, done.stderr) == (code, ""), done
        return json.loads(done.stdout)

    return run


@pytest.fixture
def clients(planes: list[ControlPlane], connect: Connect, ask: Ask) -> None:
    """One at each replica, in sync. The lists of a replica follow its streams one by one, so all are waited for."""
    channels = [
        connect(plane, "--node-id", f"{name}-0", "--zone", "eu-1a").dial(TARGET)
        for plane, name in zip(planes, ("checkout", "web"), strict=True)
    ]
    for channel in channels:
        channel.wait_for_answer()

    def seen() -> bool:
        states = [row["state"] for row in ask("clients", "--nodes")["items"]]
        (row,) = ask("services", "backend")["items"]
        subscribers = ask("describe", "service", "backend.shop")["subscribers"]
        streams = row["clients"]["streams"], sum(item["streams"] for item in subscribers)
        return states == ["in_sync"] * 2 and streams == (2, 2)

    until(seen, "both clients in sync, in every list")


@pytest.mark.usefixtures("clients")
def test_every_list_has_what_both_replicas_have(ask: Ask, planes: list[ControlPlane]) -> None:
    """One client at each; the endpoints of either; the problem once."""
    names = [plane.admin.removeprefix("http://") for plane in planes]
    replicas = ask("status")["replicas"]
    assert [(row["id"], row["ready"], row["services"], row["problems"]) for row in replicas] == [
        (name, True, 1, 1) for name in names
    ]
    (row,) = ask("services", "backend")["items"]
    assert (row["id"], row["clients"]["streams"], row["state"]) == ("shop/backend", 2, "ok")
    assert row["endpoints"]["unready"] == 1
    assert row["replicas"] == dict.fromkeys(names, 1)
    assert [row["id"] for row in ask("clients", "--nodes")["items"]] == ["checkout-0", "web-0"]
    assert [row["id"] for row in ask("clients", "web-*")["items"]] == ["web-0"]
    (problem,) = ask("problems", code=1)["items"]
    assert problem["where"] == "Service shop/wrong" or "wrong.yaml" in problem["where"]
    assert problem["replicas"] == names


@pytest.mark.usefixtures("clients")
def test_endpoints_are_those_of_the_client(ask: Ask) -> None:
    """Of one connected to the second replica, and with the reason for the pod that it does not get."""
    (target,) = ask("endpoints", TARGET, "--from", "web-0")["targets"]
    (cluster,) = target["clusters"]
    assert len(cluster["endpoints"]) == 2
    assert [row["address"] for row in cluster["left_out"]] == ["127.0.0.9"]
    assert "not ready" in cluster["left_out"][0]["reason"]


@pytest.mark.usefixtures("clients")
def test_objects_are_described(ask: Ask) -> None:
    row = ask("describe", "service", "backend.shop")
    assert sum(item["streams"] for item in row["subscribers"]) == 2
    (client,) = ask("describe", "client", "checkout-0")["items"]
    (stream,) = client["stream_details"]
    statuses = {part["type"]: part["resources"][0]["status"] for part in stream["types"]}
    assert sorted(statuses) == ["cds", "eds", "lds", "rds"]


@pytest.mark.usefixtures("clients")
def test_a_change_is_listed_and_watched(
    ask: Ask,
    planes: list[ControlPlane],
    files: Files,
    backends: Backends,
    processes: Processes,
) -> None:
    """At both replicas."""
    command = [installed("steerway"), "services", "--watch", "-o", "json", *addresses(planes)]
    watching = processes.start("steerway services --watch", command)
    watching.wait(lambda: watching.lines, "the list")
    files.publish([*backends.open(1)])

    def row() -> bool:
        return any(json.loads(line)["endpoints"]["total"] == 1 for line in watching.lines)

    watching.wait(row, "the change")

    def replicas() -> set[str]:
        rows = ask("changes", "--service", "shop/backend", "--kind", "change")["items"]
        return {row["replica"] for row in rows}

    until(lambda: len(replicas()) == 2, "the change at both replicas")
