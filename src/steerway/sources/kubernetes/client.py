"""HTTP to the API server: the only file of steerway that talks to it.

Requests and credentials are those of `kubernetes_asyncio`, over connections of `connection.py`; its generated
models are not used, since a raw body decoded straight into slim types costs a fraction. When the server turns
the credentials away (401) or TLS fails, the next request begins with the configuration read anew, certificates
included; watches that are open live on.

It does not retry and does not know what a list or a watch means: `watcher.py` decides.
"""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import aiohttp

from steerway import __version__
from steerway.sources.kubernetes.access import Access, RequestError, load
from steerway.sources.kubernetes.cause import READ_TIMED_OUT, TLS_REASONS, failure_of
from steerway.sources.kubernetes.connection import open_session
from steerway.sources.kubernetes.decode import LineSplitter, decode_status
from steerway.sources.kubernetes.event import SILENT, Failure

CONNECT_SECONDS = 10.0
LIST_READ_SECONDS = 60.0
"""Longest silence while a page is read."""
_WHOLE = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=LIST_READ_SECONDS)


@dataclass(slots=True)
class _Connection:
    """The library's client, with the number of requests that use it."""

    api: Any
    users: int = 0
    retired: bool = False


_ACCEPTED = "application/json, application/jwk-set+json"
"""The API server serves its public keys as the latter, and refuses (406) a request that does not accept it."""


class KubernetesClient:
    """Requests with the credentials that `access` leads to. Close it when done."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._connection: _Connection | None = None
        self._loading = asyncio.Lock()
        self.server = ""
        """The server's URL, once the configuration was read."""

    async def prepare(self) -> None:
        """Read the configuration. Raises SourceError when it cannot be, RequestError to be tried again."""
        async with self._connected():
            pass

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The whole body of a GET. Raises RequestError."""
        async with self._response(path, query, _WHOLE) as response:
            return bytes(await response.read())

    async def post(self, path: str, body: Mapping[str, Any]) -> bytes:
        """The whole answer to a POST of JSON. Raises RequestError."""
        return await self._send("POST", path, body, "application/json")

    async def put(self, path: str, body: Mapping[str, Any]) -> bytes:
        """The whole answer to a PUT of JSON. Raises RequestError; its status is 409 when the object has changed since
        the resourceVersion in `body`."""
        return await self._send("PUT", path, body, "application/json")

    async def patch(self, path: str, body: Mapping[str, Any]) -> bytes:
        """The whole answer to a PATCH that merges JSON. Raises RequestError."""
        return await self._send("PATCH", path, body, "application/merge-patch+json")

    async def patch_json(
        self, path: str, operations: Sequence[Mapping[str, Any]], field_manager: str
    ) -> bytes:
        """The whole answer to a PATCH with a JSON patch (RFC 6902). Raises RequestError; its status is 422 when a test
        of the patch fails."""
        query = {"fieldManager": field_manager}
        return await self._send("PATCH", path, operations, "application/json-patch+json", query)

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        kind: str,
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> bytes:
        headers = {"Content-Type": kind}
        async with self._response(path, query, _WHOLE, method, headers, body) as response:
            return bytes(await response.read())

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], silence_seconds: float
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """The lines of a GET that goes on. Entering and reading raise RequestError.

        The failure of a stream without a byte for `silence_seconds` has the reason SILENT.
        """
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)
        try:
            async with (
                self._response(path, query, timeout) as response,
                contextlib.aclosing(_lines(response)) as lines,
            ):
                yield lines
        except RequestError as error:
            if error.failure.reason != READ_TIMED_OUT:
                raise
            nothing = f"no event and no bookmark for {silence_seconds:.0f} s"
            raise RequestError(Failure(None, SILENT, nothing)) from error

    async def close(self) -> None:
        """Close every connection. Requests in flight fail."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.api.close()

    @contextlib.asynccontextmanager
    async def _response(
        self,
        path: str,
        query: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        method: str = "GET",
        headers: Mapping[str, str] = MappingProxyType({}),
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> AsyncGenerator[Any, None]:
        async with self._connected() as connection:
            try:
                response = await connection.api.call_api(
                    path,
                    method,
                    query_params=list(query.items()),
                    header_params={"Accept": _ACCEPTED, **headers},
                    body=body,
                    auth_settings=["BearerToken"],
                    _preload_content=False,
                    _request_timeout=timeout,
                )
                try:
                    if response.status >= 400:
                        raise RequestError(await _refusal(response))
                    yield response
                finally:
                    response.close()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                failure = failure_of(error)
                self._distrust(connection, failure.reason in TLS_REASONS)
                raise RequestError(failure) from error
            except RequestError as error:
                self._distrust(connection, error.failure.status == 401)
                raise

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncGenerator[_Connection, None]:
        async with self._loading:
            if self._connection is None:
                self._connection = await self._connect()
            connection = self._connection
        connection.users += 1
        try:
            yield connection
        finally:
            connection.users -= 1
            if connection.retired and not connection.users:
                await connection.api.close()

    async def _connect(self) -> _Connection:
        configuration = await load(self._access)
        library = importlib.import_module("kubernetes_asyncio.client.api_client")
        try:
            api = library.ApiClient(configuration)
            session = open_session(configuration)
        except OSError as error:  # ssl.SSLError among them: a certificate file that is none
            raise RequestError(Failure(None, "certificates unreadable", str(error))) from error
        await api.rest_client.close()  # the library's session, which takes no socket options
        api.rest_client.pool_manager = session
        api.user_agent = f"steerway/{__version__}"
        self.server = configuration.host
        return _Connection(api)

    def _distrust(self, connection: _Connection, turned_away: bool) -> None:
        if turned_away:
            connection.retired = True
            if self._connection is connection:
                self._connection = None


async def _lines(response: Any) -> AsyncGenerator[bytes, None]:
    splitter = LineSplitter()
    try:
        async for chunk in response.content.iter_any():
            for line in splitter.feed(chunk):
                yield line
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise RequestError(failure_of(error)) from error


async def _refusal(response: Any) -> Failure:
    status = decode_status(await response.read(), response.status, response.reason or "")
    try:
        header = float(response.headers.get("Retry-After", "0"))
    except ValueError:  # the form with a date, which API servers do not use
        header = 0.0
    wait = max(status.retry_after_seconds, header)
    return Failure(response.status, status.reason, status.message, wait)
