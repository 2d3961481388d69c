"""Everything that `make bench` can run, by name. A new scenario is one more entry in `SCENARIOS`."""

from collections.abc import Callable
from functools import partial

from bench import machine
from bench.scenario import churn, fan_out, storm
from bench.scenario.session import Session
from bench.table import Table

_CHURN_SECONDS = 10.0

SCENARIOS: dict[str, Callable[[Session], list[Table]]] = {
    "hot": partial(fan_out.run, "hot"),
    "spread": partial(fan_out.run, "spread"),
    "tls": fan_out.run_tls,
    "storm": storm.run_storm,
    "restart": storm.run_restart,
    "churn": lambda session: churn.run(session, _CHURN_SECONDS),
    "idle": lambda session: storm.run_idle(session, machine.facts().open_files),
    "scale": fan_out.run_scale,
}
"""In the order in which they run."""

DEFAULT = ("hot", "spread", "storm", "restart", "churn")
"""What runs without `--scenario` and `--full`: about five minutes."""
