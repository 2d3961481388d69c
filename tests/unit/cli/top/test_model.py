"""Rows of several replicas, without a terminal."""

from steerway.cli.replica.replica import Event
from steerway.cli.top.model import Model
from steerway.cli.top.view import VIEWS, summary
from tests.unit.cli.view.conftest import change, service, status


def model() -> Model:
    made = Model(lambda: 0.0)
    made.set_members(["a", "b"], {})
    for name in ("a", "b"):
        made.apply(name, Event("status", status(name)))
        made.apply(name, Event("services", {"reset": True, "put": [service("x"), service(name)]}))
    return made


def test_rows_are_merged_and_removed() -> None:
    made = model()
    assert [row["id"] for row in made.services()] == ["shop/a", "shop/b", "shop/x"]
    made.apply("a", Event("services", {"reset": False, "put": [], "remove": ["shop/a", "shop/absent"]}))
    made.apply("b", Event("services", {"reset": True, "put": [service("x")]}))
    assert [row["id"] for row in made.services()] == ["shop/x"]


def test_a_lost_replica_keeps_its_row_with_the_reason() -> None:
    """It is failing until it answers; rows of its clients are gone."""
    now = 10.0
    made = Model(lambda: now)
    made.set_members(["a", "b"], {"c": "its pod is Pending"})
    assert [row["error"] for row in made.replicas()] == ["connecting", "connecting", "its pod is Pending"]
    made.apply("a", Event("services", {"reset": True, "put": [service()]}))
    made.lost("a", "gone")
    now = 15.0
    assert made.failing_seconds() == 5.0
    assert made.services() == []
    assert made.replicas()[0] == {"id": "a", "polled": False, "error": "gone"}
    made.replace("a", {"services": [service()]})
    assert made.failing_seconds() == 0.0
    assert made.replicas()[0] == {"id": "a", "polled": True}


def test_replicas_after_a_rollout() -> None:
    """What is known of those that stay is kept."""
    made = model()
    made.lost("b", "gone")
    made.set_members(["a", "d"], {})
    assert [row["id"] for row in made.replicas()] == ["a", "d"]
    assert [row["id"] for row in made.services()] == ["shop/a", "shop/x"]
    assert made.failing_seconds() == 0.0


def test_changes_are_bounded() -> None:
    made = model()
    made.apply("a", Event("changes", {"reset": True, "put": [change(str(n), "a") for n in range(2100)]}))
    rows = made.changes()
    assert (len(rows), rows[0]["id"], rows[-1]["id"]) == (2000, "2099", "100")


def test_each_order_of_each_list_accepts_rows_without_values() -> None:
    """Rows without a value come last."""
    made = model()
    made.lost("b", "gone")
    orders = 0
    for view in VIEWS:
        for order in range(len(view.sorts)):
            view.select(made, order, "")
            orders += 1
    assert orders > 12
    services = next(view for view in VIEWS if view.name == "services")
    made.apply("a", Event("services", {"put": [service("y", changed_age_seconds=None)]}))
    assert [row["id"] for row in services.select(made, 4, "")][-1] == "shop/y"
    assert [row["id"] for row in services.select(made, 1, "SHOP/y 50051")] == ["shop/y"]


def test_the_line_above_the_lists() -> None:
    made = model()
    made.apply("b", Event("status", status("b", states={"in_sync": 1, "refused": 2}, problems=4)))
    assert "2 services · 6 streams: " in summary(made)
    assert summary(made).index("refused 2") < summary(made).index("in sync 4")
    assert "4 problems" in summary(made)
