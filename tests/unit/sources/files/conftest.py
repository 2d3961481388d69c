"""Running file sources."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from running_source import Running


@pytest.fixture
async def run() -> AsyncIterator[Callable[..., Running]]:
    """Start sources on paths; they are stopped at the end."""
    started: list[Running] = []

    def start(*paths: Path) -> Running:
        started.append(Running(*paths))
        return started[-1]

    yield start
    for running in started:
        await running.stop()
