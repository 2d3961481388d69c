"""Settings of the log."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta


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
