"""`steerway top` on real replicas, with a real client: what changes is shown while it happens."""

from textual.widgets import DataTable

from steerway.cli.replica.connection import connect as open_replicas
from steerway.cli.replica.options import Where
from steerway.cli.top.app import TopApp
from steerway.cli.top.feed import Feed
from steerway.cli.top.model import Model
from testbed.backend.backend import Backends
from testbed.manifest import NAMESPACE, Files
from testbed.process.control_plane import Steer
from tests.real.conftest import Connect, by
from tests.support.top_terminal import TopTerminal

pytestmark = by("grpcio")


async def test_a_client_a_change_and_a_replica_that_restarts(
    backends: Backends, steer: Steer, connect: Connect, files: Files
) -> None:
    """By events of both; the rows of the replica that is gone are left out."""
    (backend,) = backends.open(1)
    files.publish([backend])
    first, second = steer(), steer()
    connect(first, "--node-id", "checkout-0").dial(f"xds:///backend.{NAMESPACE}:50051").wait_for_answer()
    where = Where((first.admin, second.admin), None, None, None, None, "", None, cluster=False)
    model = Model()
    app = TopApp(Feed(lambda: open_replicas(where), model, search=False), model)
    async with app.run_test(size=(160, 30)) as pilot:
        terminal = TopTerminal(app, pilot)
        await terminal.until(lambda: "2/2 replicas" in terminal.text("#summary"), "both replicas")
        await terminal.until(lambda: all(" live " in line for line in terminal.lines()), "events of both")
        await pilot.press("3")
        await terminal.until(lambda: _in_sync(terminal.lines()), "the client in sync")
        await pilot.press("2")
        await terminal.until(lambda: "1/1" in "".join(terminal.lines()), "the Service")
        files.publish([backend, "127.0.0.9:1"])
        await terminal.until(lambda: "2/2" in "".join(terminal.lines()), "the new endpoint")
        await pilot.press("4")
        changed = f"1 resource of {NAMESPACE}/backend"
        await terminal.until(lambda: changed in "".join(terminal.lines()), "the change")
        table = app.query_one(DataTable)
        await terminal.until(lambda: table.row_count > 2, "the start of both and the change")
        second.kill()
        await terminal.until(lambda: "1/2 replicas" in terminal.text("#summary"), "the loss")


def _in_sync(lines: list[str]) -> bool:
    return len(lines) == 1 and lines[0].startswith("in sync") and f"{NAMESPACE}/checkout" in lines[0]
