"""The parts of the signer: build them, run them until a signal.

The replica with the Lease keeps the CA, answers requests and writes Events. All replicas follow the requests, so that
another one goes on at once.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from steerway import telemetry
from steerway.config import Settings
from steerway.control.part import wait_first
from steerway.control.signer.application import PROBES, application
from steerway.http import Hosts, HttpLimits, HttpServer
from steerway.log import setup
from steerway.report.events import EventQueue, EventWriter
from steerway.report.holder import LeaseHolder
from steerway.runtime.isolation import isolated
from steerway.runtime.signals import Signals
from steerway.signer.authority.bundle import TrustBundle
from steerway.signer.authority.keeper import CaKeeper
from steerway.signer.authority.rotation import Periods
from steerway.signer.authority.state import Authority
from steerway.signer.issuer import Issuer
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.informer import Informer
from steerway.sources.kubernetes.namespace import detect_namespace
from steerway.sources.kubernetes.outage import Outages
from steerway.sources.kubernetes.resource import PODS, certificate_requests
from steerway.sources.kubernetes.watcher import Watcher
from steerway.sources.store import Batch, Problem

log = structlog.get_logger()

_LOOK_SECONDS = 2.0
"""Between two looks at the CA."""
_INACTIVE_SECONDS = 0.5
_EVENTS_SECONDS = 1.0
_REASON = "CertificateNotIssued"
_GRANT = "let it get, create and update leases of coordination.k8s.io in its namespace"


def run(settings: Settings, announce: Callable[[str], None]) -> int:
    """Issue until SIGTERM or SIGINT; returns the exit code. `announce` gets a line with the bound address.

    Raises SourceError without a usable configuration of an API server, and ListenError.
    """
    return asyncio.run(Signer(settings).serve(announce))


class Signer:
    """The parts and their connections."""

    def __init__(self, settings: Settings) -> None:
        """Raises SourceError."""
        kubernetes, signer, identity = settings.kubernetes, settings.signer, settings.identity
        access = Access.find(kubernetes.kubeconfig, kubernetes.context)
        self._client = KubernetesClient(access)
        self._namespace = signer.secret_namespace or detect_namespace(
            os.environ, access.kubeconfigs, access.context
        )
        name = f"{socket.gethostname()}_{secrets.token_hex(4)}"
        self._holder = LeaseHolder(self._client, self._namespace, signer.lease_name, name, _GRANT)
        leaf = timedelta(seconds=signer.leaf_seconds)
        periods = Periods(
            leaf,
            timedelta(days=signer.intermediate_days),
            timedelta(days=signer.root_days),
            timedelta(seconds=signer.propagation_seconds),
        )
        bundle = TrustBundle(identity.signer_name)
        self._keeper = CaKeeper(bundle, signer.secret, signer.ca_secret, periods)
        self._issuer = Issuer(self._authority, identity.trust_domain, identity.signer_name, leaf)
        self._events = EventWriter(self._client, name)
        self._informer_problems: dict[str, Sequence[Problem]] = {}
        outages = Outages(self._apply, lambda: self._client.server, log)
        self._informer = Informer(
            certificate_requests(identity.signer_name),
            None,
            self._client,
            self._apply,
            outages,
            Watcher(kubernetes.watch_idle_timeout_seconds),
            stale_seconds=kubernetes.stale_seconds,
        )
        self._server = _server(
            settings, self._informer.settled.is_set, lambda: self._holder.active, self.problems
        )

    def problems(self) -> list[Problem]:
        """Why certificates are not issued."""
        problems = [problem for several in self._informer_problems.values() for problem in several]
        if self._informer.absent:
            problems.append(_ABSENT)
        if self._issuer.problem is not None:
            problems.append(self._issuer.problem)
        return [*problems, *self._keeper.problems.values()]

    async def serve(self, announce: Callable[[str], None]) -> int:
        """Start, run until a signal. A certificate that is being issued is finished or left to the next replica."""
        parts = {
            "lease": self._holder.run(),
            "requests": self._informer.run(),
            "CA": self._keep(),
            "issuer": self._issuer.run(self._client),
            "Events": self._write_events(),
            "log summaries": setup.summarize(),
        }
        telemetry.follow_tasks(asyncio.get_running_loop())
        tasks: list[asyncio.Task[None]] = []
        with Signals() as signals:
            try:
                announce(f"signer on http://{await self._server.start()}")
                tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
                await wait_first(signals.first, tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._server.stop()
                await self._client.close()
        log.info("stopped")
        return 0

    def _authority(self) -> Authority | None:
        return self._keeper.authority if self._holder.active else None

    def _apply(self, batch: Batch) -> None:
        self._informer_problems.update(batch.problems)
        self._issuer.apply(batch)

    async def _keep(self) -> None:
        """Keep the CA while this replica has the Lease."""
        while True:
            if self._holder.active:
                with isolated("signer"):
                    await self._keeper.look(self._client, self._namespace)
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                self._keeper.forget()
                await asyncio.sleep(_INACTIVE_SECONDS)

    async def _write_events(self) -> None:
        """Events about Pods that wait for a certificate."""
        queue = EventQueue((PODS,), _REASON)
        while True:
            await asyncio.sleep(_EVENTS_SECONDS)
            if not self._holder.active:
                queue = EventQueue((PODS,), _REASON)
                continue
            queue.look(self._issuer.doubts(), time.monotonic())
            while self._holder.active and (report := queue.next()) is not None:
                await self._events.write(report)


_ABSENT = Problem(
    "kubernetes API server",
    "has no PodCertificateRequest in certificates.k8s.io/v1, so that no certificate is issued",
    "update Kubernetes to 1.37 or later; it is looked for once a minute",
)


def _server(
    settings: Settings,
    ready: Callable[[], bool],
    active: Callable[[], bool],
    problems: Callable[[], Sequence[Problem]],
) -> HttpServer:
    limits = HttpLimits(
        connections=settings.signer.max_connections,
        request_timeout_seconds=settings.http_request_timeout_seconds,
        idle_timeout_seconds=settings.http_idle_timeout_seconds,
    )
    listen = settings.signer.listen
    hosts = Hosts([listen.rpartition(":")[0], *settings.admin_hosts])
    served = application(ready, active, problems)
    return HttpServer(
        listen, served, "--signer-listen", name="signer", limits=limits, probes=PROBES, hosts=hosts
    )
