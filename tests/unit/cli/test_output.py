"""Ages, tables and colours of `cli/output.py`."""

import pytest

from steerway.cli import output as out
from steerway.cli.output import Column, Table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "<none>"),
        (-1, "0s"),
        (0.4, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (8 * 3600 - 60, "7h59m"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (2 * 86400 + 3600, "2d1h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_are_those_of_kubectl(seconds: float | None, text: str) -> None:
    """The limits of duration.HumanDuration."""
    assert out.age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "<none>"), (0.0004, "0ms"), (0.25, "250ms"), (4.04, "4.0s"), (60, "60s")]
)
def test_short_durations_are_exact(seconds: float | None, text: str) -> None:
    assert out.latency(seconds) == text


def test_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    """Colours take no width, and rows that come later are aligned with those before."""
    table = Table(
        [Column("NAME", lambda row: row["id"]), Column("STATE", lambda row: out.state(row["state"]))]
    )
    table.print([{"id": "longer-name", "state": "in_sync"}], headers=True)
    table.print([{"id": "a", "state": "refused"}])
    assert capsys.readouterr().out == "NAME         STATE\nlonger-name  in sync\na            refused\n"


def test_states_are_coloured_and_counted() -> None:
    """One state is a word, several are numbers."""
    assert out.state("refused") == "\x1b[31mrefused\x1b[0m"
    assert out.state("other_state") == "other state"
    assert out.states_of({}) == "<none>"
    assert "in sync" in out.states_of({"in_sync": 3})
    assert "behind 1" in out.states_of({"behind": 1, "in_sync": 3})
