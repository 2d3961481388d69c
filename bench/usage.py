"""CPU time and memory of another process on Linux."""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_SMAPS_LINE = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)
_QUIET_SHARE = 0.02
_QUIET_WINDOW_SECONDS = 0.1
_CPU_CLOCK_SCHEDULER = 2


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads, ended ones too, to the nanosecond.

    This is the process's CPU clock (`clock_getcpuclockid(3)`, computed as the C library does it), because
    /proc/PID/stat counts in ticks of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK_SCHEDULER)


def rss_bytes(pid: int) -> int:
    """Resident memory, at little cost: `Reading` walks all pages for the shared ones."""
    pages = int((Path("/proc") / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a process had used when it was looked at. `at` and `cpu` in seconds, memory in kB.

    `user` and `system` are ticks: good for their proportion only. `pss` counts a page shared by n processes
    as 1/n; the kernel's socket buffers are in neither `rss` nor `pss`.
    """

    at: float
    cpu: float
    user: int
    system: int
    rss: int
    pss: int

    @classmethod
    def take(cls, pid: int) -> Self:
        process = Path("/proc") / str(pid)
        ticks = (process / "stat").read_text().rpartition(")")[2].split()
        memory = {name: int(kb) for name, kb in _SMAPS_LINE.findall((process / "smaps_rollup").read_text())}
        return cls(
            at=time.monotonic(),
            cpu=cpu_seconds(pid),
            user=int(ticks[11]),
            system=int(ticks[12]),
            rss=memory["Rss"],
            pss=memory["Pss"],
        )

    def cpu_share_until(self, later: "Reading") -> float:
        """Part of one core used between the two, 0..number of cores."""
        return (later.cpu - self.cpu) / (later.at - self.at)

    def system_share_until(self, later: "Reading") -> float:
        """Part of that time which was spent in the kernel, 0..1."""
        user, system = later.user - self.user, later.system - self.system
        return system / max(1, user + system)


def wait_until_quiet(pid: int, seconds: float) -> None:
    """Return when the process uses less than 2 % of a core, or after `seconds` at the latest.

    The last answers of clients are on their way when the fleet has all updates: what they cost the server
    belongs to the measurement.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = cpu_seconds(pid)
        time.sleep(_QUIET_WINDOW_SECONDS)
        if cpu_seconds(pid) - before < _QUIET_SHARE * _QUIET_WINDOW_SECONDS:
            return
