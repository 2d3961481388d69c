"""The admin server's token: asked for before anything is answered, but not of probes."""

from collections.abc import AsyncIterator

import httpx
import pytest

from steerway.admin.api.http_route import application
from steerway.admin.api.route import probe
from steerway.admin.page import ENDPOINTS
from tests.unit.admin.admin_world import World

TOKEN = "right-0123456789abcdef"
CLOSED = [path.replace("NAME", "a") for path in ENDPOINTS if path not in probe.PATHS]


@pytest.fixture
async def guarded(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an admin server that asks for a token."""
    transport = httpx.ASGITransport(application(world.view(), TOKEN.__eq__))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
        yield client


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer x {TOKEN}",
        f"Basic {TOKEN}",
        TOKEN,
    ],
)
async def test_without_the_token_nothing_is_shown(guarded: httpx.AsyncClient, header: str | None) -> None:
    """Neither what is served nor which paths there are."""
    headers = {} if header is None else {"authorization": header}
    assert len(CLOSED) >= 6
    for path in (*CLOSED, "/nothing", "/healthz/x", "http://admin//healthz"):
        answer = await guarded.get(path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
        assert answer.json() == {
            "error": "this needs the token of admin_token_file, as Authorization: Bearer"
        }


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
async def test_with_the_token_everything_is(guarded: httpx.AsyncClient, header: str) -> None:
    """RFC 9110: the scheme's name is case-insensitive."""
    for path in ("/", "/metrics", "/api/v1/streams", "/api/v1/problems"):
        assert (await guarded.get(path, headers={"authorization": header})).status_code == 200, path


async def test_probes_need_none_and_contain_less(guarded: httpx.AsyncClient, world: World) -> None:
    """Ready or not is all that kubelet needs; what is missing names files and servers."""
    world.unsynced = ["kubernetes"]
    assert (await guarded.get("/healthz")).status_code == 200
    answer = await guarded.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["missing"]) == (503, False, [])
    answer = await guarded.get("/readyz", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.json()["missing"] == ["source kubernetes has not synced"]
