"""Facts about the machine that a reader of the figures needs."""

import os
import platform
import resource
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    date: str
    cores: int
    processor: str
    kernel: str
    load_average: float
    """Of the last minute, when the run began: above 0.5 or so, others were using the machine too."""
    open_files: int
    """Limit per process; each connection takes one on either side."""


def facts() -> Machine:
    """Read them now."""
    models = (
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    )
    return Machine(
        date=datetime.now(UTC).date().isoformat(),
        cores=os.cpu_count() or 0,
        processor=next(models, ": unknown").partition(":")[2].strip(),
        kernel=platform.release(),
        load_average=os.getloadavg()[0],
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )


def raise_open_files() -> None:
    """Lift the soft limit to the hard one; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
