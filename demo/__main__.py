"""`python -m demo`: the command line of the demo."""

import asyncio
import functools
import json
import sys
from pathlib import Path

import click
from rich.console import Console

from demo.plan import (
    DEADLINE_SECONDS,
    FEWEST_BACKENDS,
    HIGHEST_RATE,
    LONGEST_DEADLINE_SECONDS,
    LONGEST_SECONDS,
    LOWEST_RATE,
    MOST_BACKENDS,
    SHORTEST_DEADLINE_SECONDS,
    SHORTEST_SECONDS,
    Plan,
    make_plan,
)

_FORMATS = (".png", ".svg", ".pdf")
_MISSING = "the demo needs the extra packages of steerway[demo]: {} is missing"


@click.command()
@click.option(
    "--seconds",
    type=click.IntRange(SHORTEST_SECONDS, LONGEST_SECONDS),
    default=60,
    show_default=True,
    help="Length of the measured run, which sets all phases; starting and ending take some seconds more.",
)
@click.option(
    "--backends",
    type=click.IntRange(FEWEST_BACKENDS, MOST_BACKENDS),
    default=5,
    show_default=True,
    help="Pods behind the Service; each is replaced once.",
)
@click.option(
    "--rate",
    type=click.IntRange(LOWEST_RATE, HIGHEST_RATE),
    default=200,
    show_default=True,
    help="Requests per second of each of the three fleets.",
)
@click.option(
    "--warm-up",
    type=click.FloatRange(1, LONGEST_SECONDS),
    default=None,
    help="Seconds before the restart begins.  [default: a tenth of the run, 2 to 6 s]",
)
@click.option(
    "--deadline",
    type=click.FloatRange(SHORTEST_DEADLINE_SECONDS, LONGEST_DEADLINE_SECONDS),
    default=DEADLINE_SECONDS,
    show_default=True,
    help="Seconds until a request without an answer fails; raise it on a slow machine.",
)
@click.option(
    "--no-live", is_flag=True, help="Plain lines instead of the live view (also without a terminal)."
)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/steerway-demo.png"),
    show_default=True,
    help="Where the picture goes; the ending chooses the format.",
)
def main(
    seconds: int,
    backends: int,
    rate: int,
    warm_up: float | None,
    deadline: float,
    no_live: bool,
    json_file: Path | None,
    picture: Path,
) -> None:
    """Show what a rolling restart does to gRPC clients of a ClusterIP, of DNS and of steerway.

    Three fleets of real gRPC clients send the same load to the same backends, all in processes on loopback
    addresses, while every backend is replaced. The exit code is 0 when it was measured, whatever the
    figures are.
    """
    plan = make_plan(seconds, backends, rate, warm_up, deadline)
    if picture.suffix not in _FORMATS:
        raise click.BadParameter(f"its ending must be one of {', '.join(_FORMATS)}", param_hint="--picture")
    if plan.warm_up_seconds > seconds - 5:
        raise click.BadParameter("leaves less than 5 s of the run for the restart", param_hint="--warm-up")
    sys.exit(play(plan, live=not no_live and sys.stdout.isatty(), json_file=json_file, picture=picture))


def play(plan: Plan, *, live: bool, json_file: Path | None, picture: Path) -> int:
    """Run the demo and show what came of it; the exit code."""
    try:
        from demo.child import DemoError
        from demo.run import Run, Watch, perform_until_signal
        from demo.view import live as live_view
        from demo.view import plain, report
        from demo.view.outcome import conclude
        from demo.view.picture import draw
    except ModuleNotFoundError as error:
        click.echo(_MISSING.format(error.name), err=True)
        return 1
    console = Console()
    write_line = functools.partial(print, flush=True)
    run = Run(plan)
    watch: Watch = functools.partial(plain.watch, write_line=write_line)
    if live:
        watch = functools.partial(live_view.watch, console=console)
    try:
        stopped = asyncio.run(perform_until_signal(run, watch))
    except DemoError as error:
        click.echo(f"the demo failed: {error}", err=True)
        return 1
    if stopped is not None:
        click.echo(f"stopped by {stopped.name}; everything that was started has ended", err=True)
        return 128 + stopped
    outcome = conclude(run)
    report.show(outcome, console)
    try:
        if json_file is not None:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(json.dumps(outcome.as_json(), indent=2) + "\n")
            click.echo(f"figures: {json_file}")
        draw(outcome, picture)
    except OSError as error:
        click.echo(f"the demo measured, but could not write {error.filename}: {error.strerror}", err=True)
        return 1
    click.echo(f"picture: {picture}")
    return 0


if __name__ == "__main__":
    main()
