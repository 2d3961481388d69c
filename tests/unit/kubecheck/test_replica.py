"""Pods, versions, what replicas report, and the Lease."""

from typing import Any

import pytest

import steerway
from steerway.errors import SourceError
from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Reader
from steerway.kubecheck.result import Level
from steerway.kubecheck.section import replica
from tests.unit.kubecheck.api import Answers, Api, context, pod

LEASE = "/apis/coordination.k8s.io/v1/namespaces/mesh/leases/steerway"
GOOD = {"version": steerway.__version__, "ready": True, "problems": 0, "states": {"in_sync": 3}}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "no node"}]},
            "not scheduled: no node",
        ),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "x"}}}]},
            "ImagePullBackOff: x",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
                    }
                ]
            },
            "the container ended with exit code 2 (Error)",
        ),
        ({"containerStatuses": [{"state": {"running": {}}}]}, "its readiness probe fails"),
    ],
)
async def test_the_reason_of_a_pod_that_is_not_ready(status: dict[str, Any], reason: str) -> None:
    made, _ = await context(pods=(pod("steerway-a"), pod("steerway-b", **status)))
    (result,) = await replica.pods(made)
    assert result.level is Level.ERROR
    assert result.text == f"pod steerway-b is not ready: {reason}"
    assert result.hint.startswith("kubectl --namespace mesh ")


async def test_versions_that_differ() -> None:
    made, _ = await context()
    made.replicas = Answers(status={"a": GOOD, "b": {**GOOD, "version": "0.0.1"}, "c": SourceError("gone")})
    skew, own = await replica.versions(made)
    assert skew.text == f"replicas have different versions: 0.0.1: b; {steerway.__version__}: a"
    assert own.text == f"this command has version {steerway.__version__}, replicas 0.0.1"


async def test_the_version_of_the_deployment_when_no_replica_answers() -> None:
    made, _ = await context()
    (result,) = await replica.versions(made)
    assert result.text == f"this command has version {steerway.__version__}, replicas 0.0.1"


async def test_what_replicas_report() -> None:
    """A line for each."""
    made, _ = await context()
    bad = {
        **GOOD,
        "ready": False,
        "missing": ["grant services"],
        "states": {"refused": 2},
        "problems": 3,
        "refused": {"max_streams": 4, "max_connections": 0},
    }
    made.replicas = Answers(status={"a": GOOD, "b": bad, "c": SourceError("no answer", "start it")})
    results = await replica.health(made)
    assert [(result.level.value, result.text) for result in results] == [
        ("error", "replica b is not ready: grant services"),
        ("error", "replica b: 2 streams with a refused configuration"),
        ("warning", "replica b reports 3 problems"),
        ("warning", "replica b has refused connections or streams: max_streams (4)"),
        ("warning", "replica c does not answer: no answer"),
    ]
    assert results[-1].hint == "start it"
    made.replicas = Answers(status={"a": GOOD})
    (result,) = await replica.health(made)
    assert result.level is Level.OK


async def test_a_lease_without_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "_POLL_SECONDS", 7.5)

    async def no_wait(_seconds: float) -> None: ...

    monkeypatch.setattr(replica.asyncio, "sleep", no_wait)
    manifest = {
        "metadata": {"resourceVersion": "1"},
        "spec": {"holderIdentity": "steerway-a_1", "renewTime": "2026-01-01T00:00:00Z"},
    }
    made, api = await context((LEASE, manifest))
    (result,) = await replica.lease(made)
    assert result.level is Level.ERROR
    assert "held by steerway-a_1, and not renewed" in result.text
    read = api.get

    async def renewed(path: str, query: Any) -> bytes:
        manifest["metadata"]["resourceVersion"] += "1"
        return await read(path, query)

    api.get = renewed  # type: ignore[method-assign]
    (result,) = await replica.lease(made)
    assert result.text == "Lease mesh/steerway is renewed by steerway-a_1"
    manifest["spec"]["holderIdentity"] = "other_1"
    (result,) = await replica.lease(made)
    assert result.level is Level.WARNING
    assert "no pod of the Deployment" in result.text


async def test_no_lease_is_needed_without_writes() -> None:
    settings = {"kubernetes": {"enabled": True, "namespaces": ["all"], "events": False, "status": False}}
    made, _ = await context(settings=settings)
    (result,) = await replica.lease(made)
    assert result.level is Level.OK


@pytest.mark.parametrize("count", [0, 2])
async def test_a_deployment_is_chosen_by_the_option_of_the_command(count: int) -> None:
    """`steerway check` has its own `--namespace` for manifests."""
    path = "/apis/apps/v1/deployments"
    objects = {
        f"{path}/{number}": {"metadata": {"namespace": f"n{number}", "name": "x"}} for number in range(count)
    }
    client: Any = Api(objects)
    (result,) = await replica.deployment(Context(Reader(client), "", "steerway"))
    assert result.level is Level.ERROR
    assert "--steerway-namespace" in result.hint
