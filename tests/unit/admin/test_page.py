"""The index page: it shows what is wrong first, and cannot be made to run anything."""

import base64
import hashlib
import re

import httpx

from steerway.sources.store import Problem
from tests.unit.admin.admin_world import CLUSTER, LISTENER, Absent, Entry, Stream, Subscription, World


async def test_the_page_shows_readiness_and_problems(world: World, http: httpx.AsyncClient) -> None:
    """Readiness, problems with hints, and clients with their NACKs are on it."""
    world.unsynced = ["kubernetes"]
    world.all_problems = [Problem("a.yaml:3", "port 0", "use another")]
    refused = Subscription(names=["x"], version_acked="", nack_message="bad route")
    world.all_streams = [Stream(subscriptions=[refused])]
    page = (await http.get("/")).text
    for text in (
        "Not ready",
        "source kubernetes",
        "a.yaml:3",
        "use another",
        "refused</span>: bad route",
        "1 client stream",
    ):
        assert text in page


async def test_the_page_of_a_quiet_server_is_not_blank(http: httpx.AsyncClient) -> None:
    """It states that there are no problems and no clients."""
    page = (await http.get("/")).text
    for text in (
        ">Ready<",
        "all objects are served",
        "No client is connected",
        "0 client streams",
    ):
        assert text in page


async def test_texts_of_clients_and_manifests_cannot_become_markup(
    world: World, http: httpx.AsyncClient
) -> None:
    """Every foreign text is escaped, and the page forbids scripts altogether."""
    evil = "<script>alert(1)</script>"
    type_url = f"type.googleapis.com/{evil}"
    absent = [Absent(evil, evil)]
    part = Subscription(
        type_url, names=[evil], waiting=[evil], absent=absent, version_acked="", nack_message=evil
    )
    target = Subscription(LISTENER, names=[evil], absent=absent)
    world.all_streams = [Stream(node_id=evil, peer=evil, audience=evil, subscriptions=[part, target])]
    world.all_entries = [Entry(type_url, evil, reason=evil)]
    world.all_problems = [Problem(evil, evil, evil)]
    world.unsynced = [evil]
    world.subscribers.clients[b""] = evil
    world.subscribers.stated[b"", evil] = [evil]
    answer = await http.get("/")
    assert "<script" not in answer.text
    assert answer.text.count("&lt;script&gt;") == 20
    policy = answer.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]+ (style|on\w+)=", answer.text)


async def test_the_page_stands_alone_and_follows_the_light_of_the_room(http: httpx.AsyncClient) -> None:
    """No asset is loaded; dark and light are the reader's choice."""
    page = (await http.get("/")).text
    assert "color-scheme: light dark" in page
    for foreign in ("http://", "https://", "<link", "<img", "@import", "url("):
        assert foreign not in page


async def test_ages_have_the_two_largest_units(world: World, http: httpx.AsyncClient) -> None:
    """A week in seconds is not readable."""
    ages = {5.9: "5 s", 125.0: "2 m 5 s", 7200.0: "2 h 0 m", 700_000.0: "8 d 2 h"}
    world.all_streams = [Stream(age_seconds=age) for age in ages]
    page = (await http.get("/")).text
    for received in ages.values():
        assert f">{received}<" in page


async def test_streams_out_of_sync_come_first_and_many_are_cut(world: World, http: httpx.AsyncClient) -> None:
    """A fleet of thousands leaves the page readable, with what needs a look on it."""
    world.all_streams = [Stream(n, f"node-{n:04}", subscriptions=[Subscription()]) for n in range(300)]
    world.all_streams[299].subscriptions[0].version_acked = "old"
    page = (await http.get("/")).text
    assert page.index("node-0299") < page.index("node-0000")
    assert page.count("node-") == 200
    assert "and 100 more" in page


async def test_a_client_is_named_with_what_it_cannot_do(world: World, http: httpx.AsyncClient) -> None:
    """Below its types, as what is absent, and no more of it than can be read."""
    world.all_streams = [Stream(subscriptions=[Subscription(names=["a:1"])])]
    world.subscribers.stated[b"", "a:1"] = ["shop/a:1: slow start is not supported"]
    page = (await http.get("/")).text
    assert "<small>grpc-go 1.85</small>" in page
    assert '<div class="note"><small>shop/a:1: slow start is not supported</small></div>' in page
    world.subscribers.stated[b"", "a:1"] = [f"shop/a:{number}" for number in range(9)]
    page = (await http.get("/")).text
    assert "shop/a:4</small>" in page
    assert "shop/a:5" not in page
    assert "<small>and 4 more</small>" in page


async def test_a_client_that_asks_for_what_does_not_exist_is_amber(
    world: World, http: httpx.AsyncClient
) -> None:
    """Before those that lack nothing, behind those that refuse; with the way to what may have been meant."""
    lost = Subscription(names=["bakend:1"], absent=[Absent("bakend:1", "service shop/bakend not found")])
    refused = Subscription(nack_message="bad route")
    streams = [Stream(1, "fine", subscriptions=[Subscription()]), Stream(2, "lost", subscriptions=[lost])]
    world.all_streams = [*streams, Stream(3, "refusing", subscriptions=[refused])]
    page = (await http.get("/")).text
    assert page.index(">refusing<") < page.index(">lost<") < page.index(">fine<")
    assert "1 client stream with absent names" in page
    for state in ('good" title="in_sync">✓', 'warn" title="absent">!', 'bad" title="refused">✗'):
        assert page.count(f'<span class="{state}</span> lds') == 1, state
    assert "bakend:1: service shop/bakend not found" in page
    assert 'href="/api/v1/explain?target=bakend%3A1&amp;namespace=shop"' in page


async def test_very_many_absent_and_waiting_names_are_counted(world: World, http: httpx.AsyncClient) -> None:
    """A client may ask for 50,000."""
    names = [f"n{number:02}" for number in range(50)]
    lost = Subscription(CLUSTER, names=names, absent=[Absent(name) for name in names], more_absent=1000)
    world.all_streams = [Stream(subscriptions=[lost, Subscription(names=names, waiting=names)])]
    page = (await http.get("/")).text
    assert (page.count("no such service"), page.count("waits for n")) == (5, 5)
    assert "absent</span>: 1,045 more" in page
    assert "lds waits for 45 more" in page
