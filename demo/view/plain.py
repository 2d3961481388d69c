"""Progress as plain lines, for scripts and for output that is no terminal."""

import asyncio
from collections.abc import Callable

from demo.cluster import Event
from demo.fleet import Fleet
from demo.measure import OK, Window, balance
from demo.run import Run
from demo.view.outcome import percent

_POLL_SECONDS = 0.2
_REPORT_SECONDS = 2.0


async def watch(run: Run, write_line: Callable[[str], None]) -> None:
    """Print each phase, each change of a pod, and every 2 s the state of each fleet, until cancelled."""
    phase, shown, reported = "", 0, 0.0
    while True:
        events = run.events()
        if run.rollout_from is not None:  # the first generation's start is not worth a line per pod
            for event in events[shown:]:
                write_line(describe(event, run.started_at or event.at))
        shown = len(events)
        if run.phase != phase:
            phase = run.phase
            write_line(f"{_clock(run.elapsed() if run.started_at else None)}  {phase}")
        now = run.elapsed()
        if now - reported >= _REPORT_SECONDS:
            write_line(f"{_clock(now)}  " + "   ".join(summary(fleet, reported, now) for fleet in run.fleets))
            reported = now
        await asyncio.sleep(_POLL_SECONDS)


def describe(event: Event, start: float) -> str:
    """One line for one change of a pod."""
    return f"{_clock(event.at - start)}    {event.name} ({event.address}) {event.state.value}"


def summary(fleet: Fleet, begin: float, end: float) -> str:
    """How a fleet fared between two times of the run."""
    ended = [record for record in fleet.ended_since(begin) if record.done < end]
    good = [record for record in ended if record.code == OK]
    share = percent(balance(good, Window(0.0, end, frozenset())).largest_share)
    return f"{fleet.name}: {len(good)} ok, {len(ended) - len(good)} errors, busiest pod {share}"


def _clock(seconds: float | None) -> str:
    return " setup  " if seconds is None else f"{seconds:6.1f} s"
