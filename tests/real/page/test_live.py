"""The page of a real steerway with real clients: what happens there is on the page while it happens."""

import json
from pathlib import Path
from urllib.parse import quote

from envoy.config.core.v3.base_pb2 import Node

from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import ENDPOINT, LISTENER
from testbed.backend.backend import Backends
from testbed.manifest import PORT, Files
from tests.real.conftest import Connect, Serve, Steer, by
from tests.real.page.conftest import Page

MARKUP = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script>"
TARGET = f"xds:///backend.shop:{PORT}"
CLUSTER = f"backend.shop.svc.cluster.local:{PORT}"


@by("grpcio")
def test_each_view_shows_a_real_client(page: Page, serve: Serve, steer: Steer, connect: Connect) -> None:
    """Service, workload, node, subscription, graph, journal and explanation, without a reload in between."""
    serve("backend")
    plane = steer()
    page.open(plane.admin)
    page.wait_for_text("No client is connected")
    client = connect(plane)
    client.dial(TARGET).wait_for_answer()
    page.wait_for_text("client streams are in sync")
    (stream,) = plane.streams("eds")
    workload = page.evaluate(
        "fetch('api/v1/clients').then(answer => answer.json()).then(page => page.items[0].id)"
    )
    for fragment, shown in (
        ("#/services", "shop/backend"),
        ("#/services/shop%2Fbackend", "1 of 1 healthy"),
        ("#/clients", workload.partition("/")[2] or workload),
        ("#/clients?by=node", stream["node"]),
        (f"#/clients/{quote(workload, safe='')}", "shop/backend"),
        (f"#/nodes/{quote(stream['node'], safe='')}", CLUSTER),
        ("#/matrix", "1 workload"),
        ("#/graph", "2 boxes"),
        ("#/changes", "Published"),
        ("#/problems", "No problems"),
        (f"#/explain?target={quote(TARGET, safe='')}", "100.0 %"),
    ):
        page.go(fragment, shown)
        page.assert_accessible()
    page.assert_quiet()


@by("grpcio")
def test_a_rolling_restart_is_visible_while_it_happens(
    page: Page, serve: Serve, backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """Endpoints of the service view change with each step, and each step is an entry of the timeline."""
    addresses = serve("backend")
    plane = steer()
    connect(plane).dial(TARGET).wait_for_answer()
    page.open(plane.admin, "#/services/shop%2Fbackend")
    page.wait("document.querySelectorAll('.square').length === 1", "one endpoint")
    for step in (1, 2):
        addresses = [*addresses, *backends.open(1)]
        files.publish(addresses)
        page.wait(f"document.querySelectorAll('.square').length === {1 + step}", "a new endpoint")
    files.publish(addresses[1:])
    page.wait("document.querySelectorAll('.square').length === 2", "the old endpoint has left")
    page.go("#/changes", "backend")
    page.wait("document.querySelectorAll('.table-space .row').length >= 4", "an entry for each step")
    page.wait("document.querySelector('.timeline .dot') !== null", "the timeline")
    page.assert_quiet()


def test_a_refusal_is_on_the_page_and_texts_of_clients_run_nothing(
    page: Page, serve: Serve, files: Files, steer: Steer
) -> None:
    """Names and messages are foreign text."""
    serve("backend")
    broken = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": MARKUP},
        "spec": {"ports": [{"port": 1}]},
    }
    (files.directory / "bad.json").write_text(json.dumps(broken))
    plane = steer()
    page.open(plane.admin)
    with AdsClient(plane.address, Node(id=MARKUP, user_agent_name=MARKUP)) as client:
        absent, refusing = client.delta(), client.sotw()
        absent.request(LISTENER, MARKUP)
        refusing.request(ENDPOINT, CLUSTER)
        refusing.nack(refusing.read(), MARKUP)
        page.wait_for_text("refused the newest configuration")
        page.go("#/clients?by=node", MARKUP)
        page.go("#/problems", MARKUP)
        page.evaluate("location.hash = '#/nodes/' + encodeURIComponent(" + json.dumps(MARKUP) + ")")
        page.wait_for_text("refused version")
        assert page.text.count(MARKUP) >= 3
        assert page.count("script") == 1 and page.count("img") == 0
        assert page.evaluate("document.title") != "ran"
        page.assert_quiet()


def test_the_token_is_asked_for_and_never_kept(
    page: Page, serve: Serve, steer: Steer, tmp_path: Path
) -> None:
    """The browser has a cookie that scripts cannot read; logging out ends the session."""
    serve("backend")
    file = tmp_path / "token"
    file.write_text("token-0123456789abcdef\n")
    plane = steer("--admin-token-file", str(file))
    page.open(plane.admin, "#/services")
    page.wait("document.querySelector('input[type=password]') !== null", "the form")
    page.assert_accessible()
    page.browser.press(*"wrong", "Enter")
    page.wait("document.querySelector('[role=alert]') !== null", "the refusal")
    assert "admin_token_file" in page.text
    page.evaluate("document.querySelector('input').value = ''; document.querySelector('input').focus()")
    page.browser.press(*"token-0123456789abcdef", "Enter")
    page.wait_for_text("shop/backend")
    (cookie,) = page.browser.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["session"]) == (True, "Strict", True)
    stored = page.evaluate("document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert "token-" not in stored + json.dumps(cookie) + "".join(page.browser.requests())
    page.browser.reload()
    page.wait_for_text("shop/backend")
    page.wait("document.querySelector('[aria-label=\"Log out\"]') !== null", "the button")
    page.evaluate("document.querySelector('[aria-label=\"Log out\"]').click()")
    page.wait("document.querySelector('input[type=password]') !== null", "the form again")
