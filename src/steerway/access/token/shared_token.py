"""One secret in a file that every request must show: the bearer token of the admin server."""

import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path

from steerway.access.token.static_token import MIN_TOKEN
from steerway.access.watched_files import ContentError, WatchedFiles


class SharedToken:
    """The token of a file, which is read again when it changes. In memory there is its hash only."""

    def __init__(self, path: Path) -> None:
        """ContentError when the file cannot be read or holds no token."""
        self._path = path
        self._digest = b""
        self.files = WatchedFiles([path], self._take)
        self.files.load()

    def accepts(self, token: str) -> bool:
        """Whether it is the token; takes the same time whatever was shown."""
        return hmac.compare_digest(self._digest, hashlib.sha256(token.encode()).digest())

    def _take(self, contents: Sequence[bytes]) -> None:
        token = contents[0].strip()
        if len(token) < MIN_TOKEN or len(token.split()) != 1:
            reason = f"holds no token of at least {MIN_TOKEN} characters"
            raise ContentError(str(self._path), reason, "make one with: openssl rand -hex 32")
        self._digest = hashlib.sha256(token).digest()
