"""A fake API server that issues and reviews tokens, and an HTTP client for it."""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from steerway.access.result import AuthenticationResult
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.testing.fake_api_server import FakeApiServer
from steerway.testing.fake_token_issuer import FakeTokenIssuer


@pytest.fixture
def issuer() -> FakeTokenIssuer:
    return FakeTokenIssuer()


@pytest.fixture
async def server(issuer: FakeTokenIssuer) -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        running.issuer = issuer
        yield running


@pytest.fixture
async def client(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[KubernetesClient]:
    made = KubernetesClient(Access((server.write_kubeconfig(tmp_path / "kubeconfig"),)))
    yield made
    await made.close()


async def settled(
    authentication_result: AuthenticationResult | Awaitable[AuthenticationResult],
) -> AuthenticationResult:
    """The authentication result; a pending result is awaited."""
    return (
        await authentication_result if isinstance(authentication_result, Awaitable) else authentication_result
    )
