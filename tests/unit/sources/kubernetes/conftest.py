"""A fake API server and sources that run against it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from steerway.sources.kubernetes import watcher
from steerway.testing.fake_api_server import FakeApiServer
from tests.unit.sources.kubernetes.running_informers import Running


@pytest.fixture(autouse=True)
def no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the environment of a pod or a kubeconfig of the machine."""
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBECONFIG", "POD_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def haste(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds; test_watcher.py tests their length in virtual time."""
    if request.path.stem == "test_watcher":
        return
    monkeypatch.setattr(watcher, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(watcher, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(watcher, "ABSENT_WAIT_SECONDS", 0.02)


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        yield running


@pytest.fixture
async def run(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[Callable[..., Running]]:
    """Start sources, by default with a kubeconfig for `server`; stop them at the end."""
    started: list[Running] = []

    def start(kubeconfig: Path | None = None, **options: object) -> Running:
        path = kubeconfig or server.write_kubeconfig(tmp_path / "kubeconfig")
        started.append(Running(path, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for running in started:
        await running.stop()
