"""Installations with different filters on one API server: each writes what is in its scope, and nothing flips."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.api_server import ApiServer
from testbed.manifest import Manifest, service
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes

KINDS = ("GRPCRoute", "TrafficPolicy")
GATEWAY = "gateway.networking.k8s.io"


def objects() -> Iterator[Manifest]:
    """Services `web`, `pay` and `spare`; a route of both and one of each; a policy of both."""
    yield from (service(name, {"": 80}, namespace="shop") for name in ("web", "pay", "spare"))
    refs = [{"group": "", "kind": "Service", "name": name} for name in ("web", "pay")]
    for name, parents in (("both", refs), ("of-web", refs[:1]), ("of-pay", refs[1:])):
        yield {
            "apiVersion": f"{GATEWAY}/v1",
            "kind": "GRPCRoute",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"parentRefs": parents, "rules": [{"backendRefs": [{"name": "spare", "port": 80}]}]},
        }
    yield {
        "apiVersion": "steerway.io/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": {"name": "both", "namespace": "shop"},
        "spec": {"targetRefs": refs, "subset": {"min": 3}},
    }


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path / "kubeconfig")
    server.put(*objects())
    yield server
    server.close()


def steer(processes: Processes, server: ApiServer, *options: str) -> ControlPlane:
    kubernetes = ["--kubernetes", "--kubeconfig", str(server.kubeconfig), "--namespace", "all"]
    return ControlPlane(processes, [*kubernetes, "--lease-namespace", "ops", *options])


def conditions_of(server: ApiServer) -> dict[tuple[str, str, str], set[str]]:
    """Of each reference of each object what stands in its status."""
    return {
        (kind, obj["metadata"]["name"], entry.get("parentRef", entry.get("ancestorRef"))["name"]): {
            f"{condition['type']}={condition['status']} {condition['reason']}"
            for condition in entry["conditions"]
        }
        for kind in KINDS
        for obj in server.objects(kind)
        for entry in next(iter(obj.get("status", {}).values()), [])
    }


def versions(server: ApiServer) -> list[str]:
    return [obj["metadata"]["resourceVersion"] for kind in KINDS for obj in server.objects(kind)]


def test_statuses_of_different_scopes_do_not_flip(processes: Processes, api_server: ApiServer) -> None:
    """Two filtered installations and one without filters: three Leases, one opinion."""
    web = steer(processes, api_server, "--upstream-service", "web", "--upstream-service", "nope")
    good = {"Accepted=True Accepted", "Programmed=True Programmed"}
    routed = good | {"ResolvedRefs=True ResolvedRefs"}
    of_web = {
        ("GRPCRoute", "both", "web"): routed,
        ("GRPCRoute", "of-web", "web"): routed,
        ("TrafficPolicy", "both", "web"): good,
    }
    of_pay = {
        (kind, name.replace("of-web", "of-pay"), "pay"): expected
        for (kind, name, _), expected in of_web.items()
    }
    until(lambda: conditions_of(api_server) == of_web, lambda: f"{conditions_of(api_server)}")
    (problem,) = web.problems()
    assert (problem["where"], problem["reason"]) == ("setting upstream_services", "nope matches no Service")
    assert any("filter_matches_nothing" in line for line in web.process.errors)
    answer = web.get("/api/v1/explain?target=pay.shop")
    assert "upstream_services" in answer["error"]
    pay = steer(processes, api_server, "--upstream-service", "shop/pay")
    until(lambda: conditions_of(api_server) == of_web | of_pay, lambda: f"{conditions_of(api_server)}")
    written = versions(api_server)
    everything = steer(processes, api_server)
    planes = (web, pay, everything)
    until(
        lambda: everything.metric("steerway_statuses_written_total", result="unchanged") >= 4,
        "the installation without filters to look at all four",
    )
    assert versions(api_server) == written
    leases = [lease["metadata"]["name"] for lease in api_server.objects("Lease")]
    assert len(set(leases)) == 3
    assert "steerway" in leases
    broken = {**next(obj for obj in objects() if obj["metadata"]["name"] == "both")}
    broken["spec"] = broken["spec"] | {"rules": [{"backendRefs": [{"name": "gone", "port": 80}]}]}
    api_server.put(broken)
    unresolved = {"Accepted=True Accepted", "Programmed=False Invalid", "ResolvedRefs=False BackendNotFound"}
    expected = of_web | of_pay | {("GRPCRoute", "both", name): unresolved for name in ("web", "pay")}
    until(lambda: conditions_of(api_server) == expected, lambda: f"{conditions_of(api_server)}")
    for plane in planes:
        plane.stop()
        plane.close()
