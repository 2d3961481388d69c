"""Options of engines in tests and benchmarks: the defaults of the settings, on a free port of loopback."""

from dataclasses import replace
from typing import Any

from steerway.config import Settings
from steerway.engine.options import EngineOptions


def engine_options(**changes: Any) -> EngineOptions:
    """The defaults with these changes."""
    options = EngineOptions.from_settings(Settings(), tls=False)
    return replace(options, **{"listen": "127.0.0.1:0", "identifier": "x"} | changes)
