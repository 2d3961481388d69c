"""Certificates of workloads: what keeps pods from getting them, with the fix."""

from datetime import timedelta
from typing import Any

import pytest

from steerway.kubecheck.context import Context
from steerway.kubecheck.result import Level
from steerway.kubecheck.section import workload
from testbed.certificate import Authority
from tests.unit.kubecheck.api import Manifest, context

_GROUP = "/apis/certificates.k8s.io/v1"
_BUNDLE = f"{_GROUP}/clustertrustbundles/steerway.io:spiffe:roots"
_INJECTED = {
    "injection": {"listen": "0.0.0.0:9443", "servers": ["steerway:18000"], "certificates": True},
}
SERVED = (_GROUP, {"resources": [{"name": "podcertificaterequests"}, {"name": "clustertrustbundles"}]})


def deployment(ready: int) -> tuple[str, Manifest]:
    path = "/apis/apps/v1/namespaces/mesh/deployments/steerway-signer"
    return path, {"metadata": {"name": "steerway-signer"}, "status": {"readyReplicas": ready}}


def request(name: str, age: timedelta, made: Context, **status: Any) -> tuple[str, Manifest]:
    created = (made.now - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": created}
    manifest = {"metadata": metadata, "spec": {"signerName": "steerway.io/spiffe"}, "status": status}
    return f"{_GROUP}/podcertificaterequests/{name}", manifest


def bundle(*roots: bytes) -> tuple[str, Manifest]:
    return _BUNDLE, {"spec": {"trustBundle": b"".join(roots).decode()}}


@pytest.mark.parametrize("check", [workload.api, workload.signer, workload.roots])
async def test_nothing_is_checked_without_certificates(check: Any) -> None:
    """A cluster of an older version is supported."""
    made, _ = await context()
    (result,) = await check(made)
    assert result.level is Level.SKIPPED


async def test_an_api_server_without_the_kinds() -> None:
    made, _ = await context(settings=_INJECTED)
    (failure,) = await workload.api(made)
    assert failure.level is Level.ERROR
    assert "does not serve PodCertificateRequest, ClusterTrustBundle" in failure.text
    assert "Kubernetes 1.37" in failure.hint
    made, _ = await context(SERVED, settings=_INJECTED)
    (result,) = await workload.api(made)
    assert result.level is Level.OK


async def test_the_signer_is_ready() -> None:
    made, _ = await context(SERVED, deployment(2))
    assert [result.text for result in await workload.signer(made)] == [
        "the signer mesh/steerway-signer has 2 ready replicas"
    ]
    made, _ = await context(SERVED, deployment(0))
    (failure,) = await workload.signer(made)
    assert (failure.level, "no replica that is ready" in failure.text) == (Level.ERROR, True)
    made, _ = await context(SERVED, settings=_INJECTED)
    (result,) = await workload.signer(made)
    assert (result.level, result.text) == (Level.WARNING, "namespace mesh has no signer")


async def test_requests_that_wait_are_named() -> None:
    """But not new ones, nor those with an answer."""
    made, api = await context(SERVED, deployment(1))
    issued = {"conditions": [{"type": "Issued", "status": "True"}]}
    old, new = timedelta(minutes=5), timedelta(seconds=5)
    api.objects |= dict([request("a", old, made), request("b", new, made), request("c", old, made, **issued)])
    _, result = await workload.signer(made)
    assert result.text == "requests of certificates wait for an answer: shop/a"


async def test_the_newest_root_counts() -> None:
    """During a rotation there are two."""
    week, year = Authority(end=timedelta(days=7)), Authority(end=timedelta(days=365))
    for roots, level in (
        ([week.certificate, year.certificate], Level.OK),
        ([week.certificate], Level.OK),
        ([], Level.ERROR),
    ):
        made, _ = await context(SERVED, deployment(1), bundle(*roots))
        (result,) = await workload.roots(made)
        assert result.level is level, result
    made, _ = await context(SERVED, deployment(1))
    (failure,) = await workload.roots(made)
    assert failure.text.startswith("ClusterTrustBundle steerway.io:spiffe:roots does not exist")
