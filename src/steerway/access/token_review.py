"""Service-account tokens, verified by the API server that gave them (TokenReview).

The API server knows what no signature tells: that the pod or the account of a token is gone. It is asked once per token
and then again when the verdict is `cache_seconds` old. A token that is asked for by many streams at once is one
question; a limited number of questions is open at a time. When the API server does not answer, tokens that it called
good before stay good until they expire; for all others nobody can say, and clients are told to try again.

Source: Kubernetes API reference, TokenReview v1.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import structlog

from steerway import telemetry
from steerway.access import token_claims
from steerway.access.identity import Identity, of_service_account, parse_username
from steerway.access.verdict import Credential, Verdict, refused, unavailable
from steerway.access.verdict_cache import VerdictCache
from steerway.errors import SourceError
from steerway.sources.store import Problem

log = structlog.get_logger()

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
REFUSED_SECONDS = 10.0
"""Life of a bad verdict: short, because it may have been a matter of time (clocks, an account just made)."""
MAX_OPEN = 16
"""Questions to the API server at a time."""
MAX_LIFE_SECONDS = 86_400.0
"""Longest use of a good verdict without the API server, also for tokens that never expire."""
_CURE = "allow create on tokenreviews.authentication.k8s.io (ClusterRole system:auth-delegator), and check the server"


class ApiServer(Protocol):
    """Where questions go."""

    async def post(self, path: str, body: Any) -> bytes:
        """The answer's body. Raises SourceError."""


class TokenReview:
    """Asks the API server; see the module's docstring."""

    method = "service_account"
    accepts = "a service-account token"

    def __init__(
        self,
        server: ApiServer,
        audiences: Sequence[str],
        cache_seconds: float,
        timeout_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`audiences`: at least one; a token must be for one of them. `clock`: seconds since the epoch."""
        self._server = server
        self._audiences = tuple(audiences)
        self._cache_seconds = cache_seconds
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._cache = VerdictCache()
        self._open: dict[bytes, asyncio.Task[Verdict]] = {}
        self._slots = asyncio.Semaphore(MAX_OPEN)
        self.problem: Problem | None = None
        """Why the API server does not answer; None when it does."""

    def reads(self, credential: Credential) -> bool:
        return bool(credential.token)

    def judge(self, credential: Credential) -> Verdict | Awaitable[Verdict]:
        token = credential.token
        key = self._cache.key(token)
        known = self._cache.fresh(key, self._clock())
        if known is not None:
            return known
        try:
            expires = self._plausible(token)
        except ValueError as error:
            return refused(str(error))
        asking = self._open.get(key)
        if asking is None:
            asking = self._open[key] = asyncio.create_task(self._review(token, key, expires))
            asking.add_done_callback(lambda _: self._open.pop(key, None))
        return asyncio.shield(asking)  # others may wait for the same answer

    async def close(self) -> None:
        """Give up every question that is open."""
        tasks = list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _plausible(self, token: str) -> float:
        """When the token expires. ValueError for one that the API server need not be asked about."""
        claims = token_claims.unverified(token)
        now = self._clock()
        expires = token_claims.expiry(claims)
        if expires is not None and expires <= now:
            raise ValueError("the token has expired; clients have to read their token file again")
        found = token_claims.audiences(claims)
        if found and not set(found) & set(self._audiences):
            raise ValueError(token_claims.foreign(found, self._audiences))
        longest = now + MAX_LIFE_SECONDS
        return longest if expires is None else min(expires, longest)

    async def _review(self, token: str, key: bytes, expires: float) -> Verdict:
        """Ask, and keep the answer."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": list(self._audiences)},
        }
        try:
            with telemetry.TOKEN_REVIEW_SECONDS.time():
                async with asyncio.timeout(self._timeout_seconds), self._slots:
                    answer = json.loads(await self._server.post(PATH, body))
            verdict = self._read(answer.get("status") or {})
        except TimeoutError:
            return self._lost(key, f"the API server has not answered within {self._timeout_seconds:g} s")
        except SourceError as error:
            return self._lost(key, str(error))
        except (ValueError, AttributeError):
            return self._lost(key, "the API server's answer is no TokenReview")
        if self.problem is not None:
            log.info("token_review_restored")
            self.problem = None
        now = self._clock()
        if isinstance(verdict, Identity):
            self._cache.accept(key, verdict, now + self._cache_seconds, expires)
        else:
            self._cache.refuse(key, verdict, now + REFUSED_SECONDS)
        return verdict

    def _read(self, status: dict[str, Any]) -> Verdict:
        """What a TokenReviewStatus says."""
        if not status.get("authenticated"):
            return refused(
                f"the API server does not accept the token: {status.get('error') or 'it gives no reason'}"
            )
        # TokenReviewSpec, audiences: who asks for an audience has to check that the server knows what that is.
        if not set(status.get("audiences") or ()) & set(self._audiences):
            return refused(f"the API server says that the token is not for {' or '.join(self._audiences)}")
        username = str((status.get("user") or {}).get("username", ""))
        account = parse_username(username)
        if account is None:
            return refused(f"the token is that of {username!r}, which is no service account")
        return of_service_account(*account)

    def _lost(self, key: bytes, reason: str) -> Verdict:
        """The API server does not answer: what was good stays good."""
        if self.problem is None:
            log.warning("token_review_failed", reason=reason, cure=_CURE)
        self.problem = Problem("kubernetes tokenreviews", f"cannot verify tokens: {reason}", _CURE)
        return self._cache.stale(key, self._clock()) or unavailable(
            f"the token could not be verified: {reason}"
        )
