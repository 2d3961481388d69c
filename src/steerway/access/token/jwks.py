"""Service-account tokens, verified by their signature against the public keys of the cluster (JWKS).

No question per token, so no API server is needed while clients connect; the price is that a token stays good until it
expires, also when its pod is gone. Results are kept until the token expires or the keys do.

Sources: RFC 7519 (JWT), RFC 8725 (best practices); Kubernetes, "Service account issuer discovery".
"""

import time
from collections.abc import Awaitable, Callable, Sequence

import jwt

from steerway.access.fair_queue import QueueFullError
from steerway.access.identity import Identity, of_service_account, parse_username
from steerway.access.result import AuthenticationResult, Credential, Refusal, refused, unavailable
from steerway.access.token import token_claims
from steerway.access.token.key_set import MAX_AGE_SECONDS, Fetch, KeySet
from steerway.access.token.result_cache import ResultCache
from steerway.sources.store import Problem

REFUSED_SECONDS = 10.0
"""Life of a refusal, so that a client which tries again and again costs little."""
_OPTIONS = {"require": ["exp", "iss", "aud", "sub"]}


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
        """`issuer` "": the one that `fetch` returns. `audiences`: at least one; a token must be for one of them.
        `clock`: seconds since the epoch.
        """
        self._audiences = tuple(audiences)
        self._clock = clock
        self._cache = ResultCache()
        self._keys = KeySet(issuer, fetch, timeout_seconds, clock, self._forget)

    @property
    def problem(self) -> Problem | None:
        """Why the keys cannot be fetched; None when they can."""
        return self._keys.problem

    def take(self, content: bytes, name: str) -> None:
        """Use the keys of a JWKS document from now on. ContentError when there is none in it."""
        self._keys.take(content, name)

    def reads(self, credential: Credential) -> bool:
        return bool(credential.token)

    def authenticate(self, credential: Credential) -> AuthenticationResult | Awaitable[AuthenticationResult]:
        token = credential.token
        known = self._cache.fresh(self._cache.key(token), self._clock())
        if known is not None:
            return known
        try:
            kid = token_claims.read(token).kid
        except ValueError as error:
            return refused(str(error))
        if kid not in self._keys.keys and not self._keys.is_due(kid):
            return self._unknown(kid)
        return self._verify_later(token, kid, credential.network)

    async def close(self) -> None:
        """Cancel what is under way."""
        await self._keys.close()

    def _forget(self) -> None:
        self._cache = ResultCache()

    async def _verify_later(self, token: str, kid: str, network: str) -> AuthenticationResult:
        key = await self._keys.find(kid)
        if key is None:
            return self._unknown(kid)
        cache = self._cache  # of these keys: others may come meanwhile
        try:
            result = await self._verify(token, key, network)
        except QueueFullError:
            return unavailable("too many tokens wait to be verified")
        cached, now = cache.key(token), self._clock()
        if isinstance(result, Identity):
            expires = token_claims.expiry(token_claims.read(token).claims) or now
            fetched_at = self._keys.fetched_at
            keys_end = expires if fetched_at is None else fetched_at + MAX_AGE_SECONDS
            cache.accept(cached, result, min(expires, keys_end), expires)
        else:
            cache.refuse(cached, result, now + REFUSED_SECONDS)
        return result

    def _unknown(self, kid: str) -> Refusal:
        if self.problem is not None or not self._keys.keys:
            return unavailable("the keys that verify tokens could not be fetched")
        return refused(f"the token is signed with key {kid[:80]!r}, which the cluster's JWKS does not have")

    async def _verify(self, token: str, key: jwt.PyJWK, network: str) -> AuthenticationResult:
        """Verify signature and claims. Raises QueueFullError."""
        try:
            claims = await self._keys.verify(
                token,
                key,
                network,
                _OPTIONS,
                audience=self._audiences,
                issuer=self._keys.issuer,
                leeway=token_claims.LEEWAY_SECONDS,
            )
        except jwt.InvalidAudienceError:
            audiences = token_claims.audiences(token_claims.read(token).claims)
            return refused(token_claims.foreign(audiences, self._audiences))
        except jwt.PyJWTError as error:
            return refused(f"the token is not good: {error}")
        account = parse_username(str(claims["sub"]))
        if account is None:
            return refused(f"the token is that of {claims['sub']!r}, which is no service account")
        return of_service_account(*account)
