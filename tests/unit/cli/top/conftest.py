"""`steerway top` in a test terminal, on replicas with real event streams."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from steerway.cli.replica.connection import connect
from steerway.cli.replica.options import Where
from steerway.cli.top.app import TopApp
from steerway.cli.top.feed import Feed
from steerway.cli.top.model import Model
from tests.support.admin_replica import AdminReplica, Document
from tests.support.top_terminal import TopTerminal
from tests.unit.cli.view.conftest import change, listed, node, service, status, workload

Open = Callable[..., AbstractAsyncContextManager[TopTerminal]]


def publish(replica: AdminReplica, name: str, *services: Document) -> None:
    """Everything of a small cluster, by events."""
    replica.publish("status", status(name))
    replica.publish("services", {"reset": True, "put": list(services), "remove": []})
    refused = workload("cart", state="refused", states={"refused": 1}, streams=1)
    replica.publish("clients", {"reset": True, "put": [workload(), refused], "remove": []})
    replica.publish("changes", {"reset": True, "put": [change("7", name)], "remove": []})
    problem = {"where": "Service shop/bad", "reason": "no port", "hint": "add a port"}
    replica.publish("problems", {"reset": True, "put": [problem]})


def documents(name: str) -> dict[str, Document]:
    """Of the same cluster, for requests."""
    detail = {
        **service(),
        "port_details": [],
        "routing": [],
        "subscribers": [],
        "problem_details": [],
        "propagation": {"count": 0},
        "load": [],
        "changes": [change("7", name)],
    }
    return {
        "/api/v1/status": status(name),
        "/api/v1/services": listed(service(), service("idle", state="idle")),
        "/api/v1/services/shop/backend": detail,
        "/api/v1/clients": listed(node()),
        "/api/v1/clients/checkout-1": {**node(), "stream_details": []},
        "/api/v1/changes": listed(change("7", name)),
        "/api/v1/problems": {"problems": [], "next": None},
    }


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[AdminReplica]]:
    """Two replicas on Unix sockets, which are `first` and `second`."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(AdminReplica(documents(name), uds=str(tmp_path / name)))
            for name in ("first", "second")
        ]


def where(*addresses: str) -> Where:
    return Where(addresses, None, None, None, None, "", None, cluster=False)


@pytest.fixture
def open_top(tmp_path: Path) -> Open:
    """Runs the application: `async with open_top() as terminal`, by default on the pair."""

    @asynccontextmanager
    async def run(*addresses: str, size: tuple[int, int] = (140, 30)) -> AsyncIterator[TopTerminal]:
        chosen = addresses or tuple(f"unix:{tmp_path / name}" for name in ("first", "second"))
        model = Model()
        app = TopApp(Feed(lambda: connect(where(*chosen)), model, search=False), model)
        async with app.run_test(size=size) as pilot:
            yield TopTerminal(app, pilot)

    return run
