"""`python -m bench`: build, run all trials in turns, report. Needs Rust; Go only for LinearCache."""

import itertools
import sys
from pathlib import Path

import click
from rich.console import Console

from bench import machine, report, summary, trial
from bench.build import BuildError, Programs, build
from bench.child import ChildError
from bench.contestant import CONTESTANTS, FLOOR, LINEAR_CACHE
from bench.plan import LAYOUTS, Layout, Plan
from bench.trial import Measurement

_KEYS = [contestant.key for contestant in CONTESTANTS]


def _run_trials(plan: Plan, programs: Programs, console: Console) -> tuple[list[Measurement], list[str]]:
    """Contestants take turns within a round, so that a slow minute of the machine hits all of them."""
    chosen = [contestant for contestant in CONTESTANTS if contestant.key in plan.contestants]
    measurements: list[Measurement] = []
    failures: list[str] = []
    for number, layout, contestant in itertools.product(range(1, plan.rounds + 1), plan.layouts, chosen):
        label = f"round {number}/{plan.rounds}, {layout}, {contestant.title}"
        try:
            measured = trial.run(contestant, layout, number, plan, programs)
        except ChildError as error:
            failures.append(f"{label}: {error}")
            console.print(f"{label}: failed")
            continue
        measurements.append(measured)
        console.print(
            f"{label}: {measured.cpu_us_per_update:.1f} µs, {summary.time_to_all(measured):.0f} ms",
            highlight=False,
        )
    return measurements, failures


@click.command()
@click.option("--clients", type=click.IntRange(1, 100_000), default=2000, show_default=True)
@click.option("--services", type=click.IntRange(3, 60_000), default=300, show_default=True)
@click.option(
    "--endpoints", type=click.IntRange(1, 250), default=50, show_default=True, help="Of each service."
)
@click.option(
    "--changes", type=click.IntRange(1, 50_000), default=20, show_default=True, help="Of each trial."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option(
    "--only", type=click.Choice(_KEYS), multiple=True, help="Servers to run (repeatable).  [default: all]"
)
@click.option(
    "--layout",
    "layouts",
    type=click.Choice(LAYOUTS),
    multiple=True,
    help="Which clients hold what (repeatable).",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every figure here.")
@click.option(
    "--markdown", "markdown_file", type=click.Path(path_type=Path, exists=True), help="Put the tables here."
)
def main(
    only: tuple[str, ...],
    layouts: tuple[Layout, ...],
    json_file: Path | None,
    markdown_file: Path | None,
    **sizes: int,
) -> None:
    """Compare steerway with go-control-plane's LinearCache and a raw TCP fan-out, side by side."""
    plan = Plan(**sizes, contestants=only or tuple(_KEYS), layouts=layouts or LAYOUTS)
    machine.raise_open_files()
    facts = machine.facts()
    progress = Console(stderr=True)
    try:
        programs = build(linear_cache=LINEAR_CACHE in plan.contestants)
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    measurements, failures = _run_trials(plan, programs, progress)
    rows = summary.summarise(measurements, LINEAR_CACHE, FLOOR)
    result = report.Result(plan, facts, rows, measurements, failures)
    report.print_tables(result, Console(width=None if sys.stdout.isatty() else 200))
    if json_file:
        report.write_json(result, json_file)
    if markdown_file:
        report.write_markdown(result, markdown_file)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
