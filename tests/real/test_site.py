"""The documentation as a site in a real browser: `make docs` builds it, and pages need no other host."""

import http.server
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from testbed.process.browser import Browser
from testbed.process.deadline import until

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"

# The first build installs the renderer.
pytestmark = [pytest.mark.needs("browser"), pytest.mark.timeout(300)]


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: requests are no output of a test."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the built site is served."""
    run = subprocess.run(["make", "docs"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_pages_fetch_nothing_from_other_hosts(url: str, tmp_path: Path) -> None:
    """Each has a title and its navigation, and no line that is wider than the window."""
    pages = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html") if page.name != "404.html")
    pages = [page for page in pages if not Path(page).name[0].isdigit()]
    assert len(pages) > 15
    with Browser(tmp_path, {}) as browser:
        for page in pages:
            assert browser.open(f"{url}/{page}") == 200
            until(lambda: browser.evaluate("document.readyState === 'complete'"), f"{page} to be complete")
            others = [asked for asked in browser.requests() if not asked.startswith((url, "data:", "blob:"))]
            assert others == [], page
            assert browser.evaluate("document.querySelectorAll('article h1').length") == 1, page
            tabs = browser.evaluate(
                "[...document.querySelectorAll('.md-tabs__link')].map(e => e.innerText.trim())"
            )
            assert tabs == ["Home", "Guides", "Concepts", "Reference"], page
            assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), page


def test_the_search_index_has_the_settings(url: str, tmp_path: Path) -> None:
    """It is a file of the site."""
    with Browser(tmp_path, {}) as browser:
        browser.open(f"{url}/index.html")
        indexed = browser.evaluate(
            "fetch('search.json').then(answer => answer.text()).then(text => text.includes('default_namespace'))"
        )
    assert indexed
