"""`/api/v1/changes`: rows, filters, pages and errors."""

import httpx
import pytest

from steerway.admin.api.request_error import RequestError
from steerway.admin.api.route.change import earliest
from steerway.catalog.model.identity import ServiceId
from steerway.sources.objects.core import ObjectKey
from tests.unit.admin.admin_world import World
from tests.unit.journal.journal_world import Counts, Limited, Refused

NOON = 1_796_040_000.0


async def ids(http: httpx.AsyncClient, **parameters: str) -> list[str]:
    answer = await http.get("/api/v1/changes", params=parameters)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.fixture
def changes(world: World) -> World:
    """1: shop/backend; 2: web/site; 3: refusal of 2; 4: a limit."""
    journal = world.journal
    journal.publish()
    journal.counts[1] = Counts(1, sent=1, pending=1)
    journal.publish(objects=[ObjectKey("Service", "web", "site")], services=[ServiceId("web", "site")])
    journal.journal.record_nacks([Refused(2)])
    journal.counts[2] = Counts(2, sent=1, nacked=1)
    journal.journal.record_limits([Limited()])
    return world


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "4321"),
        ({"kind": "change"}, "21"),
        ({"namespace": "web"}, "32"),
        ({"namespace": "we"}, ""),
        ({"service": "shop/backend"}, "1"),
        ({"state": "refused"}, "32"),
        ({"state": "pending"}, "1"),
        ({"state": "complete"}, "4"),
        ({"q": "SITE"}, "32"),
        ({"q": "limit streams"}, "4"),
        ({"kind": "change", "namespace": "shop"}, "1"),
        ({"since": "2100-01-01T00:00:00Z"}, ""),
        ({"since": "2000-01-01T00:00:00Z"}, "4321"),
    ],
)
@pytest.mark.usefixtures("changes")
async def test_filters(http: httpx.AsyncClient, parameters: dict[str, str], expected: str) -> None:
    assert "".join(await ids(http, **parameters)) == expected


async def test_pages_continue_with_older_changes(changes: World, http: httpx.AsyncClient) -> None:
    first = (await http.get("/api/v1/changes", params={"limit": "3", "fields": "kind"})).json()
    assert first == {
        "items": [
            {"id": "4", "kind": "limit"},
            {"id": "3", "kind": "nack"},
            {"id": "2", "kind": "change"},
        ],
        "total": 4,
        "next": "2",
        "replica": "steerway-0",
    }
    changes.journal.publish()
    assert await ids(http, after="2") == ["1"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kind": "chnge"}, "kind is 'chnge': give change, start, nack, eviction, limit"),
        ({"state": "x"}, "state is 'x': give refused, pending, complete"),
        ({"since": "yesterday"}, "since is 'yesterday': give a time such as 2026-11-30T12:00:00Z"),
        ({"since": "2026-11-30T12:00:00"}, "since is '2026-11-30T12:00:00': give a time such as"),
        ({"after": "x"}, "after is 'x': give the token next of a page"),
        ({"node": "x"}, "no parameter is called node: give limit, after, fields"),
    ],
)
@pytest.mark.usefixtures("changes")
async def test_invalid_parameters(http: httpx.AsyncClient, parameters: dict[str, str], message: str) -> None:
    answer = await http.get("/api/v1/changes", params=parameters)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("", ""),
        ("90s", "2026-11-30T11:58:30.000Z"),
        ("1h30m", "2026-11-30T10:30:00.000Z"),
        ("2026-11-30T12:00:00Z", "2026-11-30T12:00:00.000Z"),
        ("2026-11-30T13:00:00.5+01:00", "2026-11-30T12:00:00.500Z"),
        ("99999h", "2015-07-04T21:00:00.000Z"),
    ],
)
def test_times_and_durations(since: str, expected: str) -> None:
    assert earliest(since, NOON) == expected


def test_a_time_that_no_calendar_has() -> None:
    with pytest.raises(RequestError):
        earliest("2026-13-01T00:00:00Z", NOON)
