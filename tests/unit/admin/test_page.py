"""The page's files: hashed names are kept by browsers, the index is asked for again, and nothing inline runs."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api.http_route import application
from steerway.admin.page.asset import INDEX, Asset, read
from tests.unit.admin.admin_world import World

SCRIPT = b"console.log('steerway')\n" * 100


@pytest.fixture
def assets(tmp_path: Path) -> dict[str, Asset]:
    """A build of two files, and one that is no file of the page."""
    (tmp_path / INDEX).write_bytes(b"<!doctype html>")
    (tmp_path / "main-HASH.js").write_bytes(SCRIPT)
    (tmp_path / "main.js.map").write_bytes(b"{}")
    return read(tmp_path)


def get(asset: Asset, **headers: str) -> Response:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return asset.response(Request({"type": "http", "method": "GET", "headers": pairs}))


def test_a_hashed_file_is_kept_and_compressed(assets: dict[str, Asset]) -> None:
    """Its name changes with its content."""
    assert assets.keys() == {INDEX, "main-HASH.js"}
    answer = get(assets["main-HASH.js"], accept_encoding="br, gzip;q=0.8")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "accept-encoding")
    assert gzip.decompress(answer.body) == SCRIPT
    assert len(answer.body) < len(SCRIPT)


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity, gzip; q=0"])
def test_a_client_that_does_not_decompress_gets_the_file_itself(
    assets: dict[str, Asset], accepted: str
) -> None:
    """RFC 9110: a weight of 0 refuses an encoding."""
    answer = get(assets["main-HASH.js"], accept_encoding=accepted)
    assert answer.body == SCRIPT
    assert "content-encoding" not in answer.headers


def test_the_index_is_asked_for_again_and_not_sent_again(assets: dict[str, Asset]) -> None:
    """It names the files, so an old one would name those of another version."""
    first = get(assets[INDEX])
    assert first.headers["cache-control"] == "no-cache"
    again = get(assets[INDEX], if_none_match=f'"other", {first.headers["etag"]}')
    assert (again.status_code, again.body) == (304, b"")
    assert get(assets[INDEX], if_none_match='"other"').status_code == 200


def test_a_source_tree_without_a_build_names_the_command(tmp_path: Path) -> None:
    """The server works without the page."""
    (index,) = read(tmp_path / "missing").values()
    assert b"make build" in get(index).body
    assert read(tmp_path) == {INDEX: index}


async def test_the_policy_permits_files_of_the_server_only(http: httpx.AsyncClient) -> None:
    """Neither inline scripts and styles nor eval, and no other host."""
    answer = await http.get("/")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["missing.js", "..%2f..%2fbearer_token.py", ".built"])
async def test_only_files_of_the_page_are_served(http: httpx.AsyncClient, name: str) -> None:
    """Names are looked up, not opened."""
    assert (await http.get(f"/static/{name}")).status_code == 404


@pytest.fixture
async def guarded(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with a token."""
    transport = httpx.ASGITransport(application(world.view(), "right".__eq__))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
        yield client


async def test_the_page_itself_needs_no_token(guarded: httpx.AsyncClient) -> None:
    """It has no data; a browser must get it to show the form."""
    assert (await guarded.get("/")).status_code == 200
    assert (await guarded.get("/static/missing.js")).status_code == 404
    assert (await guarded.get("/static")).status_code == 401
