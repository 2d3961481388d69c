"""Sessions of the page: a browser that has shown the admin token keeps a cookie instead of it.

Cookies are sent to all ports of a host, so the cookie is a random id, which is of use for this process only. A session
ends with the process, after 12 hours, and when its token is no longer the admin token.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request

COOKIE = "steerway_session"
_SECONDS = 12 * 3600.0
_MOST = 1000
"""Sessions at a time; the oldest ends first."""
_OWN_SITES = frozenset({"", "same-origin", "none"})
"""Values of Sec-Fetch-Site of requests that the page or its user makes; browsers without the header send none."""


class _Session(NamedTuple):
    token: str
    until: float


class Sessions:
    """`accepts` checks a token; it is asked again at each request, so that a replaced token ends its sessions."""

    def __init__(self, accepts: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._accepts = accepts
        self._clock = clock
        self._sessions: dict[bytes, _Session] = {}

    def open(self, token: str) -> str | None:
        """The id of a new session; None for a wrong token."""
        if not self._accepts(token):
            return None
        while len(self._sessions) >= _MOST:
            del self._sessions[next(iter(self._sessions))]
        identifier = secrets.token_urlsafe(32)
        self._sessions[_key(identifier)] = _Session(token, self._clock() + _SECONDS)
        return identifier

    def close(self, request: Request) -> None:
        """End the session of a request, if it has one."""
        self._sessions.pop(_key(_cookie(request)), None)

    def allow(self, request: Request) -> bool:
        """Whether the request reads, comes from the page itself, and belongs to a session."""
        if request.method not in ("GET", "HEAD"):
            return False
        if request.headers.get("sec-fetch-site", "") not in _OWN_SITES:
            return False
        key = _key(_cookie(request))
        session = self._sessions.get(key)
        if session is None:
            return False
        if session.until < self._clock() or not self._accepts(session.token):
            del self._sessions[key]
            return False
        return True


def _key(identifier: str) -> bytes:
    """Only hashes are compared, so that the time of a look-up is not that of a comparison of secrets."""
    return hashlib.sha256(identifier.encode()).digest()


def _cookie(request: Request) -> str:
    return request.cookies.get(COOKIE, "")
