"""Authentication results of remote parties, kept for a while.

Tokens are kept as keyed hashes. Good and bad ones have a room each, so that random tokens push out none but bad ones,
and an identity with more than its share of good ones pushes out none but its own. An acceptance has two ends: until
`fresh` it is used as it is, and until the token itself expires it serves while the API server is unavailable.
"""

import hashlib
import secrets
from collections import OrderedDict
from typing import NamedTuple

from steerway.access.identity import Identity
from steerway.access.result import AuthenticationResult, Refusal

MAX_RESULTS = 10_000
"""Results of one sort; an acceptance takes about half a KiB."""


class _Good(NamedTuple):
    identity: Identity
    fresh: float
    expires: float


class _Bad(NamedTuple):
    refusal: Refusal
    expires: float


class ResultCache:
    """Bounded; the one that was used longest ago goes first. Times are seconds on one monotonic clock."""

    def __init__(self, max_results: int = MAX_RESULTS) -> None:
        self._max = max_results
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, _Good] = OrderedDict()
        self._bad: OrderedDict[bytes, _Bad] = OrderedDict()
        self._of: dict[Identity, OrderedDict[bytes, None]] = {}
        """The keys of each identity's good ones, in the same order."""

    def __len__(self) -> int:
        return len(self._good) + len(self._bad)

    def key(self, token: str) -> bytes:
        """The key of a token; the token cannot be derived from it, also from a memory dump."""
        return hashlib.blake2b(token.encode(), key=self._key, digest_size=32).digest()

    def accept(self, key: bytes, identity: Identity, fresh: float, expires: float) -> None:
        """Keep an acceptance."""
        self._bad.pop(key, None)
        self._forget(key)
        if len(self._good) >= self._max:
            own = self._of.get(identity, ())
            shares = len(self._of) + (not own)
            self._forget(next(iter(own if len(own) >= self._max / shares else self._good)))
        self._good[key] = _Good(identity, min(fresh, expires), expires)
        self._of.setdefault(identity, OrderedDict())[key] = None

    def refuse(self, key: bytes, refusal: Refusal, expires: float) -> None:
        """Keep a refusal, in place of an acceptance that was there."""
        self._forget(key)
        self._bad[key] = _Bad(refusal, expires)
        self._bad.move_to_end(key)
        if len(self._bad) > self._max:
            self._bad.popitem(last=False)

    def fresh(self, key: bytes, now: float) -> AuthenticationResult | None:
        """The result that may be used without a review."""
        good, bad = self._good.get(key), self._bad.get(key)
        if good is not None and now < good.fresh:
            self._good.move_to_end(key)
            self._of[good.identity].move_to_end(key)
            return good.identity
        return bad.refusal if bad is not None and now < bad.expires else None

    def stale(self, key: bytes, now: float) -> Identity | None:
        """The identity of a token that was good and has not expired, for when the API server is unavailable."""
        good = self._good.get(key)
        return good.identity if good is not None and now < good.expires else None

    def _forget(self, key: bytes) -> None:
        """Drop an acceptance, if there is one."""
        good = self._good.pop(key, None)
        if good is not None:
            own = self._of[good.identity]
            del own[key]
            if not own:
                del self._of[good.identity]
