"""Log setup: structlog for steerway, and the standard library's loggers of libraries through the same processors.

Lines go to stderr, since stdout is for the output of commands. `text` is for people, `json` has one object per line.
Events are named where they are logged; this module sets their form, and `steerway.log.limit` the number of those that
clients can cause.
"""

import asyncio
import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

from steerway.log.limit import LogLimiter

log = structlog.get_logger()

SUMMARY_SECONDS = 1.0
"""Period of the check for due summaries of suppressed lines."""
_QUIET = {"uvicorn.error": logging.ERROR}
"""Minimum level of loggers: any client of uvicorn can cause a `warning` with each request."""


_limiter = LogLimiter()


def configure(format: Literal["text", "json"], level: str, stream: TextIO | None = None) -> None:
    """Set up all logging of the process; calling it again replaces the set-up.

    `level` is debug, info, warning or error. Other libraries are logged from `warning` on, or from `debug`
    with that level. `stream`: None means stderr.
    """
    global _limiter
    limiter = _limiter = LogLimiter()
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderer(format, target),
            ],
        )
    )
    handler.addFilter(limiter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold if threshold <= logging.DEBUG else max(threshold, logging.WARNING))
    logging.getLogger("steerway").setLevel(threshold)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(root.level, least))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            limiter,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a logger made before this call must not keep the old set-up
    )


async def summarize() -> None:
    """Log summaries of suppressed lines, until cancelled."""
    while True:
        await asyncio.sleep(SUMMARY_SECONDS)
        write_summaries()


def write_summaries() -> None:
    """Log `lines_suppressed` for each due summary, at the level of the suppressed lines."""
    for summary in _limiter.summaries():
        by = {"by": summary.by} if summary.by else {}
        level = "error" if summary.method == "exception" else summary.method
        number = logging.getLevelNamesMapping()[level.upper()]
        log.log(number, "lines_suppressed", kind=summary.kind, lines=summary.lines, **by)


def _renderer(format: Literal["text", "json"], target: TextIO) -> list[Processor]:
    if format == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=target.isatty(),
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,  # rich would print the values of variables
        )
    ]
