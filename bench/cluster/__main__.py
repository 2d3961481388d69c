"""`python -m bench.cluster`: a real etcd and API server, steerway on it, a fleet of clients. Needs Rust and Go."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from bench import machine, report
from bench.build import BuildError, build
from bench.child import ChildError
from bench.cluster import scenarios, tables
from bench.cluster.scenarios import Sizes
from bench.cluster.world import WorldError
from bench.table import Table
from testbed.cluster.build import build as build_cluster
from testbed.cluster.cluster import Cluster
from testbed.cluster.network import Network, NetworkError

_NETWORK = "steerway-bench"
SCENARIOS = ("single", "rollout", "events", "start")


@contextmanager
def _cluster(box: Path) -> Iterator[Cluster]:
    """An empty cluster, inside of whose network namespace everything happens."""
    with tempfile.TemporaryDirectory(prefix="steerway-bench-") as folder:
        network = Network(_NETWORK)
        network.delete()
        cluster = Cluster(box, Path(folder), network, ends_with_parent=True)
        try:
            cluster.start()
            with network.entered():
                yield cluster
        finally:
            cluster.stop()


@click.command()
@click.option("--clients", type=click.IntRange(3, 20_000), default=1_000, show_default=True)
@click.option("--changes", type=click.IntRange(1, 10_000), default=100, show_default=True, help="One by one.")
@click.option(
    "--rate", type=click.IntRange(1, 2_000), default=100, show_default=True, help="Of a rollout, per second."
)
@click.option("--seconds", type=click.IntRange(1, 600), default=20, show_default=True, help="Of a rollout.")
@click.option(
    "--services", type=click.IntRange(100, 10_000), default=10_000, show_default=True, help="At the start."
)
@click.option(
    "--scenario",
    "chosen",
    type=click.Choice(SCENARIOS),
    multiple=True,
    help="What to run (repeatable).  [default: all]",
)
@click.option(
    "--wongnai",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The program of wongnai/xds (go build in its checkout), to take part in single.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every figure here.")
@click.option(
    "--markdown", "markdown_file", type=click.Path(path_type=Path, exists=True), help="Put the tables here."
)
def main(
    clients: int,
    changes: int,
    rate: int,
    seconds: int,
    services: int,
    chosen: tuple[str, ...],
    wongnai: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """What steerway costs, and how fast it is, on a real Kubernetes API server."""
    machine.raise_open_files()
    facts = machine.facts()
    wanted = chosen or SCENARIOS
    results: list[Table] = []
    measured: list[object] = []
    try:
        programs = build(go_control_plane=False)
        box = build_cluster()
        if "single" in wanted:
            with _cluster(box) as cluster:
                singles = [scenarios.single(cluster, programs, Sizes(100, 50, clients, changes))]
            if wongnai is not None:
                with _cluster(box) as cluster:
                    singles.append(
                        scenarios.single(cluster, programs, Sizes(100, 50, clients, changes), wongnai)
                    )
            measured += singles
            results.append(tables.single(singles))
        if "rollout" in wanted:
            sizes = Sizes(500, 50, clients, rate * seconds, rate, at_once=20)
            with _cluster(box) as cluster:
                many = scenarios.rollout(cluster, programs, sizes)
            measured.append(many)
            results += tables.rollout(many)
        if "events" in wanted:
            flood = scenarios.events(programs, Sizes(999, 50, 333, 999 * 20))
            measured.append(flood)
            results.append(tables.events(flood))
        if "start" in wanted:
            with _cluster(box) as cluster:
                starts = list(scenarios.start(cluster, Sizes(services, 100)))
            measured += starts
            results.append(tables.start(starts))
    except (BuildError, ChildError, NetworkError, WorldError) as error:
        raise click.ClickException(str(error)) from None
    result = report.Result(None, facts, results, measured, [], mark="measured on a cluster")
    report.print_tables(result, Console(width=None if sys.stdout.isatty() else 200))
    if json_file:
        report.write_json(result, json_file)
    if markdown_file:
        report.write_markdown(result, markdown_file)


if __name__ == "__main__":
    main()
