"""Events of the engine are handled in their order, and the event loop runs in between."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from steerway.control import engine_events
from steerway.control.engine_events import EngineEvents


async def test_many_streams_that_open_do_not_block_the_event_loop(monkeypatch: Any) -> None:
    monkeypatch.setattr(engine_events, "_MOST_AT_ONCE", 2)
    batches: list[tuple[int, int]] = []
    turns = 0

    async def events(_most: Any) -> AsyncIterator[list[int]]:
        yield [1, 2, 3, 4, 5]

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    handler = SimpleNamespace(
        events=events, open=None, close_streams=None, clients=None, answer=None, withdraw=None, batch_size=1
    )
    dispatch: Any = EngineEvents(handler, handler, handler, handler, handler)  # type: ignore[arg-type]
    dispatch._handlers = {int: lambda some: batches.append((len(some), turns))}
    counting = asyncio.create_task(count())
    await dispatch.run()
    counting.cancel()
    assert [size for size, _ in batches] == [2, 2, 1]
    assert batches[0][1] < batches[1][1] < batches[2][1]
