"""Settings of the log and of the journal of changes."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from steerway.config.unit import whole


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """Format and level of log lines.

    Log lines are written to stderr. stdout carries the bound addresses only.
    """

    log_format: Annotated[Literal["text", "json"], Meta(title="Format of log lines")] = "text"
    """`text` for people, `json` (one object per line) for machines. Text by default, because the first start is usually
    in a terminal."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(title="Lowest level of log lines")
    ] = "info"
    """Lowest level of log lines that are written. `info` writes at most one line per client and per commit."""


@dataclass(frozen=True, kw_only=True)
class JournalSettings:
    """The journal of changes: what this replica published, and what its clients refused.

    The admin server [shows it](admin.md#changes).
    """

    max_entries: Annotated[int, whole(16, 100_000), Meta(title="Entries of the journal of changes")] = 1000
    """Number of entries that the journal keeps; the oldest one is dropped for a new one. A quarter of them is for
    refusals and limits, so that clients do not displace changes. An entry takes 1 to 2 kB for most changes; the memory
    of all is limited to 16 MiB."""
