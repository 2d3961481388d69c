"""Keeps the Secret and the `caBundle` of the webhook up to date, in the replica that holds the Lease.

Both are looked at every few seconds rather than watched: the state of both decides, others change them rarely, and the
next look repeats a failed write.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from steerway.certificate.pair import UnusableError
from steerway.errors import SourceError
from steerway.injection.certificate.follower import NEW_CERTIFICATE, rule_of
from steerway.injection.certificate.material import Material
from steerway.injection.certificate.rotation import rotated
from steerway.injection.certificate.webhook import Webhook
from steerway.runtime.isolation import isolated
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.object import problem_of, read, write_secret
from steerway.sources.store import Problem

log = structlog.get_logger()

LOOK_SECONDS = 5.0
_INACTIVE_SECONDS = 0.5
"""Until the Lease is looked at again, which is in memory."""


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class Keeper:
    """`service` and `secret` are names of objects in the own namespace. `problems`: by the object that is not kept."""

    def __init__(
        self,
        webhook: Webhook,
        service: str,
        secret: str,
        cluster_domain: str,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._webhook = webhook
        self._service, self._secret = service, secret
        self._cluster_domain = cluster_domain
        self._now = now
        self.problems: dict[str, Problem] = {}

    async def run(self, client: KubernetesClient, active: Callable[[], bool], namespace: str) -> None:
        """Keep until cancelled, while `active`."""
        while True:
            if active():
                with isolated("injection_certificate"):
                    await self.look(client, namespace)
                await asyncio.sleep(LOOK_SECONDS)
            else:
                self.problems.clear()
                self._webhook.forget()
                await asyncio.sleep(_INACTIVE_SECONDS)

    async def look(self, client: KubernetesClient, namespace: str) -> None:
        """Write what is due, once. The `caBundle` is first: a certificate is trusted before it is in use."""
        where, rule = f"Secret {namespace}/{self._secret}", rule_of(self._secret, namespace)
        path = f"/api/v1/namespaces/{namespace}/secrets"
        try:
            stored = await read(client, f"{path}/{self._secret}")
            data = (stored or {}).get("data") or {}
            present = Material.decode(data) if data else None
        except UnusableError as error:
            self._failed(Problem(where, str(error), NEW_CERTIFICATE))
            return
        except SourceError as error:
            self._failed(problem_of(where, error, rule, client.server))
            return
        wanted = await self._trusted(client, namespace, present)
        try:
            if wanted != present:
                await self._write(client, path, namespace, stored, wanted)
                log.info("certificate_issued", where=where)
        except SourceError as error:
            create = f"{rule}, and create without resourceNames"
            self._failed(problem_of(where, error, create, client.server))
        else:
            self.problems.pop(where, None)

    async def _trusted(self, client: KubernetesClient, namespace: str, present: Material | None) -> Material:
        """What the Secret is to have. API servers trust it, unless the `caBundle` cannot be written."""
        name = f"{self._service}.{namespace}.svc"
        names = (name, f"{name}.{self._cluster_domain}")
        webhook = self._webhook
        try:
            await webhook.read(client, namespace)
            upcoming = present.upcoming if present is not None else None
            trusted = upcoming is not None and webhook.trusts(upcoming.certificate)
            wanted = rotated(present, names, self._now(), upcoming_trusted=trusted)
            await webhook.trust(client, wanted.trusted, self._now())
        except SourceError as error:
            self._failed(problem_of(webhook.where, error, webhook.rule, client.server))
            return rotated(present, names, self._now(), upcoming_trusted=False)
        self.problems.pop(webhook.where, None)
        return wanted

    async def _write(
        self,
        client: KubernetesClient,
        path: str,
        namespace: str,
        stored: dict[str, Any] | None,
        material: Material,
    ) -> None:
        """Create or replace it; a conflict with another writer is left to the next look."""
        try:
            await write_secret(client, path, stored, namespace, self._secret, material.encode())
        except RequestError as error:
            if error.failure.status != 409:
                raise

    def _failed(self, problem: Problem) -> None:
        if self.problems.get(problem.where) == problem:
            return
        self.problems[problem.where] = problem
        log.warning("certificate_not_kept", where=problem.where, reason=problem.reason, hint=problem.hint)
