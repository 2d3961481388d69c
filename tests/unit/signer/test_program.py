"""The signer on an API server that does not have what it needs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from steerway import config
from steerway.cli import cli
from steerway.control.signer.program import Signer
from steerway.errors import SettingsError
from steerway.testing.fake_api_server import FakeApiServer
from testbed.process.deadline import PATIENCE_SECONDS


@contextlib.asynccontextmanager
async def running(server: FakeApiServer, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the HTTP server of a signer."""
    kubeconfig = folder / "kubeconfig"
    server.write_kubeconfig(kubeconfig)
    flags = {"kubernetes.kubeconfig": str(kubeconfig), "kubernetes.enabled": True}
    settings = config.load(None, {}, flags | {"signer.listen": "127.0.0.1:0"})
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(Signer(settings).serve(lambda line: address.set_result(line.split()[-1])))
    try:
        async with httpx.AsyncClient(
            base_url=await address, trust_env=False, timeout=PATIENCE_SECONDS
        ) as http:
            yield http
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_an_api_server_without_the_kinds_is_reported(tmp_path: Path) -> None:
    """The signer is ready, so that an installation does not wait for it, and looks for the kinds again."""
    async with FakeApiServer() as server, running(server, tmp_path) as http:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "1.37" not in (answer := (await http.get("/readyz"))).text:  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.02)
        assert (answer.status_code, answer.json()["ready"]) == (200, True)
        (problem,) = (p for p in answer.json()["problems"] if "1.37" in p["hint"])
        assert "PodCertificateRequest" in problem["reason"]
        assert (await http.get("/healthz")).text == "ok\n"
        assert "steerway_signer_pending_requests 0.0" in (await http.get("/metrics")).text


def test_lifetimes_must_fit_into_each_other() -> None:
    """A third of the life of a CA remains when it is replaced."""
    with pytest.raises(SettingsError, match=r"signer.leaf_seconds \(864001\) above a third"):
        config.load(None, {}, {"signer.leaf_seconds": "864001"})
    with pytest.raises(SettingsError, match=r"signer.intermediate_days \(122\) above a third"):
        config.load(None, {}, {"signer.intermediate_days": "122"})
    settings = config.load(None, {}, {"signer.leaf_seconds": "864000", "signer.root_days": "90"})
    assert settings.signer.leaf_seconds == 864_000


def test_without_an_api_server_the_command_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    result = CliRunner().invoke(cli, ["signer", "--signer-listen", "127.0.0.1:0"])
    assert result.exit_code != 0
    assert "no kubeconfig" in str(result.exception)
