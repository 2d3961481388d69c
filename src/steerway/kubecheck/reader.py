"""Reads of the API server for checks: objects and lists as decoded JSON, each requested once."""

import asyncio
import json
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any, TypeAlias

from steerway.errors import SourceError
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.hint import server_hint

_PAGE = "500"
Manifest: TypeAlias = dict[str, Any]
Manifests: TypeAlias = list[Manifest]
Pages: TypeAlias = list[bytes]


class UnreadableError(SourceError):
    """A request that the API server refused or did not answer. `status`: its HTTP status, None without an answer."""

    def __init__(self, what: str, error: SourceError, server: str) -> None:
        failure = error.failure if isinstance(error, RequestError) else None
        self.status = failure.status if failure else None
        if self.status == 403:
            hint = "run the check as a user with this permission, such as an administrator of the cluster"
        else:
            hint = server_hint(failure, server) if failure else error.hint
        super().__init__(f"{what}: {error}", hint)


class Reader:
    """`client` is closed by its owner."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._reads: dict[tuple[str, str], asyncio.Task[Any]] = {}

    @property
    def server(self) -> str:
        return self._client.server

    async def get(self, path: str) -> Manifest | None:
        """An object; None if it does not exist. Raises UnreadableError."""
        manifest: Manifest | None = await self._once("get", path, self._get(path, path))
        return manifest

    async def fresh(self, path: str) -> Manifest | None:
        """As `get`, by a new request."""
        return await self._get(path, path)

    async def list(self, path: str, selector: str = "") -> Manifests:
        """The objects of a collection, by label selector. Raises UnreadableError; its status is 404 for kinds that the
        API server does not have."""
        listed: Manifests = await self._once("list", f"{path}?{selector}", self._list(path, selector))
        return listed

    async def raw_pages(self, path: str) -> Pages:
        """The bodies of the pages of a list. Raises UnreadableError."""
        pages: Pages = []
        token = ""
        while not pages or token:
            body = await self._request(path, {"limit": _PAGE, **({"continue": token} if token else {})})
            pages.append(body)
            token = (json.loads(body).get("metadata") or {}).get("continue") or ""
        return pages

    async def text(self, path: str, query: Mapping[str, str]) -> str:
        """A body that is no JSON, such as a log. Raises UnreadableError."""
        return (await self._request(path, query)).decode(errors="replace")

    async def post(self, path: str, body: Mapping[str, Any], query: Mapping[str, str]) -> Manifest:
        """The answer to a POST: a review, or a dry run. Raises UnreadableError."""
        where = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        try:
            answer: Manifest = json.loads(await self._client.post(where, body))
        except SourceError as error:
            raise UnreadableError(f"POST {path}", error, self.server) from error
        return answer

    async def latency_seconds(self) -> float:
        """Of one small request. Raises UnreadableError."""
        began = time.monotonic()
        await self._request("/version", {})
        return time.monotonic() - began

    async def _get(self, path: str, what: str) -> Manifest | None:
        try:
            manifest: Manifest = json.loads(await self._client.get(path, {}))
        except RequestError as error:
            if error.failure.status == 404:
                return None
            raise UnreadableError(f"GET {what}", error, self.server) from error
        except SourceError as error:
            raise UnreadableError(f"GET {what}", error, self.server) from error
        return manifest

    async def _list(self, path: str, selector: str) -> Manifests:
        items: Manifests = []
        token = ""
        while True:
            query = {"limit": _PAGE}
            query |= {"labelSelector": selector} if selector else {}
            query |= {"continue": token} if token else {}
            page = json.loads(await self._request(path, query))
            items += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return items

    async def _request(self, path: str, query: Mapping[str, str]) -> bytes:
        try:
            return await self._client.get(path, query)
        except SourceError as error:
            raise UnreadableError(f"GET {path}", error, self.server) from error

    async def _once(self, verb: str, path: str, request: Any) -> Any:
        """The answer to a request, which all that ask for it at the same time or later share."""
        task = self._reads.get((verb, path))
        if task is None:
            task = self._reads[verb, path] = asyncio.create_task(request)
        else:
            request.close()
        return await asyncio.shield(task)
