"""Answers that the API server does not accept are tried again, and have a hint."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from steerway.signer.authority.rotation import Periods, advanced
from steerway.signer.authority.state import Authority
from steerway.signer.issuer import Issuer
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.event import Failure
from steerway.sources.store import Batch
from testbed.process.deadline import PATIENCE_SECONDS
from tests.unit.signer.test_decision import SIGNER, request

DAY = timedelta(days=1)


class ApiServer:
    """Has the objects of `request`; refuses as many answers as there are `failures`, the first ones first."""

    server = "https://api"

    def __init__(self, *failures: Failure) -> None:
        self._failures = [*failures]
        self.statuses: list[dict[str, Any]] = []
        self.reads: list[str] = []
        self.answered = asyncio.Event()

    async def get(self, path: str, _query: Mapping[str, str]) -> bytes:
        self.reads.append(path)
        source = {"podCertificate": {"signerName": SIGNER}}
        spec = {
            "nodeName": "node",
            "serviceAccountName": "cart",
            "volumes": [{"projected": {"sources": [source]}}],
        }
        uids = {"pods": "p1", "serviceaccounts": "a1", "nodes": "n1"}
        return json.dumps({"metadata": {"uid": uids[path.split("/")[-2]]}, "spec": spec}).encode()

    async def patch(self, path: str, body: Mapping[str, Any]) -> bytes:
        assert path.endswith("/namespaces/shop/podcertificaterequests/cart-1/status")
        assert body["metadata"] == {"uid": "r1"}
        if self._failures:
            raise RequestError(self._failures.pop(0))
        self.statuses.append(body["status"])
        self.answered.set()
        return b""


def authority() -> Authority:
    periods = Periods(DAY, 30 * DAY, 365 * DAY, DAY)
    return advanced(None, datetime.now(UTC).replace(microsecond=0), periods, frozenset()).authority


@contextlib.asynccontextmanager
async def issuing(server: ApiServer, *requests: Any) -> Any:
    ca = authority()
    issuer = Issuer(lambda: ca, "mesh.example", SIGNER, DAY)
    issuer.apply(Batch(put=requests))
    task = asyncio.create_task(issuer.run(cast(KubernetesClient, server)))
    try:
        yield issuer
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def wait(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await event.wait()


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ('User "x" is not permitted to "sign" for signer', "'resources': ['signers']"),
        ("must be set to within 5 minutes of kube-apiserver's current time", "correct the clock"),
        ("immutable after PodCertificateRequest is issued", "another replica"),
    ],
)
async def test_a_refused_answer_is_tried_again(message: str, hint: str) -> None:
    server = ApiServer(Failure(422, "Invalid", message))
    problems = []
    async with issuing(server, request()) as issuer:
        while not server.answered.is_set():
            if issuer.problem and issuer.problem not in problems:
                problems.append(issuer.problem)
            await asyncio.sleep(0.01)
    assert [hint in problem.hint for problem in problems] == [True]
    assert issuer.problem is None
    (status,) = server.statuses
    assert [condition["type"] for condition in status["conditions"]] == ["Issued"]


async def test_a_request_that_is_gone_is_dropped() -> None:
    server = ApiServer(Failure(404, "NotFound"))
    async with issuing(server, request()) as issuer:
        while not any("/pods/" in path for path in server.reads):  # noqa: ASYNC110 - it can only be read
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    assert issuer.problem is None
    assert not server.statuses


async def test_a_denial_needs_no_objects() -> None:
    server = ApiServer()
    async with issuing(server, request(stubPKCS10Request=b"none")):
        await wait(server.answered)
    assert not server.reads
    (status,) = server.statuses
    assert set(status) == {"conditions"}
    assert status["conditions"][0]["type"] == "Denied"
