"""The system under test: all stages of a control plane, connected as in the product, without sockets.

Inputs enter as in the product: bytes of files in a directory, bytes of an API server in an informer.
Each is followed through store, window, catalog, translation, engine, statuses and Events to every page
of the admin server. Any error fails the input, also an isolated one: isolation is for unknown errors.
"""

import asyncio
import contextlib
import io
import json
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from envoy.config.core.v3 import base_pb2

from steerway import app, cli
from steerway.admin.api.http_route import application
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.commit import Commit
from steerway.config import KubernetesSettings, Settings
from steerway.report.events import EventQueue
from steerway.report.status_writer import StatusQueue
from steerway.runtime import isolation
from steerway.sources.files import FileSource, look, source
from steerway.sources.kubernetes import KubernetesSource
from steerway.sources.kubernetes.informer import Informer
from steerway.sources.kubernetes.outage import Outages
from steerway.sources.kubernetes.resource import NAMESPACES
from steerway.sources.kubernetes.source import followed_resources
from steerway.sources.kubernetes.watcher import ListPage, Wait, Watcher
from steerway.translate.client.audience import at_locality, encode
from steerway.translate.client.node import classify
from steerway.translate.xds import type_url

_PAGES = ("/", "/api/v1/problems", "/api/v1/resources", "/api/v1/streams", "/api/v1/loads", "/readyz")
_METRICS_EACH = 20
_ANSWERS = {"/readyz": (200, 503), "/api/v1/explain": (200, 400, 404)}
_MOST_NAMES = 40
_MOST_BODIES = 12
_ROUNDS = 5


class InputError(Exception):
    """An input failed; the text has the traceback."""


class System:
    """Stages that are kept for many inputs; use it as a context. `base` has the objects of the API
    server, by kind, that exist beside the inputs.
    """

    def __init__(self, directory: Path, base: Mapping[str, Sequence[Any]]) -> None:
        self._base = base
        self._directory = directory
        self._failures: list[str] = []
        self._looks = 0
        self._loop = asyncio.new_event_loop()
        self._plane = plane = app.ControlPlane(_settings(directory))
        self._files = next(obj for obj in plane._local.sources if isinstance(obj, FileSource))
        kubernetes = next(obj for obj in plane._local.sources if isinstance(obj, KubernetesSource))
        self._server = _Server()
        followed = followed_resources(kubernetes._options, everywhere=True)
        outages = Outages(kubernetes._apply, lambda: "", kubernetes._log)
        self._informers = {
            resource.kind: Informer(
                resource,
                None,
                self._server,  # type: ignore[arg-type]
                kubernetes._apply,
                outages,
                Watcher(KubernetesSettings.watch_idle_timeout_seconds),
            )
            for resource in (
                NAMESPACES,
                *(resource for resource in followed if resource != NAMESPACES),
            )
        }
        self._loop.run_until_complete(plane._publisher.start())
        plane._phase = "serving"
        self._events, self._statuses = EventQueue(), StatusQueue()
        self._demanded: set[tuple[str, str, str]] = set()
        self._admin = application(plane._view)

    def __enter__(self) -> "System":
        self._patches = pytest.MonkeyPatch()
        self._patches.setattr(isolation, "_report", self._record)
        self._patches.setattr(look, "SETTLE_SECONDS", 0.0)
        self._patches.setattr(source, "in_daemon_thread", _inline)
        self.reset()
        return self

    def _record(self, part: str, failure: str, error: Exception, about: dict[str, object]) -> None:
        """Keep the traceback of an isolated error."""
        text = "".join(traceback.format_exception(error))
        self._failures.append(f"isolated in {part} ({about}): {failure}\n{text}")

    def __exit__(self, *_: object) -> None:
        self._patches.undo()
        self._loop.close()
        self._plane._engine.stop()

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds that are followed."""
        return sorted(self._informers)

    def files(self, files: Mapping[str, bytes]) -> None:
        """Serve and check these files, then remove them. Raises InputError."""
        with self._identified():
            for name, content in files.items():
                (self._directory / name).write_bytes(content)
            self._loop.run_until_complete(self._files._refresh())
            self._follow()
            self._look()
            self._check()
        with self._identified():
            for name in files:
                (self._directory / name).unlink()
            self._loop.run_until_complete(self._files._refresh())
            self._follow()
            self._withdraw()

    def objects(self, kind: str, page: bytes, lines: Iterable[bytes]) -> None:
        """An API server answers a list of a kind with a page and a watch with lines: follow them. Raises InputError."""
        with self._identified():
            self._server.page = page
            informer = self._informers[kind]
            self._loop.run_until_complete(_list(informer))
            for line in lines:
                informer._on_line(line)
            self._follow()
            self._look()
        with self._identified():
            self._withdraw()

    def reset(self) -> None:
        """Restore the objects of the base in the API server."""
        with self._identified():
            for kind, informer in self._informers.items():
                page = {"metadata": {"resourceVersion": "1"}, "items": self._base.get(kind, [])}
                self._server.page = json.dumps(page).encode()
                informer._watcher.on_internal_error()
                self._loop.run_until_complete(_list(informer))
            self._follow()

    @contextlib.contextmanager
    def _identified(self) -> Iterator[None]:
        try:
            yield
        except Exception:  # noqa: BLE001 - each fails the input
            self._failures.append(traceback.format_exc())
        if self._failures:
            text = "\n".join(self._failures)
            self._failures.clear()
            raise InputError(text)

    def _follow(self) -> None:
        """Commit all changes, and answer clients."""
        plane = self._plane
        while (due := plane._local.debouncer._window.take(time.monotonic() + 1000)).keys:
            plane._local.committed.release(due.keys)
            self._loop.run_until_complete(plane._publisher.apply(due))
        self._demand()

    def _look(self) -> None:
        """Evaluate all views of the served state: statuses, Events, the admin server."""
        plane = self._plane
        for _ in range(_ROUNDS):
            plane._evaluator.evaluate(1000)
        now = time.monotonic()
        self._events.look(plane._report.problems(), now)
        self._statuses.look(plane._report.subjects(), now)
        self._loop.run_until_complete(self._read_admin())

    def _demand(self) -> None:
        """Clients of each kind request each Service, and then the names in the answers."""
        ids = sorted({service.id for service in self._plane._federation})[:_MOST_NAMES]
        names = [f"{id.name}.{id.namespace}" for id in ids]
        names += [
            f"{id.name}.{id.namespace}.svc.cluster.local:{port.number}"
            for id in ids
            for port in self._ports(id)
        ]
        wanted = {(type_url.LISTENER, name, audience) for name in names for audience in _AUDIENCES}
        wanted |= {(item, "*", _ENVOY) for item in (type_url.LISTENER, type_url.CLUSTER)}
        for _ in range(_ROUNDS):
            commit = self._plane._translator.demand(sorted(wanted - self._demanded))
            self._demanded |= wanted
            self._publish(commit)
            wanted = {
                (served, name, audience)
                for put in commit.put
                for served, name in put.references
                for audience in _AUDIENCES
                if audience.startswith(put.audience)
            }

    def _ports(self, id: Any) -> Sequence[Any]:
        service = self._plane._federation.service(id)
        return () if service is None else service.ports

    def _withdraw(self) -> None:
        self._publish(self._plane._translator.withdraw(sorted(self._demanded)))
        self._demanded.clear()

    def _publish(self, commit: Commit) -> None:
        self._plane._publisher.publish(commit)

    async def _read_admin(self) -> None:
        explained = [
            f"/api/v1/explain?target={service.id.name}&namespace={service.id.namespace}&client=grpc-go/1.70"
            for service in list(self._plane._federation)[:5]
        ]
        bodies = [
            f"/api/v1/resources/{quote(entry.type_url)}/{quote(entry.name, safe='')}"
            for entry in self._plane._engine.entries()
            if not entry.reason
        ][:_MOST_BODIES]
        self._looks += 1
        # Its names are fixed, and it takes as long as all the others.
        metrics = ["/metrics"] if self._looks % _METRICS_EACH == 1 else []
        for path in (*_PAGES, *metrics, *bodies, *explained):
            status, body = await _get(self._admin, path)
            if status not in _ANSWERS.get(path.partition("?")[0], (200,)):
                self._failures.append(f"GET {path}: {status} {body[:500]!r}")
            body.decode()
            if path.startswith("/api"):
                json.loads(body)

    def _check(self) -> None:
        """`steerway check`: results on a terminal that takes text only, and no traceback."""
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = cli.main(("check", str(self._directory)))
        if code not in (0, 1):
            self._failures.append(f"steerway check ended with {code}")


class _Server:
    """The server of an informer; `page` is the answer to a list."""

    server = "https://server"
    page = b""

    async def get(self, _path: str, _query: Mapping[str, str]) -> bytes:
        return self.page


async def _get(server: Any, target: str) -> tuple[int, bytes]:
    """Status and body of a GET. An HTTP client would be slower than the server."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await server(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def _inline(work: Callable[[], Any], _name: str) -> Any:
    """Threads would be slower than all else, and make runs differ."""
    return work()


async def _list(informer: Informer) -> None:
    """List until a watch would be opened; an invalid page stays invalid."""
    for _ in range(4):
        action = informer._watcher.action
        if isinstance(action, Wait):
            informer._watcher.on_waited()
        elif isinstance(action, ListPage):
            await informer._list(action)


def _settings(directory: Path) -> Settings:
    return Settings(
        listen="127.0.0.1:0",
        admin="127.0.0.1:0",
        files=(directory,),
        kubernetes=KubernetesSettings(enabled=True, client_locality="bootstrap_first"),
        topology="node",
    )


def _audience(node: base_pb2.Node, bucket: int | None) -> str:
    audience = classify(node.SerializeToString(), "shop", "")
    return encode(at_locality(audience, ClientLocality("eu-1a", "n1"), bucket))


_ENVOY = _audience(base_pb2.Node(id="sidecar~1", user_agent_name="envoy"), 1)
_AUDIENCES = (
    _audience(base_pb2.Node(id="a", user_agent_name="gRPC Go"), 1),
    _audience(base_pb2.Node(id="a", user_agent_name="gRPC C-core"), 2),
    _ENVOY,
)
