"""Work in daemon threads: results, errors, and an end without a wait."""

import asyncio
import threading

import pytest

from steerway.runtime.daemon_thread import in_daemon_thread
from testbed.process.deadline import PATIENCE_SECONDS


async def test_the_result_and_the_error_reach_the_caller() -> None:
    """From a thread of the given name."""
    assert await in_daemon_thread(lambda: threading.current_thread().name, "reader") == "reader"

    def fail() -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        await in_daemon_thread(fail, "reader")


def test_a_hanging_thread_does_not_delay_the_end() -> None:
    """Neither a cancellation nor the end of the event loop; a late result is dropped."""
    begun, released = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def hang() -> None:
        threads.append(threading.current_thread())
        begun.set()
        released.wait()

    async def main() -> None:
        task = asyncio.create_task(in_daemon_thread(hang, "reader"))
        await asyncio.sleep(0)  # it starts the thread
        assert begun.wait(PATIENCE_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    asyncio.run(main())
    (thread,) = threads
    assert thread.daemon
    assert thread.is_alive()
    released.set()
    thread.join()
