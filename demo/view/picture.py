"""The picture of a run: all fleets over the same time axis, drawn without a display.

It is drawn for a width of 800 pixels (a README) at two pixels for each, on white, so that it is as readable
on a dark page.
"""

import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from demo.fleet import FLEETS
from demo.view.explanation import REPORTED_GAP_SECONDS
from demo.view.outcome import FleetOutcome, Outcome, percent

# From the palette of Okabe and Ito, which differ for any colour vision; dark and light of a hue for its pods.
_OLD = LinearSegmentedColormap.from_list("old pods", ["#00517f", "#9fd0ee"])
_NEW = LinearSegmentedColormap.from_list("new pods", ["#006b4f", "#8fdcc3"])
_BAD, _SHADE = "#D55E00", "#F0E442"
_SHADE_ALPHA = 0.3
_LINES = {"clusterip": ("#8a4f7d", ":"), "dns": (_BAD, "--"), "xds": ("#0072B2", "-")}
_FAILED: dict[str, Any] = {"facecolor": _BAD, "edgecolor": "white", "hatch": "///"}
_LOOKUP: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.8}
_WIDTH_INCHES, _HEIGHT_INCHES, _DOTS_PER_INCH = 8, 8.4, 200


def draw(outcome: Outcome, path: Path) -> None:
    """Write the picture; its ending chooses the format (PNG, SVG, PDF). Missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), layout="constrained")
    FigureCanvasAgg(figure)  # draws into memory; pyplot would look for a display
    ratios = [3.0] * len(outcome.fleets) + [2.4]
    axes = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    for axis, fleet in zip(axes, outcome.fleets, strict=False):
        _loads(axis, fleet, outcome)
    _shares(axes[-1], outcome)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_axisbelow(True)
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes[-1].set_xlabel("seconds since the first request")
    axes[-1].set_xlim(min(0.0, *outcome.rounds()) - outcome.plan.seconds / 100, outcome.plan.seconds)
    _legend(figure)
    figure.suptitle(title(outcome), fontsize=13, fontweight="bold")
    figure.align_ylabels(axes)
    figure.savefig(path, dpi=_DOTS_PER_INCH)


def title(outcome: Outcome) -> str:
    """What was measured."""
    return f"Rolling restart of {outcome.plan.backends} backends: what three client fleets saw"


def headline(fleet: FleetOutcome, outcome: Outcome) -> str:
    """How the clients of a fleet find backends, and by how many connections each."""
    connections = fleet.figures.before.connections / outcome.plan.clients
    noun = "connection" if connections == 1 else "connections"
    return f"{fleet.name}: {FLEETS[fleet.name].label}, {connections:g} {noun} per client"


def result(fleet: FleetOutcome) -> str:
    """What a fleet lost and how its load was spread, in one line."""
    figures = fleet.figures
    failed = f"{figures.errors or 'none'} of {figures.requests} requests failed"
    if figures.longest_gap_seconds > REPORTED_GAP_SECONDS:
        failed += f", {figures.longest_gap_seconds:.1f} s outage"
    before, after = percent(figures.before.largest_share), percent(figures.after.largest_share)
    return f"{failed}; busiest backend: {before} of the load before, {after} after"


def _loads(axis: Axes, fleet: FleetOutcome, outcome: Outcome) -> None:
    """Requests per second as a stack with one layer for each pod, failed ones on top."""
    figures = fleet.figures
    edges = [float(edge) for edge in range(len(figures.succeeded))] + [outcome.plan.seconds]
    _shade(axis, outcome)
    base = [0] * len(figures.loads)
    for address, color in _colors(outcome).items():
        top = [low + load.get(address, 0) for low, load in zip(base, figures.loads, strict=True)]
        axis.stairs(top, edges, baseline=base, fill=True, facecolor=color, edgecolor="white", linewidth=0.4)
        base = top
    sums = [good + bad for good, bad in zip(figures.succeeded, figures.failed, strict=True)]
    axis.stairs(sums, edges, baseline=figures.succeeded, fill=True, **_FAILED)
    if fleet.name == "dns":
        for moment in outcome.rounds():
            axis.axvline(moment, **_LOOKUP)
    if figures.longest_gap_seconds > REPORTED_GAP_SECONDS:
        _mark_gap(axis, figures.gap_from, figures.gap_to, outcome.plan.rate)
    axis.set_title(headline(fleet, outcome), loc="left", fontsize=10.5, fontweight="bold", y=1.13)
    axis.text(0, 1.04, result(fleet), transform=axis.transAxes, fontsize=9.5)
    axis.set_ylabel("requests / s")
    axis.set_ylim(0, outcome.plan.rate * 1.35)


def _colors(outcome: Outcome) -> dict[str, Any]:
    """The colour of each pod, in the order of the stack."""
    colors = {}
    for addresses, shades in ((outcome.old, _OLD), (outcome.new, _NEW)):
        for number, address in enumerate(addresses):
            colors[address] = shades(number / max(1, len(addresses) - 1))
    return colors


def _shares(axis: Axes, outcome: Outcome) -> None:
    """The share of the busiest backend in each second, one line for each fleet."""
    _shade(axis, outcome)
    for fleet in outcome.fleets:
        loads = fleet.figures.loads
        shares = [max(load.values()) / sum(load.values()) if load else math.nan for load in loads]
        edges = [float(edge) for edge in range(len(loads))] + [outcome.plan.seconds]
        color, style = _LINES[fleet.name]
        axis.stairs(shares, edges, baseline=None, color=color, linestyle=style, linewidth=2, label=fleet.name)
    axis.set_title("load of the busiest backend", loc="left", fontsize=10.5, fontweight="bold")
    axis.axhline(outcome.plan.even_share, color="black", linewidth=0.8, label="even")
    axis.set_ylabel("share")
    axis.set_ylim(0, 1.05)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 0.98), frameon=False, ncols=len(outcome.fleets) + 1)


def _legend(figure: Figure) -> None:
    handles = [
        Patch(color=_SHADE, alpha=_SHADE_ALPHA, label="rolling restart"),
        Patch(color=_OLD(0.4), label="old pods, one shade each"),
        Patch(color=_NEW(0.4), label="new pods"),
        Patch(label="failed", **_FAILED),
        Line2D([], [], label="DNS look-up", **_LOOKUP),
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, columnspacing=1.4
    )


def _shade(axis: Axes, outcome: Outcome) -> None:
    end = outcome.plan.seconds if outcome.rollout_to is None else outcome.rollout_to
    axis.axvspan(outcome.rollout_from, end, color=_SHADE, alpha=_SHADE_ALPHA, linewidth=0)


def _mark_gap(axis: Axes, begin: float, end: float, rate: int) -> None:
    height = rate * 1.08
    axis.annotate(
        "", (begin, height), (end, height), arrowprops={"arrowstyle": "<->", "color": _BAD, "lw": 1.6}
    )
    text = f"outage {end - begin:.1f} s"
    axis.text((begin + end) / 2, rate * 1.13, text, ha="center", color=_BAD, fontweight="bold")
