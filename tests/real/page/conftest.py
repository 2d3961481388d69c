"""One browser for all tests of the page, and what is asked of every view."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.process.browser import Browser
from testbed.process.deadline import until

ROOT = Path(__file__).parents[3]
_AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.needs("browser"))


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert _AXE.is_file(), "the tools of the page are missing: run make build"
    with Browser(tmp_path_factory.mktemp("browser"), {}) as browser:
        yield browser


@pytest.fixture
def page(started: Browser) -> "Page":
    """A window of usual size with light colours."""
    started.clear()
    started.show(1280, 800)
    return Page(started)


class Page:
    """The page in a browser."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def open(self, address: str, fragment: str = "#/") -> None:
        """Load the page with a deep link, and wait for the view's heading."""
        assert self.browser.open(f"{address}/{fragment}") == 200
        self.wait("document.querySelector('h1') !== null", "a heading")

    def go(self, fragment: str, shown: str) -> None:
        """Move to a view without loading the page, and wait for a text in it."""
        self.evaluate(f"location.hash = {json.dumps(fragment)}")
        self.wait_for_text(shown)

    def evaluate(self, expression: str) -> Any:
        return self.browser.evaluate(expression)

    def wait(self, condition: str, what: str) -> None:
        until(lambda: self.evaluate(condition), lambda: f"{what}:\n{self.text[:600]}")

    def wait_for_text(self, text: str) -> None:
        """As it is shown; a long name is in parts, of which the middle may be clipped."""
        parts = "[main.innerText, main.textContent].some"
        is_shown = f"{parts}(shown => shown.includes({json.dumps(text)}))"
        self.wait(f"(main => main !== null && {is_shown})(document.querySelector('main'))", text)

    @property
    def text(self) -> str:
        return str(self.evaluate("document.body.innerText"))

    def count(self, selector: str) -> int:
        return int(self.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def assert_accessible(self) -> None:
        """No rule of axe-core is violated, and the page is not wider than the window."""
        if not self.evaluate("'axe' in window"):
            self.evaluate(_AXE.read_text() + "; true")
        broken = self.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(result => result.violations.map(rule => "
            "[rule.id, rule.nodes.length, rule.nodes[0].html.slice(0, 200), rule.nodes[0].failureSummary]))"
        )
        assert broken == [], json.dumps(broken, indent=2)
        assert self.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"

    def assert_quiet(self) -> None:
        """The console has no violation of the policy, and no error of a script."""
        assert self.browser.violations() == []
        assert self.browser.failures() == []
