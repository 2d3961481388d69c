"""Texts and picture of the report state what was measured, and nothing else."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from demo.view import report
from demo.view.outcome import FleetOutcome, Outcome
from demo.view.picture import draw, headline, result


def text_of(outcome: Outcome) -> str:
    """The printed report."""
    console = Console(file=io.StringIO(), width=160)
    report.show(outcome, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_the_figures_of_each_fleet(make_outcome: Callable[..., Outcome]) -> None:
    """Errors, gap with its time, balance with its window, connections."""
    text = text_of(make_outcome())
    for row in (
        r"busiest backend before\W+100%\W+50%\W+50%\W",
        r"busiest backend after\W+100%\W+50%\W+50%\W",
        r"connections per client\W+1\W+2\W+2\W",
    ):
        assert re.search(row, text), row
    for shown in (
        "clusterip",
        "UNAVAILABLE 100",
        "10.10 s",
        "(15.9 to 26.0)",
        "20.0 to 30.0 s",
    ):
        assert shown in text


def test_a_gap_is_explained_by_the_age_of_the_addresses(make_outcome: Callable[..., Outcome]) -> None:
    """The last stop was at 15.9 s, the lookup before it half a second before the start."""
    text = text_of(make_outcome())
    assert "asked for the addresses at -0.5, 25.9 s" in text
    assert "were 16.4 s old" in text
    assert "no success for 10.1 s, until it asked again" in text
    assert "First UNAVAILABLE of the dns fleet: Connection refused" in text


def test_a_fleet_without_recovery_is_reported(make_outcome: Callable[..., Outcome]) -> None:
    """The report claims no recovery that was not measured."""
    text = text_of(make_outcome(recovers=30.0))
    assert "until the run ended" in text
    assert "dns fleet had not recovered when the run ended" in text
    assert "xds fleet had not recovered" not in text


def test_without_a_gap_no_outage_is_reported(make_outcome: Callable[..., Outcome]) -> None:
    text = text_of(make_outcome(recovers=16.0))
    assert "no success for" not in text


def test_an_overloaded_backend_is_reported_without_a_gap(make_outcome: Callable[..., Outcome]) -> None:
    """It is the result of a run without failures."""
    outcome = make_outcome(recovers=16.0)
    crowd = replace(outcome, fleets=tuple(_crowded(fleet) for fleet in outcome.fleets))
    assert "answered 11 of the 10 requests of a second" in text_of(crowd)
    assert "at worst one of them" not in text_of(outcome)


def _crowded(fleet: FleetOutcome) -> FleetOutcome:
    return replace(fleet, figures=replace(fleet.figures, loads=({"127.20.2.1": 11},)))


def test_pinned_load_is_reported(make_outcome: Callable[..., Outcome]) -> None:
    """Shares before and after, and backends without any request."""
    text = text_of(make_outcome())
    assert "2 clients of the clusterip fleet had 2 connections" in text
    assert "answered 100% of the requests before the restart and 100% after it; even is 50%" in text
    assert "1 of the 2 new backends answered nothing after the restart" in text


def test_even_load_is_not_reported_as_pinned(make_outcome: Callable[..., Outcome]) -> None:
    """Chance can give each pod the same number of connections."""
    outcome = make_outcome()
    even = replace(outcome.fleet("xds"), name="clusterip")
    assert "kube-proxy chooses" not in text_of(replace(outcome, fleets=(even, *outcome.fleets[1:])))


def test_an_unfinished_rollout_is_reported(make_outcome: Callable[..., Outcome]) -> None:
    """The figures are those of a part of the rollout."""
    assert "NOT finished" in text_of(make_outcome(rollout_to=None))


def test_the_default_warm_up_is_reported(
    make_outcome: Callable[..., Outcome],
) -> None:
    """It favours the outage; a given one needs no remark."""
    assert "--warm-up 35" in text_of(make_outcome())
    assert "--warm-up 35" not in text_of(make_outcome(warm_up=31.0))


def test_late_requests_of_a_busy_machine_are_reported(make_outcome: Callable[..., Outcome]) -> None:
    """They are no fault of the network."""
    outcome = make_outcome()
    late = replace(outcome, fleets=tuple(replace(fleet, max_late_seconds=0.7) for fleet in outcome.fleets))
    assert "0.70 s late" in text_of(late)
    assert " late." not in text_of(outcome)


def test_each_panel_of_the_picture_has_its_result(make_outcome: Callable[..., Outcome]) -> None:
    """An outage only where there was one."""
    outcome = make_outcome()
    assert [headline(fleet, outcome) for fleet in outcome.fleets] == [
        "clusterip: ClusterIP, kube-proxy, 1 connection per client",
        "dns: headless Service, DNS, 2 connections per client",
        "xds: xDS, steerway, 2 connections per client",
    ]
    assert [result(fleet) for fleet in outcome.fleets] == [
        "none of 300 requests failed; busiest backend: 100% of the load before, 100% after",
        "100 of 300 requests failed, 10.1 s outage; busiest backend: 50% of the load before, 50% after",
        "none of 300 requests failed; busiest backend: 50% of the load before, 50% after",
    ]


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_picture_is_written_with_its_folder(
    make_outcome: Callable[..., Outcome], tmp_path: Path, ending: str, magic: bytes
) -> None:
    """The file extension determines the format."""
    path = tmp_path / "new" / f"demo.{ending}"
    draw(make_outcome(), path)
    assert path.read_bytes().startswith(magic)


def test_a_run_without_any_success_or_end_of_rollout_can_be_drawn(
    make_outcome: Callable[..., Outcome], tmp_path: Path
) -> None:
    """The worst outcome has a picture, too."""
    draw(make_outcome(recovers=30.0, rollout_to=None), tmp_path / "demo.png")
    assert (tmp_path / "demo.png").stat().st_size > 1000
