"""A file of tokens that somebody handed out: for clients outside of Kubernetes, and for trying things out.

One line is `TOKEN,IDENTITY`. IDENTITY is `NAMESPACE/SERVICE_ACCOUNT`, as which the holder then acts, or a plain name.
Instead of the token its hash may be there, `sha256:` and 64 hexadecimal digits, so that the file itself is no secret.
Lines that are empty or begin with `#` are left out.

In memory there are hashes only, with a key of this process: one look-up whatever is shown, and no client knows the hash
of what it sends, so that the time of a look-up does not depend on how much of it was right.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from steerway.access.identity import LABEL, SUBDOMAIN, Identity
from steerway.access.result import AuthenticationResult, Credential, refused
from steerway.access.watched_files import ContentError, WatchedFiles

MIN_TOKEN = 16
"""Shortest token in characters: less is guessed too easily."""
MAX_TOKENS = 1000
"""Most lines."""

_HASHED = re.compile(r"sha256:([0-9a-f]{64})")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1: b64token
_ACCOUNT = re.compile(rf"({LABEL})/({SUBDOMAIN})")
_NAME = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")


class _Line(NamedTuple):
    digest: bytes
    identity: Identity


class StaticTokens:
    """Takes the tokens of a file, which is read again when it changes."""

    method = "token"
    accepts = "a token"

    def __init__(self, path: Path) -> None:
        """ContentError when the file cannot be read or a line is wrong."""
        self._path = path
        self._key = secrets.token_bytes(32)
        self._identities: dict[bytes, Identity] = {}
        self.files = WatchedFiles([path], self._take)
        self.files.load()

    def reads(self, credential: Credential) -> bool:
        return bool(credential.token)

    def authenticate(self, credential: Credential) -> AuthenticationResult:
        identity = self._identities.get(self._keyed(hashlib.sha256(credential.token.encode()).digest()))
        return identity or refused(f"the token is not in {self._path}")

    def _take(self, contents: Sequence[bytes]) -> None:
        lines = parse(contents[0], str(self._path))
        self._identities = {self._keyed(line.digest): line.identity for line in lines}

    def _keyed(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._key, digest_size=32).digest()


def parse(content: bytes, name: str) -> Iterator[_Line]:
    """The lines of a file called `name`. ContentError names the line that is wrong, and never its token."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ContentError(name, "is not UTF-8 text", "save it as UTF-8") from None
    known: dict[bytes, int] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{name}:{number}"
        token, comma, identity = (part.strip() for part in line.partition(","))
        if not comma:
            raise ContentError(
                where, "there is no comma", "write TOKEN,NAMESPACE/SERVICE_ACCOUNT or TOKEN,NAME"
            )
        digest = _digest(token, where)
        if (first := known.setdefault(digest, number)) != number:
            raise ContentError(where, f"the token of line {first} is there again", "remove one of them")
        if len(known) > MAX_TOKENS:
            raise ContentError(
                where, f"there are more than {MAX_TOKENS} tokens", "use service-account tokens"
            )
        yield _Line(digest, _identity(identity, where))


def _digest(token: str, where: str) -> bytes:
    if token.startswith("sha256:"):
        hashed = _HASHED.fullmatch(token)
        if hashed is None:
            hint = "make it with: printf %s TOKEN | sha256sum"
            raise ContentError(where, "after sha256: there are not 64 lower-case hexadecimal digits", hint)
        return bytes.fromhex(hashed[1])
    if len(token) < MIN_TOKEN:
        hint = "make one with: openssl rand -hex 32"
        raise ContentError(where, f"the token is shorter than {MIN_TOKEN} characters", hint)
    if not _TOKEN.fullmatch(token):
        hint = "use letters, digits and -._~+/ (RFC 6750)"
        raise ContentError(where, "the token has characters that no bearer token can have", hint)
    return hashlib.sha256(token.encode()).digest()


def _identity(text: str, where: str) -> Identity:
    if (account := _ACCOUNT.fullmatch(text)) is not None:
        return Identity("token", account[1], account[3], name=text)
    if _NAME.fullmatch(text):
        return Identity("token", name=text)
    hint = "write NAMESPACE/SERVICE_ACCOUNT, or a name of letters, digits, dots and dashes"
    raise ContentError(where, f"{text!r} is no identity", hint)
