"""Sessions of the page: the form's token becomes a cookie that is good for reading, from the page itself."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request

from steerway.admin.api.http_route import application
from steerway.admin.page.session import COOKIE, Sessions
from tests.unit.admin.admin_world import World

API = "/api/v1/problems"


class Token:
    """The admin token, which may be replaced."""

    value = "right"

    def accepts(self, token: str) -> bool:
        return token == self.value


@pytest.fixture
def token() -> Token:
    return Token()


@pytest.fixture
async def browser(world: World, token: Token) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a jar for cookies."""
    transport = httpx.ASGITransport(application(world.view(), token.accepts))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
        yield client


async def log_in(browser: httpx.AsyncClient, token: str = "right", **headers: str) -> httpx.Response:
    return await browser.post("/login", data={"token": token}, headers=headers)


async def test_the_token_becomes_a_cookie_that_scripts_cannot_read(browser: httpx.AsyncClient) -> None:
    """The cookie is not the token."""
    assert (await browser.get(API)).status_code == 401
    answer = await log_in(browser, " right\n")
    assert (answer.status_code, answer.content) == (204, b"")
    stated = answer.headers["set-cookie"].lower()
    assert "httponly" in stated and "samesite=strict" in stated and "path=/" in stated
    assert "right" not in stated and "max-age" not in stated
    answer = await browser.get(API)
    assert (answer.status_code, answer.headers["steerway-session"]) == (200, "open")


@pytest.mark.parametrize("wrong", ["", "wrong", "right2"])
async def test_a_wrong_token_gets_no_session(browser: httpx.AsyncClient, wrong: str) -> None:
    """The reason names the setting."""
    answer = await log_in(browser, wrong)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert "admin_token_file" in answer.json()["error"]


async def test_a_form_of_another_site_is_refused(browser: httpx.AsyncClient) -> None:
    """By its Origin, which browsers send with each POST."""
    assert (await log_in(browser, origin="https://evil.example")).status_code == 403
    assert (await log_in(browser, origin="null")).status_code == 403
    assert (await log_in(browser, origin="http://admin")).status_code == 204


async def test_a_session_is_for_reading(browser: httpx.AsyncClient) -> None:
    """CSDS is a POST: it needs the token itself."""
    await log_in(browser)
    assert (await browser.post("/v3/discovery:client_status", json={})).status_code == 401


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("same-site", 401), ("cross-site", 401)]
)
async def test_requests_of_other_pages_have_no_session(
    browser: httpx.AsyncClient, site: str, status: int
) -> None:
    """Another port of this host is the same site to the cookie, and another origin."""
    await log_in(browser)
    assert (await browser.get(API, headers={"sec-fetch-site": site})).status_code == status


async def test_a_replaced_token_ends_its_sessions(browser: httpx.AsyncClient, token: Token) -> None:
    """As it ends the use of the token."""
    await log_in(browser)
    token.value = "new"
    assert (await browser.get(API)).status_code == 401
    token.value = "right"
    assert (await browser.get(API)).status_code == 401


async def test_logging_out_ends_the_session(browser: httpx.AsyncClient) -> None:
    """A copy of the cookie is of no use then."""
    await log_in(browser)
    copy = dict(browser.cookies)
    assert (await browser.post("/logout")).status_code == 204
    assert (await browser.get(API)).status_code == 401
    assert (await browser.get(API, headers={"cookie": f"{COOKIE}={copy[COOKIE]}"})).status_code == 401


def test_a_session_ends_after_half_a_day() -> None:
    """And the oldest, where there are too many."""
    seconds = 0.0
    sessions = Sessions("right".__eq__, lambda: seconds)

    def request(identifier: str | None) -> bool:
        pairs = [(b"cookie", f"{COOKIE}={identifier}".encode())]
        return sessions.allow(Request({"type": "http", "method": "GET", "headers": pairs}))

    first = sessions.open("right")
    assert request(first)
    seconds = 12 * 3600.0 + 1
    assert not request(first)
    second = sessions.open("right")
    for _ in range(1000):
        last = sessions.open("right")
    assert (request(second), request(last)) == (False, True)


@pytest.mark.parametrize("cookie", ["", "=", f"{COOKIE}=", f"{COOKIE}=x; {COOKIE}=y", '\\"; a=b', "\xff=1"])
async def test_malformed_cookies_are_no_session(browser: httpx.AsyncClient, cookie: str) -> None:
    """They are an answer, not an internal error."""
    answer = await browser.get(API, headers=[(b"cookie", cookie.encode("latin-1"))])
    assert answer.status_code == 401
