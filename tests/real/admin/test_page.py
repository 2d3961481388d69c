"""The admin page in a real browser: it is shown whole under its Content-Security-Policy, and nothing on it runs."""

import json
from pathlib import Path

import pytest
from envoy.config.core.v3.base_pb2 import Node

from steerway.testing.ads_client import AdsClient
from steerway.translate.xds.type_url import LISTENER
from testbed.manifest import Files
from testbed.process.browser import Browser
from testbed.process.deadline import until
from tests.real.conftest import Steer

pytestmark = pytest.mark.needs("browser")

MARKUP = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script>"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": MARKUP},
    "spec": {"ports": [{"port": 1}]},
}
FOREIGN = "pages.example"
HANDLER = """
new Promise(resolve => {
  document.addEventListener('securitypolicyviolation', event => resolve(event.effectiveDirective));
  document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="document.title=\\'ran\\'">');
  const script = document.createElement('script');
  script.textContent = "document.title = 'ran'";
  document.body.append(script);
})
"""
"""An event handler and a script, as if a text had come onto the page unescaped."""


def test_the_page_shows_its_tables_and_runs_nothing(files: Files, steer: Steer, tmp_path: Path) -> None:
    """Names with markup are shown as they are; a policy violation would be on the console. A page of another site whose
    name leads to the server (DNS rebinding) reads nothing."""
    (files.directory / "bad.json").write_text(json.dumps(SERVICE))
    plane = steer()
    node = Node(id=MARKUP, user_agent_name=MARKUP)
    with AdsClient(plane.address, node) as client, Browser(tmp_path, {FOREIGN: "127.0.0.1"}) as browser:
        assert browser.open(plane.admin) == 200
        assert "No client is connected" in browser.evaluate("document.body.innerText")
        stream = client.delta()
        stream.request(LISTENER, MARKUP)
        until(lambda: plane.streams("lds"), "the stream is known")
        assert browser.open(plane.admin) == 200
        text = browser.evaluate("document.body.innerText")
        assert text.count(MARKUP) >= 3, text
        assert "1 client stream" in text
        assert browser.evaluate("document.querySelectorAll('table tbody tr').length") > 10
        assert (
            browser.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"
        )
        assert browser.evaluate("document.querySelectorAll('script, img').length") == 0
        assert browser.violations() == []
        assert browser.evaluate(HANDLER)
        assert browser.evaluate("document.title") == "steerway"
        assert len(browser.violations()) >= 2, "the console reports violations"
        port = plane.admin.rpartition(":")[2]
        assert browser.open(f"http://{FOREIGN}:{port}/") == 421
        assert "admin_hosts" in browser.evaluate("document.body.innerText")
