"""Answers requests, in the replica that holds the Lease: a certificate, a denial, or none yet.

An answer is one PATCH of the status, with the UID of the request. A status that is final already is refused by the API
server, so that two writers never answer twice. After a refusal the request waits for its next turn, or for the event
that shows its final status.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import structlog

from steerway import telemetry
from steerway.catalog.model.identity import spiffe_id
from steerway.errors import SourceError
from steerway.runtime.isolation import isolated
from steerway.signer.authority.state import Authority
from steerway.signer.backlog import Backlog, Entry
from steerway.signer.csr import SubjectKey, key_type
from steerway.signer.decision import Denied, Pending, admitted, doubt
from steerway.signer.lookup import Lookup
from steerway.signer.permission import cluster_rules
from steerway.signer.svid import Svid, TooShortError, issue_svid
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.object import problem_of
from steerway.sources.objects.certificate_request import PodCertificateRequest
from steerway.sources.objects.slim import ObjectKey
from steerway.sources.store import Batch, Problem

log = structlog.get_logger()

_AT_ONCE = 16
"""Requests; each is two to four round trips in sequence."""
_LOOK_SECONDS = 0.5
"""Until the Lease and the CA, which are in memory, are looked at again."""
_CA_ENDS = Problem(
    "the CA of workload certificates",
    "expires within an hour, so that no certificate can be issued",
    "renew the CA; one that is made by steerway is renewed in time while a signer runs",
)


class Issuer:
    """`authority`: the CA to issue with; None: not now. `problem`: why the last answer could not be written."""

    def __init__(
        self,
        authority: Callable[[], Authority | None],
        trust_domain: str,
        signer_name: str,
        lifetime: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority = authority
        self._trust_domain = trust_domain
        self._signer_name = signer_name
        self._lifetime = lifetime
        self._clock = clock
        self._backlog = Backlog()
        self._changed = asyncio.Event()
        self._rule = "; ".join(map(str, cluster_rules(signer_name))) + " to the rules of its ClusterRole"
        self.problem: Problem | None = None

    def apply(self, batch: Batch) -> None:
        """Requests were added, changed or deleted."""
        for request in batch.put:
            assert isinstance(request, PodCertificateRequest)
            self._backlog.put(request, self._clock())
        for key in batch.delete:
            self._backlog.remove(key)
        self._count()
        self._changed.set()

    def doubts(self) -> Iterator[Problem]:
        """Why requests are pending, by Pod: for Events. Requests that the API server did not answer are not among
        them."""
        for entry in self._backlog:
            if (pending := entry.pending) is not None:
                pod = ObjectKey("Pod", entry.request.metadata.namespace, entry.request.spec.pod_name)
                reason = f"no certificate from {self._signer_name}: {pending.reason}"
                yield Problem(str(pod), reason, pending.fix, pod)

    async def run(self, client: KubernetesClient) -> None:
        """Answer until cancelled."""
        lookup = Lookup(client, self._clock)
        slots = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                entry = self._backlog.take(self._clock()) if self._authority() else None
                if entry is None:
                    await self._wait()
                    continue
                await slots.acquire()
                task = tasks.create_task(self._answer(entry, client, lookup))
                task.add_done_callback(lambda _: slots.release())

    async def _wait(self) -> None:
        due = self._backlog.next_due()
        pause = _LOOK_SECONDS if due is None else min(_LOOK_SECONDS, max(0.0, due - self._clock()))
        try:
            async with asyncio.timeout(pause or _LOOK_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _answer(self, entry: Entry, client: KubernetesClient, lookup: Lookup) -> None:
        """One attempt at one request."""
        with isolated("certificate_request", object=str(entry.request.key)) as run:
            await self._attempt(entry, client, lookup)
        if run.failure:
            self._postpone(entry, "failed")
        self._count()

    async def _attempt(self, entry: Entry, client: KubernetesClient, lookup: Lookup) -> None:
        request = entry.request
        key = admitted(request)
        try:
            if isinstance(key, Denied):
                await self._deny(entry, key, client)
                return
            pending = doubt(request, await lookup.objects(request))
            if pending is not None:
                self._keep_pending(entry, pending)
                return
            await self._issue(entry, key, client)
        except SourceError as error:
            self._failed(entry, error, client)
        else:
            self.problem = None

    async def _issue(self, entry: Entry, key: SubjectKey, client: KubernetesClient) -> None:
        request = entry.request
        authority = self._authority()
        if authority is None:  # the Lease was lost meanwhile
            self._backlog.postpone(entry, self._clock())
            return
        requested = timedelta(seconds=request.spec.max_expiration_seconds)
        name = spiffe_id(self._trust_domain, request.metadata.namespace, request.spec.service_account_name)
        try:
            svid = issue_svid(authority, key, name, datetime.now(UTC), min(self._lifetime, requested))
        except TooShortError:
            self.problem = _CA_ENDS
            self._postpone(entry, "failed")
            return
        await self._write(client, request, _issued(svid))
        self._finish(entry, "issued")
        telemetry.SIGNER_LATENCY.observe(self._clock() - entry.arrived)
        log.info(
            "identity_issued",
            **_about(request),
            spiffe_id=name,
            serial=f"{svid.serial:x}",
            key=key_type(key),
            not_after=svid.not_after.isoformat(),
        )

    async def _deny(self, entry: Entry, denial: Denied, client: KubernetesClient) -> None:
        await self._write(client, entry.request, _condition("Denied", denial.reason, denial.message))
        self._finish(entry, "denied")
        log.warning("identity_denied", **_about(entry.request), reason=denial.reason, hint=denial.message)

    def _keep_pending(self, entry: Entry, pending: Pending) -> None:
        if pending != entry.pending:
            log.info("identity_pending", **_about(entry.request), reason=pending.reason, hint=pending.fix)
        self._postpone(entry, "pending", pending)

    def _failed(self, entry: Entry, error: SourceError, client: KubernetesClient) -> None:
        status = error.failure.status if isinstance(error, RequestError) else None
        if status == HTTPStatus.NOT_FOUND:
            self._backlog.answer(entry)  # the request is gone
            return
        where = f"signer {self._signer_name}"
        problem = problem_of(where, error, self._rule, client.server)
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            problem = Problem(where, str(error), self._refusal_hint(str(error)))
        if problem != self.problem:
            log.warning(
                "identity_not_issued", **_about(entry.request), reason=problem.reason, hint=problem.hint
            )
        self.problem = problem
        self._postpone(entry, "failed")

    def _refusal_hint(self, refusal: str) -> str:
        """For an answer that the API server does not accept (PodCertificateRequest v1)."""
        if "not permitted" in refusal:  # a missing permission to sign is no 403
            return f"grant it: add {self._rule}"
        if "current time" in refusal:
            return "correct the clock of this host, which differs from that of the API server by minutes"
        return "nothing to do if another replica has answered; it is tried again"

    def _finish(self, entry: Entry, result: str) -> None:
        self._backlog.answer(entry)
        telemetry.SIGNER_REQUESTS.labels(result).inc()

    def _postpone(self, entry: Entry, result: str, pending: Pending | None = None) -> None:
        telemetry.SIGNER_REQUESTS.labels(result).inc()
        self._backlog.postpone(entry, self._clock(), pending)

    def _count(self) -> None:
        telemetry.SIGNER_PENDING.set(len(self._backlog))

    async def _write(
        self, client: KubernetesClient, request: PodCertificateRequest, status: dict[str, Any]
    ) -> None:
        metadata = request.metadata
        path = f"/apis/certificates.k8s.io/v1/namespaces/{metadata.namespace}/podcertificaterequests"
        body = {"metadata": {"uid": metadata.uid}, "status": status}
        await client.patch(f"{path}/{metadata.name}/status", body)


def _about(request: PodCertificateRequest) -> dict[str, str]:
    """Fields of a log line."""
    spec, namespace = request.spec, request.metadata.namespace
    return {
        "request": f"{namespace}/{request.metadata.name}",
        "pod": f"{namespace}/{spec.pod_name}",
        "pod_uid": spec.pod_uid,
        "service_account": f"{namespace}/{spec.service_account_name}",
        "node": spec.node_name,
    }


def _issued(svid: Svid) -> dict[str, Any]:
    times = {
        "notBefore": svid.not_before,
        "notAfter": svid.not_after,
        "beginRefreshAt": svid.begin_refresh,
    }
    return {
        "certificateChain": svid.chain.decode(),
        **{key: _time(time) for key, time in times.items()},
        **_condition("Issued", "Issued", "the certificate is issued"),
    }


def _condition(kind: str, reason: str, message: str) -> dict[str, Any]:
    condition = {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": _time(datetime.now(UTC)),
    }
    return {"conditions": [condition]}


def _time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
