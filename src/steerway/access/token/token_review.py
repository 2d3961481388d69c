"""Service-account tokens, verified by the API server that gave them (TokenReview).

The API server knows what no signature shows: that the pod or the account of a token is gone. It is asked once per token
and then again when the result is `cache_seconds` old. A token that is asked for by many streams at once is one
question. When the API server does not answer, tokens that it called good before stay good until they expire; for all
others the result is unavailable, and clients try again.

Anybody can send tokens, so that the API server is asked about few of them:

1. One that is malformed, unsigned, expired, not valid yet or for another audience is refused at once.
2. Where the cluster publishes its keys, so is one with a bad signature. One whose key is not among them is none of this
   cluster's issuer, or has to be reviewed to know (a key that was just added).
3. Networks of clients take turns, see `FairQueue`. Tokens whose signature is good come before all others, and so do
   those that a review called good before.

Source: Kubernetes API reference, TokenReview v1.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jwt
import structlog

from steerway import telemetry
from steerway.access.fair_queue import FairQueue, QueueFullError
from steerway.access.identity import Identity, of_service_account, parse_username
from steerway.access.result import AuthenticationResult, Credential, Refusal, refused, unavailable
from steerway.access.token import token_claims
from steerway.access.token.key_set import KeySet
from steerway.access.token.result_cache import ResultCache
from steerway.errors import SourceError
from steerway.sources.kubernetes.cause import READ_TIMED_OUT
from steerway.sources.kubernetes.event import Failure
from steerway.sources.kubernetes.hint import request_hint, server_hint
from steerway.sources.store import Problem

log = structlog.get_logger()

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
REFUSED_SECONDS = 10.0
"""Life of a refusal: short, because it may have been a matter of time (clocks, an account just made)."""
MAX_OPEN = 16
"""Questions to the API server at a time."""
MAX_OPEN_BY_NETWORK = 4
"""Of them those for clients of one network."""
RESERVED = 4
"""Of them those that only tokens with a good signature or an earlier acceptance may use."""
MAX_WAITING = 2048
"""Tokens that wait for a question, of those with a good signature and of the others."""
MAX_LIFE_SECONDS = 86_400.0
"""Longest use of an acceptance without the API server, also for tokens that never expire."""
_PERMISSION = "allow create on tokenreviews.authentication.k8s.io (ClusterRole system:auth-delegator)"
_NO_ANSWER = Failure(None, READ_TIMED_OUT)
_UNREADABLE = Failure(None, "unreadable list")
_BUSY = "too many tokens wait for a review"
# The signature alone: times and audiences are checked before, and the API server reviews all else.
_SIGNATURE = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


class ApiServer(Protocol):
    """Where questions go."""

    @property
    def server(self) -> str:
        """Its URL; "" before it is known."""

    async def post(self, path: str, body: Any) -> bytes:
        """The answer's body. Raises SourceError."""


class _Shown(NamedTuple):
    """A token that may be good, and its claims."""

    token: str
    key: bytes
    kid: str
    issuer: object
    expires: float
    network: str


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
        keys: KeySet | None = None,
    ) -> None:
        """`audiences`: at least one; a token must be for one of them. `clock`: seconds since the epoch. `keys`: those
        of the cluster, which are closed with this; None: every signature is left to the API server."""
        self._server = server
        self._audiences = tuple(audiences)
        self._cache_seconds = cache_seconds
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._keys = keys
        self._cache = ResultCache()
        self._open: dict[bytes, asyncio.Task[AuthenticationResult]] = {}
        self._turns = FairQueue(
            MAX_OPEN, by_network=MAX_OPEN_BY_NETWORK, max_waiting=MAX_WAITING, reserved=RESERVED
        )
        self.problem: Problem | None = None
        """Why the API server does not answer; None when it does."""

    def reads(self, credential: Credential) -> bool:
        return bool(credential.token)

    def authenticate(self, credential: Credential) -> AuthenticationResult | Awaitable[AuthenticationResult]:
        key = self._cache.key(credential.token)
        known = self._cache.fresh(key, self._clock())
        if known is not None:
            return known
        try:
            shown = self._check(credential, key)
        except ValueError as error:
            return refused(str(error))
        asking = self._open.get(key)
        if asking is None:
            asking = self._open[key] = asyncio.create_task(self._verify(shown))
            asking.add_done_callback(lambda _: self._open.pop(key, None))
        return asyncio.shield(asking)  # others may wait for the same answer

    async def close(self) -> None:
        """Cancel the reviews that are open."""
        tasks = list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._keys is not None:
            await self._keys.close()

    def _check(self, credential: Credential, key: bytes) -> _Shown:
        """The claims of the token. Raises ValueError for one that needs no review."""
        kid, claims = token_claims.read(credential.token)
        now = self._clock()
        expires = token_claims.check_times(claims, now)
        audiences = token_claims.audiences(claims)
        if audiences and not set(audiences) & set(self._audiences):
            raise ValueError(token_claims.foreign(audiences, self._audiences))
        longest = now + MAX_LIFE_SECONDS
        end = longest if expires is None else min(expires, longest)
        return _Shown(credential.token, key, kid, claims.get("iss"), end, credential.network)

    async def _verify(self, shown: _Shown) -> AuthenticationResult:
        """Check the signature, ask, and keep the answer."""
        waits = True
        try:
            async with asyncio.timeout(self._timeout_seconds):
                signature = await self._check_signature(shown)
                if isinstance(signature, Refusal):
                    return self._keep(shown, signature)
                first = signature or self._cache.stale(shown.key, self._clock()) is not None
                with telemetry.TOKEN_REVIEW_SECONDS.time():
                    async with self._turns.turn(shown.network, first=first):
                        waits = False
                        result = await self._review(shown.token)
        except QueueFullError:
            return unavailable(_BUSY)
        except TimeoutError:
            if waits and self.problem is None:  # the API server is slow at the most
                return unavailable(f"{_BUSY}: this one had no turn within {self._timeout_seconds:g} s")
            reason = f"the API server has not answered within {self._timeout_seconds:g} s"
            return self._lost(shown.key, reason, server_hint(_NO_ANSWER, self._server.server))
        except SourceError as error:
            return self._lost(shown.key, str(error), request_hint(error, _PERMISSION, self._server.server))
        except (ValueError, AttributeError):
            reason = "the API server's answer is no TokenReview"
            return self._lost(shown.key, reason, server_hint(_UNREADABLE, self._server.server))
        if self.problem is not None:
            log.info("token_review_restored")
            self.problem = None
        return self._keep(shown, result)

    async def _check_signature(self, shown: _Shown) -> bool | Refusal:
        """Whether the signature is known to be good; a refusal when the token cannot be. Raises QueueFullError."""
        if self._keys is None:
            return False
        key = await self._keys.find(shown.kid, wait=self._keys.problem is None)
        if key is None:
            if self._keys.issuer and shown.issuer != self._keys.issuer:
                return refused(f"the token was not issued by {self._keys.issuer}")
            return False
        try:
            await self._keys.verify(shown.token, key, shown.network, _SIGNATURE)
        except jwt.PyJWTError as error:
            return refused(f"the token is not good: {error}")
        return True

    async def _review(self, token: str) -> AuthenticationResult:
        """Ask the API server. Raises SourceError, and ValueError or AttributeError for what is no TokenReview."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": list(self._audiences)},
        }
        answer = json.loads(await self._server.post(PATH, body))
        return self._read(answer.get("status") or {})

    def _keep(self, shown: _Shown, result: AuthenticationResult) -> AuthenticationResult:
        now = self._clock()
        if isinstance(result, Identity):
            self._cache.accept(shown.key, result, now + self._cache_seconds, shown.expires)
        else:
            self._cache.refuse(shown.key, result, now + REFUSED_SECONDS)
        return result

    def _read(self, status: dict[str, Any]) -> AuthenticationResult:
        """The result of a TokenReviewStatus."""
        if not status.get("authenticated"):
            return refused(
                f"the API server does not accept the token: {status.get('error') or 'it gives no reason'}"
            )
        # TokenReviewSpec, audiences: a client that asks for an audience has to check that the
        # server knows audiences.
        if not set(status.get("audiences") or ()) & set(self._audiences):
            return refused(
                f"the API server answered that the token is not for {' or '.join(self._audiences)}"
            )
        username = str((status.get("user") or {}).get("username", ""))
        account = parse_username(username)
        if account is None:
            return refused(f"the token is that of {username!r}, which is no service account")
        return of_service_account(*account)

    def _lost(self, key: bytes, reason: str, hint: str) -> AuthenticationResult:
        """The API server does not answer: what was good stays good."""
        if self.problem is None:
            log.warning("token_review_failed", reason=reason, hint=hint)
        self.problem = Problem("kubernetes tokenreviews", f"cannot verify tokens: {reason}", hint)
        return self._cache.stale(key, self._clock()) or unavailable(
            f"the token could not be verified: {reason}"
        )
