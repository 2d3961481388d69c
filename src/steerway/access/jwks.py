"""Service-account tokens, verified by their signature against the public keys of the cluster (JWKS).

No question per token, so no API server is needed while clients connect; the price is that a token stays good until it
expires, also when its pod is gone. Keys are fetched when the first token comes, again when a token names one that is
not there (a key was rotated), and every hour, so that a key which was taken away goes. Fetching is limited, or anybody
could have the keys fetched by inventing names of keys. Keys that cannot be fetched anew stay.

Signatures are verified on threads, since one takes 0.3 ms and a storm brings thousands; verdicts are kept until the
token expires or the keys do.

Sources: RFC 7519 (JWT), RFC 7517 (JWKS), RFC 8725 (best practices: algorithms by allow-list, and by the key's);
Kubernetes, "Service account issuer discovery".
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import jwt
import structlog

from steerway.access import token_claims
from steerway.access.identity import Identity, of_service_account, parse_username
from steerway.access.verdict import Credential, Refusal, Verdict, refused, unavailable
from steerway.access.verdict_cache import VerdictCache
from steerway.access.watched_files import ContentError
from steerway.errors import SourceError
from steerway.sources.store import Problem

log = structlog.get_logger()

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
"""Those that kube-apiserver signs with. None is symmetric: a public key must never be taken for a shared secret."""
MAX_AGE_SECONDS = 3600.0
"""Age at which keys are fetched again."""
FETCH_PAUSE_SECONDS = 30.0
"""Least time between two fetches, when the first one succeeded."""
RETRY_PAUSE_SECONDS = 5.0
"""Least time after one that failed."""
LEEWAY_SECONDS = 10.0
"""By how much clocks may differ."""
REFUSED_SECONDS = 10.0
"""Life of a bad verdict, so that a client which tries again and again costs little."""
VERIFIERS = 2
"""Threads; most of the work holds the GIL, so that more would not be faster."""
_REQUIRED = ("exp", "iss", "aud", "sub")

Keys: TypeAlias = Mapping[str, jwt.PyJWK]
"""Public keys by their `kid`."""
Fetch: TypeAlias = Callable[[], Awaitable[tuple[str, bytes]]]
"""The issuer that the keys belong to ("": not said) and the JWKS document. Raises SourceError."""


def parse_keys(content: bytes, name: str) -> Keys:
    """The keys of a JWKS document that can verify tokens. ContentError when there is none."""
    try:
        listed = json.loads(content)["keys"]
        found = jwt.PyJWKSet(listed).keys
    except (ValueError, TypeError, KeyError, RecursionError, jwt.PyJWTError):
        raise ContentError(name, 'is no JSON Web Key Set ({"keys": […]}) with usable keys') from None
    keys = {key.key_id: key for key in found if key.key_id and key.algorithm_name in ALGORITHMS}
    if not keys:
        raise ContentError(name, f"has no key with a kid for {', '.join(ALGORITHMS)}")
    return keys


class SignedToken:
    """Verifies tokens with the keys that `fetch` gives, or without it with those that `take` was given."""

    method = "service_account"
    accepts = "a service-account token"

    def __init__(
        self,
        audiences: Sequence[str],
        issuer: str,
        fetch: Fetch | None,
        timeout_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`issuer` "": the one that `fetch` tells. `audiences`: at least one; a token must be for one of them.
        `clock`: seconds since the epoch.
        """
        self._audiences = tuple(audiences)
        self._issuer = issuer
        self._fetch = fetch
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._keys: Keys = {}
        self._cache = VerdictCache()
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        # Threads of its own: the reading of files must not wait behind a storm of clients.
        self._threads = ThreadPoolExecutor(VERIFIERS, thread_name_prefix="verify-token")
        self.problem: Problem | None = None
        """Why the keys cannot be fetched; None when they can."""

    def take(self, content: bytes, name: str) -> None:
        """Use the keys of a JWKS document from now on. ContentError when there is none in it."""
        self._keys = parse_keys(content, name)
        self._cache = VerdictCache()

    def reads(self, credential: Credential) -> bool:
        return bool(credential.token)

    def judge(self, credential: Credential) -> Verdict | Awaitable[Verdict]:
        token = credential.token
        known = self._cache.fresh(self._cache.key(token), self._clock())
        if known is not None:
            return known
        if len(token) > token_claims.MAX_TOKEN:
            return refused(f"the token is longer than {token_claims.MAX_TOKEN} bytes")
        try:
            kid = jwt.get_unverified_header(token).get("kid", "")
        except (jwt.PyJWTError, RecursionError):
            return refused("the token is no JSON Web Token")
        due = self._fetch is not None and self._may_fetch() and (kid not in self._keys or self._old())
        if not due and kid not in self._keys:
            return self._unknown(kid)
        return self._judge_later(token, kid, due)

    async def close(self) -> None:
        """Give up a fetch that is under way, and what waits to be verified."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _old(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= MAX_AGE_SECONDS

    def _may_fetch(self) -> bool:
        if self._fetching is not None or self._tried_at is None:
            return True
        pause = FETCH_PAUSE_SECONDS if self.problem is None else RETRY_PAUSE_SECONDS
        return self._clock() - self._tried_at >= pause

    async def _judge_later(self, token: str, kid: str, due: bool) -> Verdict:
        if due and self._fetching is None:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch_keys())
        if kid not in self._keys and self._fetching is not None:
            await asyncio.shield(self._fetching)  # who has an old key is judged by that, and does not wait
        key, cache = self._keys.get(kid), self._cache
        if key is None:
            return self._unknown(kid)
        verdict = await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, token, key)
        kept, now = cache.key(token), self._clock()
        if isinstance(verdict, Identity):
            expires = token_claims.expiry(token_claims.unverified(token)) or now
            keys_end = expires if self._fetched_at is None else self._fetched_at + MAX_AGE_SECONDS
            cache.accept(kept, verdict, min(expires, keys_end), expires)
        else:
            cache.refuse(kept, verdict, now + REFUSED_SECONDS)
        return verdict

    def _unknown(self, kid: str) -> Refusal:
        if self.problem is not None or not self._keys:
            return unavailable("the keys that verify tokens could not be fetched")
        return refused(
            f"the token is signed with key {str(kid)[:80]!r}, which the cluster's JWKS does not have"
        )

    async def _fetch_keys(self) -> None:
        assert self._fetch is not None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                issuer, content = await self._fetch()
            keys = parse_keys(content, "the fetched document")
        except TimeoutError:
            self._failed(f"no answer within {self._timeout_seconds:g} s")
        except (SourceError, ContentError) as error:
            self._failed(str(error))
        else:
            if set(keys) != set(self._keys):
                self._cache = VerdictCache()
            self._keys, self._fetched_at, self.problem = keys, self._clock(), None
            self._issuer = self._issuer or issuer
            log.info("token_keys_fetched", keys=sorted(keys), issuer=self._issuer)
        finally:
            self._fetching = None

    def _failed(self, reason: str) -> None:
        cure = "allow the service account to read /openid/v1/jwks (ClusterRole system:service-account-issuer-discovery)"
        log.warning("token_keys_not_fetched", reason=reason, cure=cure, keys=len(self._keys))
        self.problem = Problem("token keys (JWKS)", f"cannot be fetched: {reason}", cure)

    def _verify(self, token: str, key: jwt.PyJWK) -> Verdict:
        """Judge by signature and claims. Runs on a thread."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],  # RFC 8725, section 3.1: the key decides, never the token
                audience=self._audiences,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": list(_REQUIRED)},
            )
        except jwt.InvalidAudienceError:
            found = token_claims.audiences(token_claims.unverified(token))
            return refused(token_claims.foreign(found, self._audiences))
        except jwt.PyJWTError as error:
            return refused(f"the token is not good: {error}")
        account = parse_username(str(claims["sub"]))
        if account is None:
            return refused(f"the token is that of {claims['sub']!r}, which is no service account")
        return of_service_account(*account)
