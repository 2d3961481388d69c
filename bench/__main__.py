"""`python -m bench`: build, run all scenarios in turns, report. Needs Rust; Go only for go-control-plane."""

import sys
from pathlib import Path

import click
from rich.console import Console

from bench import machine, report
from bench.build import BuildError, build
from bench.plan import Plan
from bench.scenario.registry import DEFAULT, SCENARIOS
from bench.scenario.session import Session
from bench.server.contestant import CONTESTANTS, SNAPSHOT, SNAPSHOT_PER_NODE

_KEYS = [contestant.key for contestant in CONTESTANTS]
_ONLY_IN_FULL = {SNAPSHOT, SNAPSHOT_PER_NODE}
_FULL_ROUNDS = 3


def plan_of(
    full: bool, rounds: int | None, only: tuple[str, ...], scenarios: tuple[str, ...], **sizes: int
) -> Plan:
    """Defaults are chosen for a run of five minutes, or for everything."""
    contestants = only or tuple(key for key in _KEYS if full or key not in _ONLY_IN_FULL)
    chosen = scenarios or (tuple(SCENARIOS) if full else DEFAULT)
    rounds = rounds or (_FULL_ROUNDS if full else Plan().rounds)
    return Plan(rounds=rounds, contestants=contestants, scenarios=chosen, **sizes)


@click.command()
@click.option("--clients", type=click.IntRange(1, 100_000), default=2000, show_default=True)
@click.option("--services", type=click.IntRange(3, 60_000), default=300, show_default=True)
@click.option(
    "--endpoints", type=click.IntRange(1, 250), default=50, show_default=True, help="Of each service."
)
@click.option(
    "--changes", type=click.IntRange(1, 50_000), default=20, show_default=True, help="Of each trial."
)
@click.option("--rounds", type=click.IntRange(1, 100), help="[default: 2, with --full 3]")
@click.option("--only", type=click.Choice(_KEYS), multiple=True, help="Servers to run (repeatable).")
@click.option(
    "--scenario",
    "scenarios",
    type=click.Choice(list(SCENARIOS)),
    multiple=True,
    help=f"What to run (repeatable).  [default: {', '.join(DEFAULT)}]",
)
@click.option("--full", is_flag=True, help="Every scenario and every server.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every figure here.")
@click.option(
    "--markdown", "markdown_file", type=click.Path(path_type=Path, exists=True), help="Put the tables here."
)
def main(
    full: bool,
    rounds: int | None,
    only: tuple[str, ...],
    scenarios: tuple[str, ...],
    json_file: Path | None,
    markdown_file: Path | None,
    **sizes: int,
) -> None:
    """Compare steerway with go-control-plane and a raw TCP fan-out, side by side."""
    plan = plan_of(full, rounds, only, scenarios, **sizes)
    machine.raise_open_files()
    facts = machine.facts()
    try:
        programs = build(
            any(contestant.go for contestant in CONTESTANTS if contestant.key in plan.contestants)
        )
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    session = Session(plan, programs, Console(stderr=True))
    tables = [table for name in SCENARIOS if name in plan.scenarios for table in SCENARIOS[name](session)]
    result = report.Result(plan, facts, tables, session.measurements, session.failures)
    report.print_tables(result, Console(width=None if sys.stdout.isatty() else 200))
    if json_file:
        report.write_json(result, json_file)
    if markdown_file:
        report.write_markdown(result, markdown_file)
    sys.exit(1 if session.failures else 0)


if __name__ == "__main__":
    main()
