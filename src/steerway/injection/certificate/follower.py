"""Watches the Secret: every replica serves the certificate that it has now.

A Secret that is missing or cannot be used is a problem, and the last usable certificate stays in use.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import structlog

from steerway import telemetry
from steerway.certificate.pair import UnusableError
from steerway.errors import SourceError
from steerway.injection.certificate.context import server_context
from steerway.injection.certificate.material import Material
from steerway.runtime.isolation import isolated
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.object import problem_of
from steerway.sources.kubernetes.watcher import Backoff
from steerway.sources.store import Problem

log = structlog.get_logger()

_WATCH_SECONDS = 300
"""A watch is renewed after this time; the list before it finds what was missed."""
_SILENCE_SECONDS = 330.0
NEW_CERTIFICATE = "delete the Secret: steerway issues a new certificate"
"""The fix for a Secret that cannot be used."""


def rule_of(secret: str, namespace: str) -> str:
    """The permission for the Secret, in an RBAC rule."""
    rule = f"{{apiGroups: [''], resources: [secrets], resourceNames: [{secret}], verbs: [get, list, watch, update]}}"
    return f"{rule} to the rules of a Role in namespace {namespace}"


class Follower:
    """`context`: of the last usable certificate; None before the first. `problem`: why the Secret is not in use."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._backoff = Backoff()
        self._serving: tuple[bytes, bytes] | None = None
        self.context: ssl.SSLContext | None = None
        self.taken = asyncio.Event()
        """Set with the first usable certificate."""
        self.problem: Problem | None = None

    async def run(self, client: KubernetesClient, namespace: str) -> None:
        """Follow until cancelled, through all errors of the API server."""
        while True:
            with isolated("injection_certificate"):
                await self._follow(client, namespace)
            await asyncio.sleep(self._backoff.next())

    async def _follow(self, client: KubernetesClient, namespace: str) -> None:
        """Until the watch ends or fails."""
        where = f"Secret {namespace}/{self._name}"
        try:
            async for secret in self._states(client, namespace):
                self._take(where, secret)
                self._backoff.reset()
        except SourceError as error:
            self._failed(problem_of(where, error, rule_of(self._name, namespace), client.server))

    async def _states(self, client: KubernetesClient, namespace: str) -> AsyncIterator[dict[str, Any] | None]:
        """The Secret now, and after each change; None while it does not exist. Raises SourceError."""
        path = f"/api/v1/namespaces/{namespace}/secrets"
        query = {"fieldSelector": f"metadata.name={self._name}"}
        listed = json.loads(await client.get(path, query))
        yield next((item for item in listed["items"] if self._is_ours(item)), None)
        query |= {
            "watch": "true",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        async with client.stream(path, query, _SILENCE_SECONDS) as lines:
            async for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":  # such as 410 Gone: the next list has the state
                    return
                if self._is_ours(event["object"]):
                    yield None if event["type"] == "DELETED" else event["object"]

    def _is_ours(self, secret: dict[str, Any]) -> bool:
        return bool(secret["metadata"]["name"] == self._name)

    def _take(self, where: str, secret: dict[str, Any] | None) -> None:
        if secret is None:
            hint = "nothing to do: the replica that holds the Lease creates it"
            self._failed(Problem(where, "does not exist", hint))
            return
        try:
            material = Material.decode(secret.get("data") or {})
            serving = (material.serving.certificate, material.serving.key)
            if serving != self._serving:
                self.context = server_context(*serving)
                self._serving = serving
                self.taken.set()
                expires = material.serving.x509.not_valid_after_utc
                telemetry.CERTIFICATE_EXPIRY.labels(where).set(expires.timestamp())
                log.info("certificate_taken", where=where, expires=expires.isoformat())
        except (UnusableError, ssl.SSLError) as error:
            self._failed(Problem(where, str(error), NEW_CERTIFICATE))
        else:
            self.problem = None

    def _failed(self, problem: Problem) -> None:
        if problem == self.problem:
            return
        self.problem = problem
        kept = "the last good" if self.context else "none"
        log.warning(
            "certificate_not_taken",
            where=problem.where,
            reason=problem.reason,
            hint=problem.hint,
            kept=kept,
        )
