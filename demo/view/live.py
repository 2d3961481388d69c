"""The live view: the fleets side by side over a table of the pods, redrawn four times a second.

It only shows; every figure that counts is computed afterwards from all results (`measure.py`).
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.cluster import Event, State
from demo.fleet import Fleet
from demo.measure import OK, Window, balance, longest_gap
from demo.run import Run
from demo.view.outcome import percent

_PER_SECOND = 4
_RECENT_SECONDS = 2.0
"""The rates of the pods are means over so long."""
_LAG_SECONDS = 0.3
"""The view is so far behind the clock: results come in batches, and half a batch would look like a dip."""
_BARS = " ▁▂▃▄▅▆▇█"
_POD_CELLS = 12
_TIMELINE_CELLS = 32
_LEAST_SPARK_CELLS = 9
_RATES_CELLS = 13
"""Least width of the column of one fleet in the table of pods; the timeline gives way to it."""
_GOOD, _BAD = "dodger_blue1", "dark_orange"
"""Distinct also without a difference of red and green."""
_MARKS = {
    State.STARTING: ("░", "grey50"),
    State.READY: ("█", _GOOD),
    State.TERMINATING: ("▒", "yellow"),
    State.DRAINING: ("▒", _BAD),
}


async def watch(run: Run, console: Console) -> None:
    """Redraw until cancelled; the last frame stays on the screen."""
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                live.update(render(run, console.width), refresh=True)
                await asyncio.sleep(1 / _PER_SECOND)
        finally:
            live.update(render(run, console.width), refresh=True)


def render(run: Run, width: int) -> RenderableType:
    """One frame for a terminal of this width."""
    now = min(max(0.0, run.elapsed() - _LAG_SECONDS), run.plan.seconds)
    head = Text.assemble(
        ("steerway demo", "bold"),
        f"   {now:4.0f} of {run.plan.seconds:.0f} s   ",
        (run.phase, "bold yellow" if run.rollout_from and not run.rollout_to else "bold"),
    )
    if not run.fleets:
        return head
    panels = Table.grid(expand=True, padding=(0, 0))
    for _ in run.fleets:
        panels.add_column(ratio=1)
    cells = width // len(run.fleets) - 17
    panels.add_row(*(_fleet_panel(fleet, run, now, cells) for fleet in run.fleets))
    legend = Text("starting ░ ready █ terminating ▒   ━ requests per second of each fleet", "dim")
    return Group(head, panels, _pods(run, now, width), legend)


def _fleet_panel(fleet: Fleet, run: Run, now: float, width: int) -> Panel:
    last = [record for record in fleet.ended_since(now - 1) if record.done < now]
    good = [record for record in last if record.code == OK]
    errors = sum(record.code != OK for record in fleet.records)
    gap_from, gap_to = longest_gap((record.done for record in fleet.records if record.code == OK), now)
    spread = balance(good, Window(0.0, run.plan.seconds, frozenset()))
    uneven = (spread.largest_share or 0) > 2 * run.plan.even_share
    rows = Table.grid(padding=(0, 1))
    rows.add_row("ok", spark(fleet, OK, run, width), Text(f"{len(good)}/s", _GOOD))
    rows.add_row("error", spark(fleet, None, run, width), Text(f"{len(last) - len(good)}/s", _BAD))
    words = Text.assemble(
        ("errors ", "bold"), (f"{errors}", _BAD if errors else ""), f" of {len(fleet.records)}\n",
        ("longest gap ", "bold"), (f"{gap_to - gap_from:.2f} s", _BAD if gap_to - gap_from > 1 else ""), "\n",
        ("busiest pod ", "bold"), (percent(spread.largest_share), _BAD if uneven else ""), "\n",
        ("connections/client ", "bold"), f"{spread.connections / run.plan.clients:.2g}",
    )  # fmt: skip
    return Panel(
        Group(rows, words), title=f"[bold]{fleet.name}[/] fleet", subtitle=Text(fleet.kind.label, "dim")
    )


def spark(fleet: Fleet, code: str | None, run: Run, width: int) -> Text:
    """The rate over the whole run, full height being the planned rate; `code` None stands for all errors."""
    width = max(_LEAST_SPARK_CELLS, width)
    step = run.plan.seconds / width
    counts = Counter(
        min(width - 1, int(record.due / step))
        for record in fleet.records
        if (record.code == OK) == (code == OK)
    )
    cells = "".join(bar(counts[cell] / (step * run.plan.rate)) for cell in range(width))
    return Text(cells, _GOOD if code == OK else _BAD, no_wrap=True)


def bar(share: float) -> str:
    """One cell filled to this share; anything above nothing is visible."""
    if share <= 0:
        return _BARS[0]
    return _BARS[max(1, min(len(_BARS) - 1, round(share * (len(_BARS) - 1))))]


def _pods(run: Run, now: float, width: int) -> Table:
    assert run.cluster is not None
    count = len(run.fleets)
    free = width - _POD_CELLS - 2 * (2 + count)  # each column has one cell of padding on both sides
    timeline_cells = min(_TIMELINE_CELLS, free - count * _RATES_CELLS)
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim", show_edge=False)
    table.add_column("pod", no_wrap=True, width=_POD_CELLS)
    table.add_column("state", no_wrap=True, width=timeline_cells)
    for fleet in run.fleets:
        table.add_column(f"{fleet.name}/s", no_wrap=True, ratio=1)
    rates = [_rates(fleet, now) for fleet in run.fleets]
    cells = (free - timeline_cells) // count - 6  # the number takes the rest
    for address, history in histories(run.events()).items():
        timeline = _timeline(history, run, now, timeline_cells)
        bars = (_rate(rate[address], run.plan.rate, cells) for rate in rates)
        table.add_row(address, timeline, *bars)
    return table


def _rates(fleet: Fleet, now: float) -> Counter[str]:
    served = Counter(record.backend for record in fleet.successes(now - _RECENT_SECONDS, now))
    span = max(0.25, min(now, _RECENT_SECONDS))
    return Counter({address: round(count / span) for address, count in served.items()})


def _rate(rate: int, full: int, cells: int) -> Text:
    return Text.assemble(
        (f"{rate:5d} ", "" if rate else "dim"), ("━" * round(cells * min(1.0, rate / full)), _GOOD)
    )


def histories(events: Sequence[Event]) -> dict[str, list[Event]]:
    """The events of each pod, in the order in which the pods came up."""
    pods: dict[str, list[Event]] = {}
    for event in events:
        pods.setdefault(event.address, []).append(event)
    return pods


def _timeline(history: Sequence[Event], run: Run, now: float, cells: int) -> Text:
    text = Text(no_wrap=True)
    if run.started_at is None:
        return text
    step = run.plan.seconds / cells
    for cell in range(cells):
        at = cell * step
        passed = [event.state for event in history if event.at - run.started_at <= at + step / 2]
        mark, style = _MARKS.get(passed[-1], (" ", "")) if passed and at <= now else (" ", "")
        text.append(mark, style)
    return text
