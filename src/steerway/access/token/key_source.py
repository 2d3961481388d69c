"""Where the public keys of a cluster come from: its API server, or a URL that serves the same document."""

import json
from collections.abc import Mapping
from typing import Protocol

import aiohttp

from steerway.access.token.key_set import Fetch
from steerway.errors import SourceError
from steerway.sources.kubernetes.cause import failure_of
from steerway.sources.kubernetes.event import Failure
from steerway.sources.kubernetes.hint import request_hint, url_hint

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/openid/v1/jwks"
MAX_BYTES = 1024 * 1024
"""Largest document that is read."""
_PERMISSION = (
    f"allow steerway to read {DISCOVERY} and {JWKS} (ClusterRole system:service-account-issuer-discovery)"
)


class ApiServer(Protocol):
    """A reader of the API server."""

    @property
    def server(self) -> str:
        """Its URL; "" before it is known."""

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of the answer. Raises SourceError."""


def of_cluster(server: ApiServer) -> Fetch:
    """The keys of the API server, and its issuer (service account issuer discovery)."""

    async def fetch() -> tuple[str, bytes]:
        try:
            discovered, keys = await server.get(DISCOVERY, {}), await server.get(JWKS, {})
        except SourceError as error:
            raise SourceError(str(error), request_hint(error, _PERMISSION, server.server)) from error
        try:
            issuer = json.loads(discovered)["issuer"]
        except (ValueError, TypeError, KeyError):
            reason, hint = (
                f"{DISCOVERY} of the API server has no issuer",
                "check --service-account-issuer of it",
            )
            raise SourceError(reason, hint) from None
        return str(issuer), keys

    return fetch


def of_url(url: str) -> Fetch:
    """The keys that a URL serves; the issuer is unknown."""

    async def fetch() -> tuple[str, bytes]:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(url, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise _failed(url, Failure(response.status, response.reason or ""))
                content = await response.content.read(MAX_BYTES + 1)
        except (aiohttp.ClientError, OSError) as error:
            raise _failed(url, failure_of(error)) from error
        if len(content) > MAX_BYTES:
            raise SourceError(f"{url}: the document is larger than {MAX_BYTES // 1024} KiB")
        return "", content

    return fetch


def _failed(url: str, failure: Failure) -> SourceError:
    return SourceError(f"{url}: {failure}", url_hint(failure, url))
