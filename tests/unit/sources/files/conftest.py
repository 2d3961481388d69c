"""Running file sources."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.files.running_source import Running


@pytest.fixture
async def run() -> AsyncIterator[Callable[..., Running]]:
    """Start sources on paths; stop them at the end."""
    started: list[Running] = []

    def start(*paths: Path, **options: Any) -> Running:
        started.append(Running(*paths, **options))
        return started[-1]

    yield start
    for running in started:
        await running.stop()
