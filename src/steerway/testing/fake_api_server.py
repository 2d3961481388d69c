"""A fake Kubernetes API server: real HTTP list and watch on loopback, with faults on demand.

It speaks the part of the API that an informer uses (lists in pages, watches with bookmarks, resourceVersions,
410, Status objects, bearer tokens) for Namespaces, Services, EndpointSlices, Pods, Nodes, TrafficPolicies and kinds of
the Gateway API, what a writer uses (get, create, update with a resourceVersion, merge patch, JSON patch, the status
apart, 409) for these, Leases, Events, Secrets and MutatingWebhookConfigurations, and with an `issuer` TokenReviews and
the keys of its tokens, so that a client is tested through its real transport. It does not default, validate or prune
objects, has no admission, and knows no other kinds; `tests/cluster` runs a real API server for that.

    async with FakeApiServer() as server:
        server.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "backend"}, "spec": {...}})
        server.write_kubeconfig(path)

All methods are to be called on the event loop that runs the server.
"""

import asyncio
import contextlib
import copy
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from aiohttp import web

from steerway.testing.api_path import CLUSTER_WIDE, COLLECTIONS, WITH_STATUS, parse
from steerway.testing.fake_token_issuer import JWKS, REVIEWS, FakeTokenIssuer
from steerway.testing.json_patch import PatchError, patched

Manifest = dict[str, Any]
_Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in. `token` is the bearer token, empty without one."""

    path: str
    query: Mapping[str, str]
    token: str
    method: str = "GET"

    @property
    def verb(self) -> str:
        if self.method != "GET":
            return {"POST": "create", "PUT": "update", "PATCH": "patch"}[self.method]
        if parse(self.path).name:
            return "get"
        return "watch" if self.query.get("watch") in ("1", "true") else "list"


@dataclass(slots=True)
class _Fault:
    """An answer that the next requests get instead of the right one."""

    verb: str
    status: int
    reason: str
    headers: Mapping[str, str]
    left: int
    plural: str


@dataclass(slots=True, eq=False)
class _OpenWatch:
    kind: str
    namespace: str | None
    bookmarks: bool
    request: web.Request
    since: int
    lines: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Backup:
    """What a server has stored at one version."""

    version: int
    objects: Mapping[_Key, Manifest]


class FakeApiServer:
    """See the module's docstring. An async context manager; `stop` and `start` again keep port and
    objects."""

    def __init__(
        self, *, token: str | None = None, tls: ssl.SSLContext | None = None, chunk_bytes: int = 0
    ) -> None:
        self.token = token
        """The bearer token that requests must carry; None lets everyone in. May be changed at any time."""
        self.chunk_bytes = chunk_bytes
        """Watches are written in pieces of this many bytes, each a chunk of its own; 0 writes whole lines."""
        self.requests: list[Request] = []
        """Every request so far, refused ones included."""
        self.issuer: FakeTokenIssuer | None = None
        """The issuer whose tokens it reviews and whose keys it serves; None: no issuer (404)."""
        self.missing: set[str] = set()
        """Kinds that are not installed, as in paths (`grpcroutes`), or one version of them, by its collection
        (`/apis/GROUP/v1/httproutes`): 404. May be changed at any time."""
        self.port = 0
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._objects: dict[_Key, Manifest] = {}
        self._version = 1
        self._oldest = 0
        self._expired_in_stream = False
        self._events: list[tuple[int, str, Manifest]] = []
        self._watches: set[_OpenWatch] = set()
        self._faults: list[_Fault] = []
        self._watches_paused = False
        self._paused: set[object] = set()
        self._pages: dict[str, tuple[int, list[Manifest]]] = {}
        self._released = asyncio.Event()
        self._released.set()
        self._changed = asyncio.Condition()

    # Life

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on loopback, on the port of the last time if there was one."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        for method in ("POST", "PUT", "PATCH"):
            app.router.add_route(method, "/{path:.*}", self._answer)
        # handler_cancellation: a client that goes ends its watch here, too.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and cut every connection. Objects, versions and the event log stay."""
        self.drop_watches()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # Objects

    @property
    def resource_version(self) -> int:
        return self._version

    def put(self, *manifests: Manifest) -> None:
        """Create or replace objects, each with a version of its own. The namespace defaults to `default`."""
        for manifest in manifests:
            stored = copy.deepcopy(manifest)
            metadata = stored.setdefault("metadata", {})
            if stored["kind"] in CLUSTER_WIDE:
                metadata["namespace"] = ""
            metadata.setdefault("namespace", "default")
            key = (stored["kind"], metadata["namespace"], metadata.get("name", ""))
            present = self._objects.get(key)
            metadata.setdefault("uid", present["metadata"]["uid"] if present else f"uid-{self._version + 1}")
            if stored["kind"] in WITH_STATUS:
                metadata["generation"] = _generation(stored, present)
            self._store("MODIFIED" if key in self._objects else "ADDED", key, stored)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object. Raises KeyError when it does not exist."""
        self._store("DELETED", (kind, namespace, name), copy.deepcopy(self._objects[kind, namespace, name]))

    def objects(self, kind: str) -> list[Manifest]:
        """All objects of a kind, by namespace and name."""
        return [copy.deepcopy(self._objects[key]) for key in sorted(self._objects) if key[0] == kind]

    # Faults

    def fail(
        self,
        status: int,
        *,
        verb: str = "",
        times: int = 1,
        reason: str = "",
        headers: Mapping[str, str] | None = None,
        plural: str = "",
    ) -> None:
        """Answer the next `times` requests with a Status of this code.

        Those of one verb (`list`, `watch`, `get`, `create`, `update` or `patch`) and of one collection (`pods`), where
        these are given.
        """
        self._faults.append(_Fault(verb, status, reason, headers or {}, times, plural))

    def expire(self, *, in_stream: bool = False) -> None:
        """Forget the past: watches from before now and all continue tokens get 410 Gone.

        `in_stream` lets a watch begin and then sends the Status in an ERROR event, as the watch cache does.
        Open watches are not touched: see `end_watches`.
        """
        self._oldest = self._version
        self._expired_in_stream = in_stream
        self._pages.clear()

    def end_watches(self, status: int | None = None) -> None:
        """End every open watch properly, after an ERROR event with this status if one is given."""
        for watch in self._watches:
            if status is not None:
                watch.lines.put_nowait(_event("ERROR", _status(status, "")))
            watch.lines.put_nowait(None)

    def drop_watches(self) -> None:
        """Cut the connection of every open watch, in the middle of the stream."""
        for watch in self._watches:
            if watch.request.transport is not None:
                watch.request.transport.abort()

    def backup(self) -> Backup:
        """What is stored now, as `etcdctl snapshot save` has it."""
        return Backup(self._version, copy.deepcopy(self._objects))

    def restore(self, backup: Backup) -> None:
        """Go back to a backup, and to its resourceVersion. Open watches are not touched: see `drop_watches`.

        A watch from a version after that is answered 200 and stays silent until the versions have caught up.
        """
        self._version, self._objects = backup.version, copy.deepcopy(dict(backup.objects))
        self._events = [event for event in self._events if event[0] <= self._version]
        self._oldest = min(self._oldest, self._version)
        self._pages.clear()

    def pause_watches(self, paused: bool = True) -> None:
        """Do not answer watches that are opened from now on, not even with headers; False ends it for later ones."""
        self._watches_paused = paused

    def freeze_watches(self) -> None:
        """Open watches send nothing any more and never end, like those of a proxy whose server is gone."""
        for watch in self._watches:
            watch.frozen = True

    def bookmark(self) -> None:
        """Send a bookmark of the present version to every watch that asked for them."""
        for watch in self._watches:
            if watch.bookmarks and watch.since <= self._version:
                version = {"resourceVersion": str(self._version)}
                watch.lines.put_nowait(_event("BOOKMARK", {"kind": watch.kind, "metadata": version}))

    def send(self, line: bytes, kind: str = "") -> None:
        """Send raw bytes to every open watch, or to those of one kind."""
        for watch in self._watches:
            if kind in ("", watch.kind):
                watch.lines.put_nowait(line)

    def pause(self) -> None:
        """Let lists and reviews wait until `release`."""
        self._released.clear()

    def release(self) -> None:
        self._released.set()

    # Observation

    @property
    def open_watches(self) -> int:
        return len(self._watches)

    @property
    def silent_watches(self) -> frozenset[object]:
        """Watches without events, whatever changes now: paused, frozen, or of a version after the present one."""
        silent = (watch for watch in self._watches if watch.frozen or watch.since > self._version)
        return frozenset([*silent, *self._paused])

    async def until(self, condition: Callable[[], bool], timeout_seconds: float = 20.0) -> None:
        """Wait until `condition` holds; it is tried at each request and each opened or closed watch."""
        async with asyncio.timeout(timeout_seconds), self._changed:
            await self._changed.wait_for(condition)

    def count(self, verb: str) -> int:
        """How many requests of a verb (`list`, `watch`, `get`, `create`, `update` or `patch`) came so far."""
        return sum(request.verb == verb for request in self.requests)

    def write_kubeconfig(
        self,
        path: Path,
        *,
        user: Mapping[str, Any] | None = None,
        namespace: str = "",
        ca: Path | None = None,
    ) -> Path:
        """Write a kubeconfig that leads here. `user` is its user section; None uses the server's own
        token."""
        if user is None:
            user = {"token": self.token} if self.token is not None else {}
        cluster = {"server": self.url, **({"certificate-authority": str(ca)} if ca else {})}
        context = {"cluster": "fake", "user": "tester", **({"namespace": namespace} if namespace else {})}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "tester", "user": dict(user)}],
            "contexts": [{"name": "fake", "context": context}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    # HTTP

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        header = http.headers.get("Authorization", "")
        request = Request(http.path, dict(http.query), header.removeprefix("Bearer "), http.method)
        self.requests.append(request)
        await self._notify()
        if self.token is not None and request.token != self.token:
            return _refuse(401, "Unauthorized")
        if (fault := self._fault(request)) is not None:
            return _refuse(fault.status, fault.reason, fault.headers)
        if self.issuer is not None:
            if request.path == REVIEWS and request.method == "POST":
                await self._released.wait()
                return _review(await http.json(), self.issuer)
            if (document := self.issuer.document(request.path)) is not None:
                kind = "application/jwk-set+json" if request.path == JWKS else "application/json"
                if not any(media_type in http.headers.get("Accept", "") for media_type in (kind, "*/*")):
                    return _refuse(406, "NotAcceptable")
                return web.Response(body=document, content_type=kind)
        path = parse(request.path)
        if path.collection not in COLLECTIONS or not self.missing.isdisjoint((path.plural, path.collection)):
            return _refuse(404, "NotFound")
        (api_version, kind), namespace = COLLECTIONS[path.collection], path.namespace
        if path.name or request.method != "GET":
            key = (kind, namespace or "", path.name)
            return self._answer_object(request, key, await http.json() if http.can_read_body else {})
        if request.verb == "watch":
            return await self._watch(http, request, kind, namespace)
        await self._released.wait()
        return self._list(request, (api_version, kind), namespace)

    def _fault(self, request: Request) -> _Fault | None:
        for fault in self._faults:
            if fault.verb in ("", request.verb) and request.path.endswith(fault.plural):
                fault.left -= 1
                if not fault.left:
                    self._faults.remove(fault)
                return fault
        return None

    def _answer_object(self, request: Request, key: _Key, body: Any) -> web.Response:
        """Get, create, update or patch one object."""
        if request.verb == "create":
            key = (key[0], key[1], body["metadata"]["name"])
            if key in self._objects:
                return _refuse(409, "AlreadyExists")
            self.put(body)
            return web.json_response(self._objects[key], status=201)
        present = self._objects.get(key)
        if present is None:
            return _refuse(404, "NotFound")
        if isinstance(body, list):
            try:
                self.put(patched(present, body))
            except PatchError:
                return _refuse(422, "Invalid")
        elif request.verb != "get":
            version = body.get("metadata", {}).get("resourceVersion")
            if version and version != present["metadata"]["resourceVersion"]:
                return _refuse(409, "Conflict")
            wanted = body if request.verb == "update" else _merged(present, body)
            if key[0] in WITH_STATUS:
                wanted = _with_own_part(present, wanted, parse(request.path).subresource)
            # What changes nothing makes no event (API concepts: no new resourceVersion either).
            if key[0] not in WITH_STATUS or wanted != present:
                self.put(wanted)
        return web.json_response(self._objects[key])

    def _list(self, request: Request, typed: tuple[str, str], namespace: str | None) -> web.Response:
        limit = int(request.query.get("limit", "0"))
        token = request.query.get("continue", "")
        if token:
            if token not in self._pages:
                return _refuse(410, "Expired")
            version, left = self._pages[token]
        else:
            version = self._version
            left = [
                self._objects[key] for key in sorted(self._objects) if _selected(key, typed[1], namespace)
            ]
        items, left = (left[:limit], left[limit:]) if limit else (left, [])
        metadata = {"resourceVersion": str(version)}
        if left:
            metadata["continue"] = f"{version}-{len(left)}-{typed[1]}-{namespace or ''}"
            self._pages[metadata["continue"]] = (version, left)
        # Items of a list carry no type of their own, as in real lists.
        bare = [
            {key: value for key, value in item.items() if key not in ("apiVersion", "kind")} for item in items
        ]
        body = {"apiVersion": typed[0], "kind": f"{typed[1]}List", "metadata": metadata, "items": bare}
        return web.json_response(body)

    async def _watch(
        self, http: web.Request, request: Request, kind: str, namespace: str | None
    ) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion", "") or self._version)
        if since < self._oldest and not self._expired_in_stream:
            return _refuse(410, "Expired")
        if self._watches_paused:
            await self._pause()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(http)
        if since < self._oldest:
            await response.write(_event("ERROR", _status(410, "Expired")))
            return response
        bookmarks = request.query.get("allowWatchBookmarks") in ("1", "true")
        watch = _OpenWatch(kind, namespace, bookmarks, http, since)
        for version, change, stored in self._events:
            if version > since and _selected(_key(stored), kind, namespace):
                watch.lines.put_nowait(_event(change, stored))
        self._watches.add(watch)
        await self._notify()
        try:
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(float(request.query.get("timeoutSeconds", "300"))):
                    while (line := await watch.lines.get()) is not None and not watch.frozen:
                        await self._write(response, line)
            if watch.frozen:
                await asyncio.Event().wait()
        finally:
            self._watches.discard(watch)
            with contextlib.suppress(RuntimeError):  # the loop may be closing
                await self._notify()
        return response

    async def _pause(self) -> None:
        """Until the client goes."""
        paused = object()
        self._paused.add(paused)
        try:
            await self._notify()
            await asyncio.Event().wait()
        finally:
            self._paused.discard(paused)
            with contextlib.suppress(RuntimeError):  # the loop may be closing
                await self._notify()

    async def _write(self, response: web.StreamResponse, line: bytes) -> None:
        size = self.chunk_bytes or len(line)
        for start in range(0, len(line), size):
            await response.write(line[start : start + size])
            await asyncio.sleep(0)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _store(self, change: str, key: _Key, manifest: Manifest) -> None:
        self._version += 1
        manifest["metadata"]["resourceVersion"] = str(self._version)
        if change == "DELETED":
            del self._objects[key]
        else:
            self._objects[key] = manifest
        self._events.append((self._version, change, manifest))
        for watch in self._watches:
            if self._version > watch.since and _selected(key, watch.kind, watch.namespace):
                watch.lines.put_nowait(_event(change, manifest))


def _with_own_part(present: Manifest, wanted: Manifest, subresource: str) -> Manifest:
    """The object after a write by its status' path, which changes the status alone, or by its own, which changes all
    but the status."""
    base, status = (present, wanted) if subresource == "status" else (wanted, present)
    written = {name: value for name, value in base.items() if name != "status"}
    return written | ({"status": status["status"]} if "status" in status else {})


def _generation(stored: Manifest, present: Manifest | None) -> int:
    if present is None:
        return 1
    same = stored.get("spec") == present.get("spec")
    return int(present["metadata"]["generation"]) + (0 if same else 1)


def _merged(present: Manifest, patch: Manifest) -> Manifest:
    """JSON merge patch (RFC 7386)."""
    merged = copy.deepcopy(present)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _merged(merged[name], value)
        else:
            merged[name] = value
    return merged


def _review(review: Manifest, issuer: FakeTokenIssuer) -> web.Response:
    spec = review["spec"]
    return web.json_response(
        {**review, "status": issuer.review(spec["token"], spec.get("audiences", []))}, status=201
    )


def _key(manifest: Manifest) -> _Key:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata["namespace"], metadata.get("name", "")


def _selected(key: _Key, kind: str, namespace: str | None) -> bool:
    return key[0] == kind and namespace in (None, key[1])


def _event(change: str, content: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": change, "object": content}).encode() + b"\n"


def _status(code: int, reason: str) -> Manifest:
    if not reason:
        reason = {401: "Unauthorized", 403: "Forbidden", 410: "Expired"}.get(code, "InternalError")
    message = f"the fake server is set to answer {code}"
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": message,
    }


def _refuse(code: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(_status(code, reason), status=code, headers=dict(headers or {}))
