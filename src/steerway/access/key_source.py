"""Where the public keys of a cluster come from: its API server, or a URL that serves the same document."""

import json
from collections.abc import Mapping
from typing import Protocol

import aiohttp

from steerway.access.key_set import Fetch
from steerway.errors import SourceError

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/openid/v1/jwks"
MAX_BYTES = 1024 * 1024
"""Largest document that is read."""


class ApiServer(Protocol):
    """A reader of the API server."""

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of the answer. Raises SourceError."""


def of_cluster(server: ApiServer) -> Fetch:
    """The keys of the API server, and the issuer that it says it is (Service account issuer discovery)."""

    async def fetch() -> tuple[str, bytes]:
        try:
            issuer = json.loads(await server.get(DISCOVERY, {}))["issuer"]
        except (ValueError, TypeError, KeyError):
            raise SourceError(f"{DISCOVERY} of the API server has no issuer") from None
        return str(issuer), await server.get(JWKS, {})

    return fetch


def of_url(url: str) -> Fetch:
    """The keys that a URL serves; it says nothing about the issuer."""

    async def fetch() -> tuple[str, bytes]:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(url, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise SourceError(f"{url}: status {response.status}")
                content = await response.content.read(MAX_BYTES + 1)
        except (aiohttp.ClientError, OSError) as error:
            raise SourceError(f"{url}: {error or type(error).__name__}") from error
        if len(content) > MAX_BYTES:
            raise SourceError(f"{url}: the document is larger than {MAX_BYTES // 1024} KiB")
        return "", content

    return fetch
