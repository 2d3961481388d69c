"""The public keys of a cluster (JWKS) that its service-account tokens are signed with.

Keys are fetched when the first token comes, again when a token names one that is not there (a key was rotated), and
every hour, so that a key which was taken away goes. Fetching is limited, or anybody could have the keys fetched by
inventing names of keys. Keys that cannot be fetched anew stay.

Signatures are verified on threads, since one takes 0.3 ms and a storm brings thousands, and the threads are shared
fairly between networks: forged signatures of some keep no token of another waiting for long.

Sources: RFC 7517 (JWKS), RFC 8725 (best practices: algorithms by allow-list, and by the key's); Kubernetes, "Service
account issuer discovery".
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import jwt
import structlog

from steerway.access.fair_queue import FairQueue
from steerway.access.token.token_claims import ALGORITHMS
from steerway.access.watched_files import ContentError
from steerway.errors import SourceError
from steerway.sources.store import Problem

log = structlog.get_logger()

MAX_AGE_SECONDS = 3600.0
"""Age at which keys are fetched again."""
FETCH_PAUSE_SECONDS = 30.0
"""Least time between two fetches, when the first one succeeded."""
RETRY_PAUSE_SECONDS = 5.0
"""Least time after one that failed."""
VERIFIERS = 2
"""Threads; most of the work holds the GIL, so that more would not be faster."""
MAX_WAITING = 4096
"""Tokens that wait to be verified: more than a second's work."""
_NO_ANSWER = "check that the server of the keys answers, and that nothing on the way to it drops packets"
_NO_KEYS = "check that the server of the keys is the right one: it must serve a JSON Web Key Set"

Keys: TypeAlias = Mapping[str, jwt.PyJWK]
"""Public keys by their `kid`."""
Fetch: TypeAlias = Callable[[], Awaitable[tuple[str, bytes]]]
"""The issuer that the keys belong to ("": unknown) and the JWKS document. Raises SourceError."""


def parse_keys(content: bytes, name: str) -> Keys:
    """The keys of a JWKS document that can verify tokens. ContentError when there is none."""
    try:
        listed = json.loads(content)["keys"]
        jwks = jwt.PyJWKSet(listed).keys
    except (ValueError, TypeError, KeyError, RecursionError, jwt.PyJWTError):
        raise ContentError(name, 'is no JSON Web Key Set ({"keys": […]}) with usable keys') from None
    keys = {key.key_id: key for key in jwks if key.key_id and key.algorithm_name in ALGORITHMS}
    if not keys:
        raise ContentError(name, f"has no key with a kid for {', '.join(ALGORITHMS)}")
    return keys


class KeySet:
    """The keys that `fetch` gives, or without it those that `take` was given."""

    def __init__(
        self,
        issuer: str,
        fetch: Fetch | None,
        timeout_seconds: float,
        clock: Callable[[], float] = time.time,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`issuer` "": the one that `fetch` returns. `clock`: seconds since the epoch. `changed` is called when the
        keys change."""
        self.issuer = issuer
        self.keys: Keys = {}
        self.fetched_at: float | None = None
        """None for keys that were not fetched, or not yet."""
        self.problem: Problem | None = None
        """Why the keys cannot be fetched; None when they can."""
        self._fetch = fetch
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._changed = changed
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        # Threads of its own: the reading of files must not wait behind a storm of clients.
        self._threads = ThreadPoolExecutor(VERIFIERS, thread_name_prefix="verify-token")
        self._turns = FairQueue(2 * VERIFIERS, by_network=VERIFIERS, max_waiting=MAX_WAITING)

    def take(self, content: bytes, name: str) -> None:
        """Use the keys of a JWKS document from now on. ContentError when there is none in it."""
        self.keys = parse_keys(content, name)
        self._changed()

    def is_due(self, kid: str) -> bool:
        """Whether a token with this key has the keys fetched."""
        return self._fetch is not None and self._may_fetch() and (kid not in self.keys or self._is_old())

    async def find(self, kid: str, *, wait: bool = True) -> jwt.PyJWK | None:
        """The key. None when it is not there; that takes a fetch when one is due, which `wait` waits for."""
        if self.is_due(kid) and self._fetching is None:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch_keys())
        if wait and kid not in self.keys and self._fetching is not None:
            await asyncio.shield(self._fetching)  # a token of an old key is verified by it, and does not wait
        return self.keys.get(kid)

    async def verify(
        self, token: str, key: jwt.PyJWK, network: str, options: Any, **expected: Any
    ) -> dict[str, Any]:
        """The claims of a token with a good signature, when the network's turn comes; `options` and `expected` as for
        `jwt.decode`. Raises jwt.PyJWTError and QueueFullError."""

        def decode() -> dict[str, Any]:
            # RFC 8725, section 3.1: the key decides on the algorithm, never the token.
            decoded: dict[str, Any] = jwt.decode(
                token, key, algorithms=[key.algorithm_name], options=options, **expected
            )
            return decoded

        async with self._turns.turn(network):
            return await asyncio.get_running_loop().run_in_executor(self._threads, decode)

    async def close(self) -> None:
        """Cancel a fetch that is under way, and what waits to be verified."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _is_old(self) -> bool:
        return self.fetched_at is None or self._clock() - self.fetched_at >= MAX_AGE_SECONDS

    def _may_fetch(self) -> bool:
        if self._fetching is not None or self._tried_at is None:
            return True
        pause = FETCH_PAUSE_SECONDS if self.problem is None else RETRY_PAUSE_SECONDS
        return self._clock() - self._tried_at >= pause

    async def _fetch_keys(self) -> None:
        assert self._fetch is not None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                issuer, content = await self._fetch()
            keys = parse_keys(content, "the fetched document")
        except TimeoutError:
            self._fail(f"no answer within {self._timeout_seconds:g} s", _NO_ANSWER)
        except SourceError as error:
            self._fail(str(error), error.hint)
        except ContentError as error:
            self._fail(str(error), _NO_KEYS)
        else:
            changed = set(keys) != set(self.keys)
            self.keys, self.fetched_at, self.problem = keys, self._clock(), None
            self.issuer = self.issuer or issuer
            if changed:
                self._changed()
                log.info("token_keys_fetched", keys=sorted(keys), issuer=self.issuer)
        finally:
            self._fetching = None

    def _fail(self, reason: str, hint: str) -> None:
        problem = Problem("token keys (JWKS)", f"cannot be fetched: {reason}", hint)
        if problem != self.problem:
            log.warning("token_keys_not_fetched", reason=reason, hint=hint, keys=len(self.keys))
        self.problem = problem
