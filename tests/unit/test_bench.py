"""Parts of the benchmark that determine the meaning of its figures: layouts, assignments, medians and ratios."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from rich.console import Console

from bench import mesh, report
from bench.__main__ import plan_of
from bench.child import Child, ChildError
from bench.fleet import Ages, Outcome
from bench.machine import Machine
from bench.plan import WARM_UP_CHANGES, Plan
from bench.scenario import churn, fan_out, summary
from bench.scenario.trial import Measurement

BASE = Measurement(
    contestant="engine",
    layout="hot",
    round=1,
    clients=10,
    updates=100,
    responses=100,
    bytes_per_update=1500.0,
    cpu_us_per_update=10.0,
    system_share=0.5,
    idle_cpu_share=0.0,
    all_updated_ms=[1.0, 5.0, 3.0],
    client_p50_ms=[1.0, 2.0, 1.5],
    client_p99_ms=[1.0, 5.0, 3.0],
    connect_seconds=0.1,
    connect_cpu_us_per_client=50.0,
    base_rss_kb=1000,
    rss_kb_per_stream=20.0,
    pss_kb_per_stream=20.0,
    pss_kb_per_stream_after=21.0,
)


def trials(contestant: str, *cpu: float) -> list[Measurement]:
    """One trial per round with these CPU figures."""
    return [
        replace(BASE, contestant=contestant, round=number, cpu_us_per_update=value)
        for number, value in enumerate(cpu, start=1)
    ]


def test_a_ratio_is_taken_within_each_round() -> None:
    """A slow round does not change the ratio."""
    rows = summary.summarise(
        trials("engine", 10, 100, 12) + trials("linearcache", 20, 200, 48) + trials("floor", 5, 50, 6),
        linear_cache="linearcache",
        floor="floor",
    )
    assert [row.contestant for row in rows] == ["engine", "linearcache", "floor"]
    assert rows[0].cpu_to_linear_cache == 0.5
    assert rows[0].cpu_to_floor == 2.0
    assert rows[0].cpu_us_per_update == summary.Spread(median=12, least=10, greatest=100)
    assert rows[0].all_updated_p50_ms.median == 3.0
    assert rows[0].all_updated_max_ms == 5.0


def test_a_ratio_without_a_peer_is_absent() -> None:
    """Without the peer, or without a common round, there is no ratio."""
    assert summary.ratio(trials("engine", 10), [], summary.cpu) is None
    other_round = [replace(BASE, round=7)]
    assert summary.ratio(trials("engine", 10), other_round, summary.cpu) is None


def test_each_change_reaches_every_client_once() -> None:
    """hot changes the service of all clients; spread one service in each block of three."""
    plan = Plan(clients=2000, services=300, changes=4)
    hot, spread = list(plan.all_changes("hot")), list(plan.all_changes("spread"))
    assert len(hot) == len(spread) == WARM_UP_CHANGES + 4
    assert {change.services for change in hot} == {(0,)}
    for change in spread:
        assert [service // 3 for service in change.services] == list(range(100))
    assert len({change.address for change in spread}) == len(spread)
    assert spread[0].set_line.split()[:3] == ["set", "10.200.0.1", "1"]


def test_an_assignment_joined_from_bytes_is_a_valid_message() -> None:
    """protobuf parses the fast encoding."""
    addresses = mesh.first_addresses(258, 50)
    encoded = mesh.assignment(258, [mesh.encoded_endpoint(address) for address in addresses])
    message = ClusterLoadAssignment.FromString(encoded)
    assert message.cluster_name == "svc-258.bench.svc.cluster.local:50051"
    (locality,) = message.endpoints
    assert locality.load_balancing_weight.value == 50
    assert [e.endpoint.address.socket_address.address for e in locality.lb_endpoints] == addresses
    assert addresses[0] == "10.1.2.1"


def test_times_of_the_fleet_count_from_the_change() -> None:
    """The fleet reports a clock, the outcome has durations."""
    words = "round=1 updates=3 responses=3 resources=3 bytes=60 p50=1500000 p99=2000000 last=3000000"
    outcome = Outcome.parse(words, since_ns=1_000_000)
    assert (outcome.updates, outcome.bytes) == (3, 60)
    assert (outcome.p50_ms, outcome.p99_ms, outcome.last_ms) == (0.5, 1.0, 2.0)


def test_a_stamped_change_has_its_time_of_publication() -> None:
    """24 bits of time in an address, and every service in turn."""
    change = churn.stamped_change(3, 0x1234567 * 100_000, endpoints=2)
    assert (change.address, change.endpoint) == ("11.35.69.103", 1)
    services = {service for tick in range(20) for service in churn.stamped_change(tick, 0, 50).services}
    assert services == set(range(churn.SERVICES))
    ages = Ages.parse("updates=2 responses=2 bytes=9 p50=1500000 p99=2000000 last=3000000")
    assert (ages.updates, ages.p50_ms, ages.last_ms) == (2, 1.5, 3.0)


def test_a_plan_is_short_or_full() -> None:
    """Options of the command line apply to both."""
    short, full = plan_of(False, None, (), ()), plan_of(True, None, (), ())
    assert set(short.scenarios) < set(full.scenarios)
    assert set(short.contestants) < set(full.contestants)
    assert (short.rounds, full.rounds) == (2, 3)
    plan = plan_of(True, 7, ("engine",), ("idle",), clients=5)
    assert (plan.rounds, plan.contestants, plan.scenarios, plan.clients) == (7, ("engine",), ("idle",), 5)


def test_a_child_that_exits_early_is_reported_with_its_standard_error() -> None:
    program = "import sys; print('hello 1'); sys.exit('no such luck')"
    with Child([sys.executable, "-c", program]) as child:
        assert child.hear(re.compile(r"hello (\d)"), 30)[1] == "1"
        with pytest.raises(ChildError, match="no such luck"):
            child.hear(re.compile("never"), 30)


def test_markdown_replaces_only_what_is_between_the_marks(tmp_path: Path) -> None:
    """The text around the tables is written by hand."""
    machine = Machine("2026-01-02", 2, "a processor", "6.0", 0.1, 20_000)
    table = fan_out.table("hot", Plan(), trials("engine", 10))
    result = report.Result(Plan(), machine, [table], [*trials("engine", 10)], ["round 1: lost"])
    file = tmp_path / "benchmarks.md"
    file.write_text("above\n<!-- measured: begin -->\nprevious table\n<!-- measured: end -->\nbelow\n")
    report.write_markdown(result, file)
    text = file.read_text()
    assert text.startswith("above\n<!-- measured: begin -->\n2026-01-02: 2 cores")
    assert text.endswith("\nFailed: round 1: lost\n<!-- measured: end -->\nbelow\n")
    assert "| steerway, engine alone | 10.0 (10.0-10.0) | - | - |" in text
    assert "previous table" not in text
    file.write_text("no marks here\n")
    with pytest.raises(ValueError, match="has no line"):
        report.write_markdown(result, file)


def test_tables_print_one_row_per_server(capsys: pytest.CaptureFixture[str]) -> None:
    """Without truncation at the width of a pipe."""
    table = fan_out.table("hot", Plan(), trials("engine", 10) + trials("floor", 5))
    machine = Machine("2026-01-02", 2, "a processor", "6.0", 0.1, 20_000)
    report.print_tables(report.Result(Plan(), machine, [table], [], []), Console(width=200))
    printed = capsys.readouterr().out
    assert printed.count("steerway, engine alone") == 1
    assert printed.count("raw TCP fan-out (floor)") == 1
    assert "2.00x" in printed
