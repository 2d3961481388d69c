"""Keeps the Secret and the ClusterTrustBundle up to date, in the replica that holds the Lease.

Both are looked at every few seconds rather than watched: the state of both decides, and the next look repeats a failed
write. A certificate is issued only by a CA that the Secret has and whose root the bundle has.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import structlog

from steerway import telemetry
from steerway.certificate.pair import UnusableError, parsed
from steerway.errors import SourceError
from steerway.signer.authority.brought import authority_of
from steerway.signer.authority.bundle import TrustBundle
from steerway.signer.authority.rotation import Periods, advanced
from steerway.signer.authority.state import Authority, CaState
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.object import problem_of, read, write_secret
from steerway.sources.store import Problem

log = structlog.get_logger()

ROTATE = "steerway.io/rotate"
"""The annotation of the Secret that requests a new root: each new value requests one."""
_UNUSABLE = "restore the Secret, or delete it: steerway makes a new CA, and workloads trust the former root for a while"
_NO_CA = (
    "create it with the certificate of a CA in tls.crt, its key in tls.key and its root in ca.crt, such as by a"
    " Certificate of cert-manager with isCA, or correct signer.ca_secret"
)

_CA = "CA of workload certificates"
_RENEW = "renew the CA in the Secret of signer.ca_secret; it should live three times as long as signer.leaf_seconds"


class _NotKeptError(Exception):
    """An object could not be used, read or written; the problem is noted."""


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class CaKeeper:
    """`secret` and `ca_secret` (of a CA that is brought; None: it is made here) are names in the own namespace.

    `authority`: the CA to issue with; None while there is none. `problems`: by the object that is not kept.
    """

    def __init__(
        self,
        bundle: TrustBundle,
        secret: str,
        ca_secret: str | None,
        periods: Periods,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._bundle = bundle
        self._secret, self._ca_secret = secret, ca_secret
        self._periods = periods
        self._now = now
        self._brought: Authority | None = None
        self.authority: Authority | None = None
        self.problems: dict[str, Problem] = {}

    def forget(self) -> None:
        """Another replica has the Lease."""
        self.authority = None
        self._brought = None
        self.problems.clear()

    async def look(self, client: KubernetesClient, namespace: str) -> None:
        """Write what is due, once. After a failure the CA stays as it is, and `problems` has the reason."""
        with contextlib.suppress(_NotKeptError):
            await self._look(client, f"/api/v1/namespaces/{namespace}/secrets", namespace)

    async def _look(self, client: KubernetesClient, path: str, namespace: str) -> None:
        """The Secret is written first: a root whose key is lost must not be published. A certificate is issued only
        after its root is published."""
        where, rule = f"Secret {namespace}/{self._secret}", _rule(self._secret, namespace)
        with self._keeping(where, rule, client):
            stored = await read(client, f"{path}/{self._secret}")
            data = (stored or {}).get("data") or {}
            present = CaState.decode(data) if data else None
        brought = await self._read_brought(client, path, namespace)
        bundle = self._bundle
        with self._keeping(bundle.where, bundle.rule, client):
            published = frozenset(await bundle.read(client))
        wanted = advanced(present, self._now(), self._periods, published, brought, _request(stored))
        if wanted != present:
            with self._keeping(where, f"{rule}, and create without resourceNames", client):
                # A conflict is a failure: the next look reads what is there.
                await write_secret(client, path, stored, namespace, self._secret, wanted.encode())
            _report(where, present, wanted)
        with self._keeping(bundle.where, bundle.rule, client):
            if await bundle.write(client, wanted.trusted):
                log.info("roots_published", where=bundle.where, roots=len(wanted.trusted))
        self.authority = wanted.authority
        self._announce(wanted.authority.expires)
        telemetry.SIGNER_CA_EXPIRY.set(wanted.authority.expires.timestamp())

    async def _read_brought(self, client: KubernetesClient, path: str, namespace: str) -> Authority | None:
        """The CA of the other issuer; the last usable one while its Secret cannot be used. None: it is made here."""
        if self._ca_secret is None:
            return None
        where, rule = f"Secret {namespace}/{self._ca_secret}", _rule(self._ca_secret, namespace, "get")
        with contextlib.suppress(_NotKeptError), self._keeping(where, rule, client):
            stored = await read(client, f"{path}/{self._ca_secret}")
            if stored is None:
                raise SourceError("does not exist", _NO_CA)
            self._brought = authority_of(stored.get("data") or {})
        if self._brought is None:
            raise _NotKeptError
        return self._brought

    def _announce(self, expires: datetime) -> None:
        """Note that the CA expires soon. One that is made here is replaced before."""
        if expires - self._now() >= self._periods.leaf:
            self.problems.pop(_CA, None)
            return
        reason = f"expires at {expires.isoformat()}: certificates of workloads end with it"
        self._failed(Problem(_CA, reason, _RENEW))

    def _failed(self, problem: Problem) -> None:
        if self.problems.get(problem.where) != problem:
            self.problems[problem.where] = problem
            log.warning("ca_not_kept", where=problem.where, reason=problem.reason, hint=problem.hint)

    @contextlib.contextmanager
    def _keeping(self, where: str, rule: str, client: KubernetesClient) -> Iterator[None]:
        """Note why an object cannot be used, read or written. Raises _NotKeptError then."""
        try:
            yield
        except UnusableError as error:
            problem = Problem(where, str(error), _UNUSABLE if where.endswith(f"/{self._secret}") else _NO_CA)
        except SourceError as error:
            problem = problem_of(where, error, rule, client.server)
        else:
            self.problems.pop(where, None)
            return
        self._failed(problem)
        raise _NotKeptError


def _request(secret: dict[str, Any] | None) -> str:
    annotations = ((secret or {}).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(ROTATE, ""))


def _report(where: str, before: CaState | None, after: CaState) -> None:
    """Log what has changed in the CA."""
    former = before.authority if before else None
    if former is None or former.root != after.authority.root:
        log.info("root_in_use", where=where, expires=_expiry(after.authority.root))
    if former is None or former.issuer != after.authority.issuer:
        log.info("intermediate_in_use", where=where, expires=_expiry(after.authority.issuer.certificate))
    if after.upcoming and (before is None or before.upcoming is None):
        log.info("root_prepared", where=where, expires=_expiry(after.upcoming.root))
    if before and len(before.retired) > len(after.retired):
        log.info("root_removed", where=where, roots=len(after.trusted))


def _expiry(certificate: bytes) -> str:
    return parsed(certificate).not_valid_after_utc.isoformat()


def _rule(secret: str, namespace: str, verbs: str = "get, update") -> str:
    """The permission for a Secret, in an RBAC rule."""
    rule = f"{{apiGroups: [''], resources: [secrets], resourceNames: [{secret}], verbs: [{verbs}]}}"
    return f"{rule} to the rules of a Role in namespace {namespace}"
