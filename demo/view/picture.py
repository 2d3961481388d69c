"""The picture of a run: both fleets over the same time axis, drawn without a display."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from demo.view.outcome import FleetOutcome, Outcome

# From the palette of Okabe and Ito, which differ for any colour vision.
_GOOD, _BAD, _SHADE = "#0072B2", "#D55E00", "#F0E442"
_LINES = {"dns": (_BAD, "--"), "xds": (_GOOD, "-")}
_LABELS = {"dns": "dns: headless Service, round_robin", "xds": "xds: steerway streams the endpoints"}
_GAP_WORTH_MARKING_SECONDS = 1.0


def draw(outcome: Outcome, path: Path) -> None:
    """Write the picture; its ending chooses the format (PNG, SVG, PDF). Missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(10, 8), layout="constrained")
    FigureCanvasAgg(figure)  # draws into memory; pyplot would look for a display
    axes = figure.subplots(len(outcome.fleets) + 1, 1, sharex=True, height_ratios=(3, 3, 2))
    for axis, fleet in zip(axes, outcome.fleets, strict=False):
        _rates(axis, fleet, outcome)
    _backends(axes[-1], outcome)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_axisbelow(True)
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes[-1].set_xlabel("seconds since the first request")
    axes[-1].set_xlim(min(0.0, *outcome.rounds()) - outcome.plan.seconds / 100, outcome.plan.seconds)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title(outcome), fontsize=12.5, fontweight="bold")
    figure.savefig(path, dpi=130)


def title(outcome: Outcome) -> str:
    """The finding of this run: what each fleet lost."""
    lines = [f"Rolling restart of {outcome.plan.backends} backends: what their clients saw"]
    for fleet in outcome.fleets:
        figures = fleet.figures
        line = f"{fleet.name}: {figures.errors or 'none'} of {figures.requests} requests failed"
        if figures.longest_gap_seconds > _GAP_WORTH_MARKING_SECONDS:
            line += f", {figures.longest_gap_seconds:.1f} s without one success"
        elif outcome.crowded(fleet):
            line += f", one backend had to answer {figures.busiest} of {outcome.plan.rate} per second"
        lines.append(line)
    return "\n".join(lines)


def _rates(axis: Axes, fleet: FleetOutcome, outcome: Outcome) -> None:
    figures = fleet.figures
    edges = [float(edge) for edge in range(len(figures.succeeded))] + [outcome.plan.seconds]
    sums = [good + bad for good, bad in zip(figures.succeeded, figures.failed, strict=True)]
    _shade(axis, outcome, label="rolling restart")
    axis.stairs(figures.succeeded, edges, fill=True, color=_GOOD, label="answered")
    failed: dict[str, Any] = {"facecolor": _BAD, "edgecolor": "white", "hatch": "///", "label": "failed"}
    axis.stairs(sums, edges, baseline=figures.succeeded, fill=True, **failed)
    if fleet.name == "dns":
        label = "DNS look-up"
        for moment in outcome.rounds():
            axis.axvline(moment, color="black", linestyle=":", linewidth=1.8, label=label)
            label = "_"  # matplotlib leaves it out of the legend
    if figures.longest_gap_seconds > _GAP_WORTH_MARKING_SECONDS:
        _mark_gap(axis, figures.gap_from, figures.gap_to, outcome.plan.rate)
    axis.set_title(_LABELS.get(fleet.name, fleet.name), loc="left", fontsize=11)
    axis.set_ylabel("requests per second")
    axis.set_ylim(0, outcome.plan.rate * 1.35)


def _backends(axis: Axes, outcome: Outcome) -> None:
    _shade(axis, outcome)
    for fleet in outcome.fleets:
        counts = fleet.figures.answering
        edges = [float(edge) for edge in range(len(counts))] + [outcome.plan.seconds]
        colour, style = _LINES.get(fleet.name, ("black", ":"))
        axis.stairs(
            counts, edges, baseline=None, color=colour, linestyle=style, linewidth=2, label=fleet.name
        )
    axis.set_title("backends that answered in each second", loc="left", fontsize=11)
    axis.set_ylabel("backends")
    axis.set_ylim(0, None)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 0.98), frameon=False, ncols=len(outcome.fleets))


def _shade(axis: Axes, outcome: Outcome, label: str = "_") -> None:
    end = outcome.plan.seconds if outcome.rollout_to is None else outcome.rollout_to
    axis.axvspan(outcome.rollout_from, end, color=_SHADE, alpha=0.3, linewidth=0, label=label)


def _mark_gap(axis: Axes, begin: float, end: float, rate: int) -> None:
    height = rate * 1.12
    axis.annotate(
        "", (begin, height), (end, height), arrowprops={"arrowstyle": "<->", "color": _BAD, "lw": 1.6}
    )
    text = f"no success for {end - begin:.1f} s"
    axis.text((begin + end) / 2, rate * 1.17, text, ha="center", color=_BAD, fontweight="bold")
