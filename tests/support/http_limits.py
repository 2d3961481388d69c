"""Limits of an HTTP listener for tests: those of the default settings, but for what a test sets."""

from typing import Any

from steerway.config import Settings
from steerway.http import HttpLimits


def http_limits(**values: Any) -> HttpLimits:
    settings = Settings()
    defaults = {
        "connections": settings.admin_max_connections,
        "request_timeout_seconds": settings.http_request_timeout_seconds,
        "idle_timeout_seconds": settings.http_idle_timeout_seconds,
    }
    return HttpLimits(**defaults | values)
