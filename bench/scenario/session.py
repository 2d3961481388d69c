"""What all scenarios of one run share: the plan, the programs, and what was found so far."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from rich.console import Console

from bench.build import Programs
from bench.child import ChildError
from bench.plan import Plan
from bench.server.contestant import CONTESTANTS, Contestant

M = TypeVar("M")


@dataclass
class Session:
    """`measurements` are the dataclasses of all scenarios, in the order in which they were taken."""

    plan: Plan
    programs: Programs
    console: Console
    measurements: list[object] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def contestants(self, keys: Iterable[str]) -> list[Contestant]:
        """Those of `keys` that take part in this run."""
        wanted = set(keys) & set(self.plan.contestants)
        return [contestant for contestant in CONTESTANTS if contestant.key in wanted]

    def attempt(self, label: str, measure: Callable[[], M], write_line: Callable[[M], str]) -> M | None:
        """What was measured, if it was: a failure is noted, and the run goes on."""
        try:
            measured = measure()
        except ChildError as error:
            self.failures.append(f"{label}: {error}")
            self.console.print(f"{label}: failed")
            return None
        self.measurements.append(measured)
        self.console.print(f"{label}: {write_line(measured)}", highlight=False)
        return measured
