"""HTTP to the API server: the only file of steerway that talks to it.

Raw bodies are decoded straight into slim types (`decode.py`). When the server refuses the credentials (401) or TLS
fails, the next request begins with the configuration read anew, certificates included; watches that are open live on.

It does not retry and does not know what a list or a watch means: `watcher.py` decides.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import aiohttp

import steerway
from steerway.errors import SourceError
from steerway.sources.kubernetes.access import Access, RequestError, load
from steerway.sources.kubernetes.cause import READ_TIMED_OUT, TLS_REASONS, failure_of
from steerway.sources.kubernetes.connection import open_session
from steerway.sources.kubernetes.credential.configuration import Configuration
from steerway.sources.kubernetes.decode import LineSplitter, decode_status
from steerway.sources.kubernetes.event import SILENT, Failure

REFRESH_SECONDS = 60.0
"""Age at which the credentials are read again. kubelet renews a token at 80 % of its life; the old one lives on
for minutes at least."""
CONNECT_SECONDS = 10.0
LIST_READ_SECONDS = 60.0
"""Longest silence while a page is read."""
_WHOLE = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=LIST_READ_SECONDS)
_UPGRADE_SECONDS = 20.0
"""Longest time until a WebSocket is open; the API server connects to the kubelet meanwhile."""


@dataclass(slots=True)
class _Connection:
    """A session with the credentials of its requests, and the number of requests that use it."""

    session: aiohttp.ClientSession
    configuration: Configuration
    read_at: float = field(default_factory=time.monotonic)
    users: int = 0
    retired: bool = False

    @property
    def expired(self) -> bool:
        expires_at = self.configuration.expires_at
        return expires_at is not None and time.time() >= expires_at


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

    @contextlib.asynccontextmanager
    async def websocket(
        self, path: str, query: Mapping[str, str], protocol: str
    ) -> AsyncGenerator[aiohttp.ClientWebSocketResponse, None]:
        """A WebSocket with a subprotocol. Entering raises RequestError, with the reason of the API server."""
        async with self._connected() as connection:
            try:
                async with asyncio.timeout(_UPGRADE_SECONDS):
                    socket = await connection.session.ws_connect(
                        connection.configuration.server + path,
                        params=query,
                        protocols=(protocol,),
                        headers={"Accept": "*/*", **_authorization(connection.configuration)},
                        max_msg_size=0,
                        **_route(connection.configuration),
                    )
            except aiohttp.WSServerHandshakeError as error:
                raise await self._refused_upgrade(path, query, error) from error
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                failure = failure_of(error)
                self._distrust(connection, failure.reason in TLS_REASONS)
                raise RequestError(failure) from error
            try:
                yield socket
            finally:
                await socket.close()

    async def _refused_upgrade(
        self, path: str, query: Mapping[str, str], error: aiohttp.WSServerHandshakeError
    ) -> RequestError:
        """The error with its Status object, which aiohttp discards, from the same request without an upgrade."""
        try:
            await self.get(path, query)
        except RequestError as refusal:
            if refusal.failure.status == error.status:
                return refusal
        return RequestError(Failure(error.status, "no WebSocket", error.message))

    async def close(self) -> None:
        """Close every connection. Requests in flight fail."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.session.close()

    @contextlib.asynccontextmanager
    async def _response(
        self,
        path: str,
        query: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        method: str = "GET",
        headers: Mapping[str, str] = MappingProxyType({}),
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        async with self._connected() as connection:
            configuration = connection.configuration
            try:
                async with connection.session.request(
                    method,
                    configuration.server + path,
                    params=query,
                    headers={**headers, **_authorization(configuration)},
                    json=body,
                    timeout=timeout,
                    **_route(configuration),
                ) as response:
                    await _check(response)
                    try:
                        yield response
                    finally:
                        response.close()  # what is not read yet ends the connection
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
            if self._connection is not None:
                await self._refresh(self._connection)
            if self._connection is None:
                self._connection = await self._connect()
            connection = self._connection
        connection.users += 1
        try:
            yield connection
        finally:
            connection.users -= 1
            if connection.retired and not connection.users:
                await connection.session.close()

    async def _refresh(self, connection: _Connection) -> None:
        """Read aged credentials again. What a plugin gave stays until it expires: then the connection, which may have
        a certificate of the plugin, is replaced."""
        if connection.configuration.plugin:
            if connection.expired:
                connection.retired = True
                self._connection = None
                if not connection.users:
                    await connection.session.close()
        elif time.monotonic() - connection.read_at >= REFRESH_SECONDS:
            connection.read_at = time.monotonic()
            # While a file is replaced, the old credentials are as good as none; the server refuses them in time.
            with contextlib.suppress(SourceError):
                fresh = await load(self._access)
                connection.configuration = replace(
                    connection.configuration, authorization=fresh.authorization
                )

    async def _connect(self) -> _Connection:
        configuration = await load(self._access)
        try:
            headers = {"Accept": _ACCEPTED, "User-Agent": f"steerway/{steerway.__version__}"}
            session = open_session(configuration.tls, headers)
        except OSError as error:  # ssl.SSLError among them: a certificate file that is none
            raise RequestError(Failure(None, "certificates unreadable", str(error))) from error
        self.server = configuration.server
        return _Connection(session, configuration)

    def _distrust(self, connection: _Connection, turned_away: bool) -> None:
        if turned_away:
            connection.retired = True
            if self._connection is connection:
                self._connection = None


def _authorization(configuration: Configuration) -> dict[str, str]:
    return {"Authorization": configuration.authorization} if configuration.authorization else {}


def _route(configuration: Configuration) -> dict[str, Any]:
    """Arguments of a request that the configuration of the cluster decides."""
    return {
        "proxy": configuration.proxy or None,
        "server_hostname": configuration.tls.server_name or None,
    }


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    splitter = LineSplitter()
    try:
        async for chunk in response.content.iter_any():
            for line in splitter.feed(chunk):
                yield line
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise RequestError(failure_of(error)) from error


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise RequestError for a refusal."""
    if response.status < 400:
        return
    status = decode_status(await response.read(), response.status, response.reason or "")
    try:
        header = float(response.headers.get("Retry-After", "0"))
    except ValueError:  # the form with a date, which API servers do not use
        header = 0.0
    wait = max(status.retry_after_seconds, header)
    raise RequestError(Failure(response.status, status.reason, status.message, wait))
