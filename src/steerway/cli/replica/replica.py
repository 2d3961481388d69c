"""One replica of the control plane: requests to its admin server."""

import json
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from steerway.errors import SourceError, SteerwayError, TranslateError, UnknownServiceError

ANSWER_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_PAGE_ITEMS = 1000
_SILENT_SECONDS = 60.0
"""Longest silence of an event stream, which has a comment line every 15 s."""
_MAX_EVENT_BYTES = 2**26

_ERRNO = re.compile(r"\[Errno (\d+)\]")

Document = dict[str, Any]
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """A message of `/api/v1/events`."""

    topic: str
    data: Document


@dataclass(slots=True)
class Replica:
    """An admin server. `shown`: its address, as messages name it. `failure` gives the reason for a connection that
    failed, "" where there is none but that of the connection itself; `token_source`: where the token is from;
    `token_hint`: how to give one."""

    name: str
    shown: str
    base: str
    session: aiohttp.ClientSession
    token: str = field(default="", repr=False)
    token_source: str = ""
    token_hint: str = "give its file with --token-file"
    failure: Callable[[], str] = lambda: ""

    async def get(self, path: str, params: Params) -> Document:
        """The document of a path. Raises SourceError, UnknownServiceError and TranslateError."""
        return self._decoded(await self.body(path, params))

    async def body(self, path: str, params: Params) -> bytes:
        """The content of a path, which need not be JSON. Raises as `get`."""
        timeout = aiohttp.ClientTimeout(ANSWER_SECONDS, sock_connect=_CONNECT_SECONDS)
        try:
            async with self._request(path, params, timeout) as response:
                body: bytes = await response.read()
                if response.status != 200:
                    raise self._refusal(path, response.status, body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from None
        return body

    async def items(self, path: str, params: Params) -> Document:
        """The document of a list with the items of all pages. Raises as `get`."""
        document = await self.get(path, {"limit": _PAGE_ITEMS, **params})
        after = document.get("next")
        while after:
            page = await self.get(path, {"limit": _PAGE_ITEMS, **params, "after": after})
            document["items"] += page["items"]
            after = page.get("next")
        return document

    async def events(self, topics: str) -> AsyncIterator[Event]:
        """The messages about some topics until the connection ends. Raises as `get`."""
        timeout = aiohttp.ClientTimeout(None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENT_SECONDS)
        path = "/api/v1/events"
        answered = False
        try:
            async with self._request(path, {"topics": topics}, timeout) as response:
                if response.status != 200:
                    raise self._refusal(path, response.status, await response.read())
                answered = True
                topic, data = "", b""
                async for line in response.content:
                    name, _, value = line.rstrip(b"\r\n").partition(b":")
                    value = value.removeprefix(b" ")
                    if name == b"event":
                        topic = value.decode()
                    elif name == b"data":
                        data += value
                    elif not name and not value and data:
                        yield Event(topic, self._decoded(data))
                        topic, data = "", b""
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if answered and not isinstance(error, ValueError):
                raise SourceError(f"the connection to {self.shown} ended") from None
            raise self._unreachable(error) from None

    def _request(self, path: str, params: Params, timeout: aiohttp.ClientTimeout) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        pairs = [
            (name, str(value))
            for name, values in params.items()
            for value in (values if isinstance(values, list | tuple) else (values,))
            if value not in (None, "")
        ]
        return self.session.get(
            self.base + path,
            params=pairs,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            read_bufsize=_MAX_EVENT_BYTES,
        )

    def _decoded(self, body: bytes) -> Document:
        try:
            document: Document = json.loads(body)
        except ValueError:
            raise self._other_server() from None
        if not isinstance(document, dict):
            raise self._other_server()
        return document

    def _other_server(self) -> SourceError:
        return SourceError(
            f"{self.shown} is not the admin address of a control plane: it does not answer with JSON over HTTP/1"
        )

    def _unreachable(self, error: Exception) -> SourceError:
        if reason := self.failure():
            return SourceError(reason)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return SourceError(f"{self.shown} accepts no connection within {_CONNECT_SECONDS:.0f} s")
        if isinstance(error, TimeoutError):
            return SourceError(f"no control plane answers at {self.shown} within {ANSWER_SECONDS:.0f} s")
        if isinstance(error, aiohttp.ClientConnectorError):
            return SourceError(
                f"no control plane answers at {self.shown}: {_cause(error)}",
                "start one with `steerway serve`, or give its address with --address, or its cluster with --kubeconfig",
            )
        if isinstance(error, aiohttp.ClientResponseError | ValueError):
            return self._other_server()
        return SourceError(
            f"the connection to {self.shown} ended before the answer was complete",
            "run the command again; if it fails again, check that this is the admin address of steerway",
        )

    def _refusal(self, path: str, status: int, body: bytes) -> SteerwayError:
        try:
            document = json.loads(body)
            reason = str(document["error"])
        except (ValueError, KeyError, TypeError):
            return SourceError(
                f"{self.shown} answers with status {status}: is it the admin address of steerway?"
            )
        if status == 401:
            if self.token:
                return SourceError(
                    f"{self.shown} refuses the token in {self.token_source}: it must be that of the replica's"
                    " admin_token_file"
                )
            return SourceError(f"{self.shown} wants a token: {self.token_hint}")
        if "nearest" in document:
            return UnknownServiceError(reason, document["nearest"])
        if status == 400:
            return TranslateError(reason)
        if status == 404:
            return SourceError(
                f"{self.shown} does not have {path}: it is an older version of steerway, or another server"
            )
        return SourceError(f"{self.shown} answers with status {status}: {reason}")


def _cause(error: aiohttp.ClientConnectorError) -> str:
    """Why there is no connection, in the words of the system."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host name {error.host} does not resolve"
    number = error.os_error.errno or 0
    numbers = (
        [number] if number > 0 else map(int, _ERRNO.findall(str(error.os_error)))
    )  # one for each IP address
    return ", ".join(dict.fromkeys(map(os.strerror, numbers))) or str(error.os_error) or "connection failed"
