"""The lists, keys and updates of `steerway top`."""

from pathlib import Path

from textual.widgets import DataTable

from steerway.cli.top.screen import TextScreen
from tests.support.admin_replica import AdminReplica
from tests.support.top_terminal import TopTerminal
from tests.unit.cli.top.conftest import Open, documents, publish
from tests.unit.cli.view.conftest import service, workload


async def ready(terminal: TopTerminal) -> None:
    await terminal.until(lambda: "2/2 replicas" in terminal.text("#summary"), "both replicas")


async def test_every_list_has_the_rows_of_both_replicas(pair: list[AdminReplica], open_top: Open) -> None:
    """Streams are added up; the worst state comes first."""
    for replica, name in zip(pair, ("first", "second"), strict=True):
        publish(replica, name, service(), service("cart", state="error"))
    async with open_top() as terminal:
        await ready(terminal)
        assert "2/2 replicas · 2 services · 6 streams: in sync" in terminal.text("#summary")
        assert [line.split()[0].rpartition("/")[2] for line in terminal.lines()] == ["first", "second"]
        assert all(" live " in line for line in terminal.lines())
        await terminal.press("2")
        assert [line.split()[:2] for line in terminal.lines()] == [
            ["shop/cart", "error"],
            ["shop/backend", "ok"],
        ]
        assert " 6 " in terminal.lines()[1]
        await terminal.press("3")
        assert [line.split()[:3] for line in terminal.lines()] == [
            ["refused", "shop/cart", "Deployment"],
            ["in", "sync", "shop/checkout"],
        ]
        await terminal.press("4")
        assert ["endpoints of shop/backend" in line for line in terminal.lines()] == [True, True]
        await terminal.press("5")
        (problem,) = terminal.lines()
        assert problem == "Service shop/bad no port add a port"
        assert "5 problems   1 rows by object" in terminal.text("#views")
        await terminal.press("tab")
        assert len(terminal.lines()) == 2
        await terminal.press("shift+tab")
        assert terminal.lines() == [problem]


async def test_a_change_updates_its_cell_and_leaves_the_cursor(
    pair: list[AdminReplica], open_top: Open
) -> None:
    for replica, name in zip(pair, ("first", "second"), strict=True):
        publish(replica, name, service("a"), service("b"), service("c"))
    async with open_top() as terminal:
        await ready(terminal)
        await terminal.press("2", "down", "down")
        table = terminal.app.query_one(DataTable)
        assert table.cursor_row == 2
        pair[0].publish("services", {"reset": False, "put": [service("b", state="warning")], "remove": []})
        pair[0].publish("services", {"reset": False, "put": [], "remove": ["shop/a"]})
        pair[1].publish("services", {"reset": False, "put": [], "remove": ["shop/a"]})
        await terminal.until(lambda: len(terminal.lines()) == 2, "the row is gone")
        await terminal.until(lambda: "shop/b warning" in terminal.lines()[0], "the new state")
        assert table.cursor_row == 1
        pair[0].publish("services", {"reset": False, "put": [service("c", problems=9)], "remove": []})
        await terminal.until(lambda: " 9 " in terminal.lines()[1], "the new cell")


async def test_filter_and_order(pair: list[AdminReplica], open_top: Open) -> None:
    """Each list has its own."""
    services = [service("a"), service("b", clients={"streams": 9, "workloads": 1, "states": {"behind": 9}})]
    publish(pair[0], "first", *services)
    publish(pair[1], "second")
    async with open_top() as terminal:
        await ready(terminal)
        await terminal.press("2", "s", "s")
        assert "by streams" in terminal.text("#views")
        assert [line.split()[0] for line in terminal.lines()] == ["shop/b", "shop/a"]
        await terminal.press("slash", "B", "e", "h", "i", "enter")
        assert [line.split()[0] for line in terminal.lines()] == ["shop/b"]
        assert "1 rows by streams, with 'Behi'" in terminal.text("#views")
        await terminal.press("3")
        assert len(terminal.lines()) == 2
        await terminal.press("2")
        assert len(terminal.lines()) == 1
        await terminal.press("escape")
        assert len(terminal.lines()) == 2


async def test_rows_are_described(pair: list[AdminReplica], open_top: Open) -> None:
    """A Service and a client as `steerway describe` does, others by all fields; Escape returns."""
    for replica, name in zip(pair, ("first", "second"), strict=True):
        publish(replica, name, service())
    async with open_top() as terminal:
        await ready(terminal)
        for key, words in (
            ("2", "endpoints of shop/backend"),
            ("3", "Client:    checkout-1"),
            ("4", "event_to_published_seconds: 0.012"),
            ("5", "hint: add a port"),
            ("1", "config_age_seconds"),
        ):
            await terminal.press(key, "enter")
            assert isinstance(terminal.app.screen, TextScreen)
            await terminal.until(lambda words=words: words in terminal.text("#text"), words)  # type: ignore[misc]
            await terminal.press("escape")
        await terminal.press("question_mark")
        assert "describe the row" in terminal.text("#text")
        await terminal.press("escape", "q")


async def test_a_replica_that_is_lost_and_returns(
    pair: list[AdminReplica], open_top: Open, tmp_path: Path
) -> None:
    """Its rows are left out meanwhile."""
    publish(pair[0], "first", service())
    path = tmp_path / "third"
    address = f"unix:{path}"
    with AdminReplica(documents("third"), uds=str(path)) as third:
        publish(third, "third", service(), service("only-here"))
        async with open_top(f"unix:{tmp_path / 'first'}", address) as terminal:
            await ready(terminal)
            await terminal.press("2")
            assert len(terminal.lines()) == 2
            third._server.should_exit = True
            await terminal.until(lambda: "1/2 replicas" in terminal.text("#summary"), "the loss")
            await terminal.until(lambda: len(terminal.lines()) == 1, "the rows of the other")
            await terminal.press("1")
            await terminal.until(
                lambda: "third lost <none> no answer" in terminal.lines()[1], "the row of the lost one"
            )
            third._thread.join()
            path.unlink(missing_ok=True)
            with AdminReplica(documents("third"), uds=str(path)) as again:
                publish(again, "third", service())
                await ready(terminal)
                assert all(" live " in line for line in terminal.lines())


async def test_lists_of_replicas_without_events(pair: list[AdminReplica], open_top: Open) -> None:
    """They are polled."""
    for replica in pair:
        replica.documents["/api/v1/clients"] = {"items": [workload()], "next": None}
    async with open_top() as terminal:
        await ready(terminal)
        assert all(" polled " in line for line in terminal.lines())
        await terminal.press("2")
        assert [line.split()[0] for line in terminal.lines()] == ["shop/backend", "shop/idle"]


async def test_a_large_mesh(pair: list[AdminReplica], open_top: Open) -> None:
    """2,000 workloads and 500 Services at each of two replicas."""
    services = [service(f"s{number}") for number in range(500)]
    workloads = [workload(f"w{number}") for number in range(2000)]
    for replica, name in zip(pair, ("first", "second"), strict=True):
        publish(replica, name, *services)
        replica.publish("clients", {"reset": True, "put": workloads, "remove": []})
    async with open_top() as terminal:
        await ready(terminal)
        await terminal.press("3")
        await terminal.until(lambda: terminal.app.query_one(DataTable).row_count == 2000, "all workloads")
        await terminal.press("end")
        table = terminal.app.query_one(DataTable)
        assert table.cursor_row == 1999
        pair[0].publish("clients", {"reset": False, "put": [workload("w5", streams=77)], "remove": []})
        await terminal.until(lambda: any(" 79 " in line for line in terminal.lines()), "the new number")
        assert table.cursor_row == 1999
        await terminal.press("2")
        assert table.row_count == 500
