"""Every view over a generated mesh: it shows its parts, axe-core accepts it, and the keyboard reaches all of it."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from testbed.process.deadline import until
from tests.real.page.conftest import Page
from tests.real.page.generated.server import Generated, serving
from tests.real.page.generated.world import World

VIEWS = {
    "#/": "Needs attention",
    "#/services": "of 40 services",
    "#/services/shop%2Fcart": "Way of a call",
    "#/clients": "identity/config",
    "#/clients?by=node": "7c9d8b6f5",
    "#/clients/shop%2Fcart": "Nodes",
    "#/nodes/cart-7c9d8b6f5-0000.shop": "Stream 5",
    "#/matrix": "workloads",
    "#/graph": "lines",
    "#/changes?range=all": "Published",
    "#/changes/12?range=all": "Close",
    "#/problems": "checkout-next",
    "#/explain?target=xds%3A%2F%2F%2Fcart.shop%3A50051": "Share of calls",
    "#/services/shop%2Fcar": "is not known",
    "#/nowhere": "There is no view",
}


@pytest.fixture(scope="module")
def generated() -> Generated:
    app = Generated(World(workloads=60, services=40))
    app.pause = True
    return app


@pytest.fixture(scope="module")
def address(generated: Generated) -> Iterator[str]:
    with serving(generated) as url:
        yield url


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_every_view_is_accessible(page: Page, address: str, look: str) -> None:
    """In both colours and on a phone, without a violation of the policy."""
    if look == "phone":
        page.browser.show(390, 844, phone=True)
    else:
        page.browser.show(1280, 800, dark=look == "dark")
    page.open(address)
    for fragment, shown in VIEWS.items():
        page.go(fragment, shown)
        page.assert_accessible()
    page.assert_quiet()


def test_what_does_not_exist_is_not_drawn_as_served(page: Page) -> None:
    """A missing backend of a route, a client of an absent name, and the service of that name in the graph."""
    world = World(workloads=20, services=40)
    routed = max(
        (s for s in world.services.values() if s["routes"]), key=lambda s: len(world.edges_to(s["id"]))
    )
    caller = world.edges_to(routed["id"])[0]["workload"]
    world.workloads[caller]["states"] = {"absent": world.workloads[caller]["streams"]}
    other = min(target for _, target in world.edges if target not in {routed["id"], *world.workloads})
    del world.services[other]
    app = Generated(world)
    app.pause = True
    with serving(app) as address:
        page.open(address, "#/services/" + quote(routed["id"], safe=""))
        page.wait("document.querySelectorAll('.flow-client.flow-bad').length === 1", "the client")
        page.assert_accessible()
        page.go(f"#/graph?focus=s:{quote(other, safe='')}", "Neighbours")
        page.wait("document.querySelectorAll('.node-service.n-absent').length === 1", "the absent service")
        page.assert_accessible()


def test_a_deep_link_is_the_same_view_after_a_reload(page: Page, address: str) -> None:
    """With its filters."""
    page.open(address, "#/services?namespace=shop&q=car&sort=-clients")
    page.wait("document.querySelectorAll('.table-space .row').length > 0", "rows")
    rows = page.evaluate("[...document.querySelectorAll('.table-space .name')].map(name => name.title)")
    assert rows and all(row.startswith("shop/") and "car" in row for row in rows)
    page.browser.reload()
    page.wait("document.querySelectorAll('.table-space .row').length > 0", "rows")
    assert page.evaluate("document.querySelector('[data-search]').value") == "car"
    assert page.evaluate("document.querySelector('[aria-sort]').innerText").startswith("Client streams")


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_longest_names_stay_in_their_boxes(page: Page, look: str) -> None:
    """In every view; their ends are shown, since the names of a fleet differ there."""
    world = World(workloads=30, services=20, long=True)
    app = Generated(world)
    app.pause = True
    routed = max(
        (s for s in world.services.values() if s["routes"]), key=lambda s: len(world.edges_to(s["id"]))
    )
    caller = world.edges_to(routed["id"])[0]["workload"]
    page.browser.show(
        *((390, 844) if look == "phone" else (1280, 800)), phone=look == "phone", dark=look == "dark"
    )
    with serving(app) as address:
        page.open(address)
        for fragment, shown in (
            ("#/", "Needs attention"),
            ("#/services", "20 of 20 services"),
            (f"#/services/{quote(routed['id'], safe='')}", "Way of a call"),
            ("#/clients", "workloads"),
            ("#/clients?by=node", "Node"),
            (f"#/clients/{quote(caller, safe='')}", "Nodes"),
            ("#/matrix", "20 services"),
            ("#/graph", "lines"),
            ("#/changes/12?range=all", "Close"),
        ):
            page.go(fragment, shown)
            page.wait("document.querySelector('.spinner') === null", "the data")
            assert page.evaluate(_OUTSIDE) == [], fragment
            page.assert_accessible()
        page.go(f"#/services/{quote(routed['id'], safe='')}", "Way of a call")
        assert page.evaluate("document.querySelector('h1').innerText") == routed["id"]
        page.go("#/graph", "lines")
        ends = page.evaluate(
            "[...document.querySelectorAll('.node text')].map(text => text.textContent.slice(-5))"
        )
        assert set(ends) == {name[-5:] for name in {*world.services, *world.workloads}}
        page.assert_quiet()


_OUTSIDE = """
(() => {
  const wide = (inner, outer) => inner.getBoundingClientRect().right > outer.getBoundingClientRect().right + 1;
  const found = [];
  const check = (parts, box) => document.querySelectorAll(parts).forEach(part => {
    const around = typeof box === 'string' ? part.closest(box) : box(part);
    if (around && part.getClientRects().length && wide(part, around)) found.push([parts, part.textContent]);
  });
  check('h1 .name', '.head');
  check('.cell .name-end', '.cell');
  check('.lines .name-end, .lines li > *', '.panel');
  check('.matrix-side .name-end', '.matrix-side');
  check('.facts dd', '.facts > div');
  check('.flow-box text', text => text.parentElement.querySelector('rect'));
  check('.node text', text => text.parentElement.querySelector('rect'));
  return found;
})()
"""
"""Texts that end outside of their boxes."""


def test_the_keyboard_reaches_views_and_rows(page: Page, address: str) -> None:
    """A digit or g and a letter for a view, / for the filter, arrows and Enter in a list, Esc back."""
    page.open(address)
    page.wait_for_text("Recent changes")
    page.browser.press("g", "s")
    page.wait("document.activeElement.role === 'grid'", "the list has the focus")
    page.browser.press("ArrowDown", "ArrowDown", "Enter")
    page.wait("location.hash.startsWith('#/services/identity%2F')", "a row is opened")
    page.browser.press("Escape")
    page.wait("location.hash === '#/services'", "the list again")
    page.wait("document.querySelector('[data-search]') !== null", "the filter")
    page.browser.press("/", "c", "a", "r", "t")
    page.wait("location.hash === '#/services?q=cart'", "the list is filtered")
    page.browser.press("Escape")
    page.wait("location.hash === '#/services'", "the filter is cleared")
    page.browser.press("Escape", "7")
    page.wait_for_text("checkout-next")
    page.browser.press("?")
    page.wait("document.querySelector('dialog')?.innerText.includes('filter the list') === true", "the keys")
    page.browser.press("Escape")
    page.wait("document.querySelector('dialog') === null", "the dialog is closed")
    page.browser.press("d")
    page.wait("document.documentElement.dataset.theme === 'dark'", "dark colours")
    page.browser.press("d")


def test_the_timeline_zooms_to_what_the_mouse_selects(page: Page, address: str) -> None:
    """And the list below it has the entries of that window only."""
    page.open(address, "#/changes?range=all")
    page.wait("document.querySelectorAll('.dot').length > 5", "the entries")
    everything = page.evaluate("Number(document.querySelector('.kicker').innerText.split(' ')[0])")
    page.browser.drag((500, 110), (640, 110))
    page.wait("location.hash.includes('from=')", "the window is in the address")
    page.wait(
        f"Number(document.querySelector('.kicker').innerText.split(' ')[0]) < {everything}", "fewer entries"
    )
    page.evaluate("document.querySelector('.timeline').focus()")
    page.browser.press("0")
    page.wait(
        f"Number(document.querySelector('.kicker').innerText.split(' ')[0]) === {everything}", "all entries"
    )


def test_the_page_changes_with_the_server(page: Page, generated: Generated, address: str) -> None:
    """Without a request for the list, and a server that stops is on the page until it is back."""
    page.open(address, "#/changes?range=5m")
    page.wait_for_text("Acknowledged")
    before = page.count(".table-space .row")
    generated.pause = False
    page.wait(f"document.querySelectorAll('.table-space .row').length > {before}", "new entries")
    generated.refuse = True
    page.wait("document.querySelector('[role=alert]')?.innerText.includes('Not live') === true", "a warning")
    page.assert_accessible()
    generated.refuse = False
    page.evaluate("document.querySelector('[role=alert] button').click()")
    page.wait("document.querySelector('[role=alert]') === null", "live again")
    generated.pause = True


def test_thousands_of_clients_are_fluent(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    """2,000 workloads and 500 services: the document has the visible rows only, whatever is scrolled or filtered."""
    figures: dict[str, float] = {}
    with serving(Generated(World(workloads=2000, services=500, entries=2000))) as address:
        page.open(address, "#/clients")
        page.wait("document.querySelectorAll('.table-space .row').length > 5", "rows")
        paint = "performance.getEntriesByName('first-contentful-paint')[0]"
        page.wait(f"{paint} !== undefined", "the first paint")
        figures["first contentful paint"] = page.evaluate(f"{paint}.startTime")
        figures["rows at"] = page.evaluate("performance.now()")
        for fragment, shown in (
            ("#/services", "500 of 500"),
            ("#/matrix", "2,000 workloads"),
            ("#/changes?range=all", "entries"),
            ("#/graph", "By namespace"),
            ("#/clients", "2,000 workloads"),
        ):
            page.go("#/", "Needs attention")
            figures[f"open {fragment}"] = _interaction(page, f"location.hash = '{fragment}'")
            page.wait_for_text(shown)
            page.wait("document.querySelector('.spinner') === null", "the data")
            assert page.count("*") < 2500, fragment
        figures["scroll"] = _interaction(page, "document.querySelector('.table-body').scrollTop = 40000")
        assert page.count("*") < 2500
        field = "document.querySelector('[data-search]')"
        typing = f"{field}.value = 'cart'; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))"
        figures["type"] = _interaction(page, typing)
        page.wait("location.hash.includes('q=cart')", "the list is filtered")
        figures["sort"] = _interaction(page, "document.querySelectorAll('.table-head button')[1].click()")
        until(lambda: page.count("[aria-sort]") == 1, "the list is sorted")
        page.assert_quiet()
    with capsys.disabled():
        print("\npage, ms:", ", ".join(f"{name} {value:.0f}" for name, value in figures.items()))


def _interaction(page: Page, action: str) -> float:
    """Milliseconds from an action to the frame behind it."""
    value: float = page.evaluate(
        "new Promise(done => { const start = performance.now(); "
        f"{action}; requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))) }})"
    )
    return value
