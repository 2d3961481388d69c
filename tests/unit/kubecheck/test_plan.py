"""The plan of checks and the guide have the same names."""

import re
from pathlib import Path

from steerway.kubecheck import plan
from steerway.kubecheck.context import Context
from steerway.kubecheck.result import GUIDE, Check, Result, ok

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / GUIDE.replace(".html", ".md")


async def objects(_context: Context) -> list[Result]:
    return [ok("")]


def checks() -> dict[str, Check]:
    sections = (*plan.BEFORE, *plan.installed(objects))
    return {check.name: check for section in sections for check in section.checks}


def test_each_check_has_its_heading_in_the_guide_and_no_heading_is_left() -> None:
    """A link leads to the heading's anchor."""
    titles = re.findall(r"^### (.*)$", PAGE.read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert len(anchors) == len(titles) > 20
    assert anchors == {check.link.partition("#")[2] for check in checks().values()}


def test_what_a_check_requires_comes_before_it() -> None:
    for sections in (plan.BEFORE, plan.installed(objects)):
        seen: set[str] = set()
        for section in sections:
            names = {check.name for check in section.checks}
            for check in section.checks:
                assert set(check.requires) <= seen | names, check.name
            seen |= names


def test_names_are_distinct_within_a_plan() -> None:
    for sections in (plan.BEFORE, plan.installed(objects)):
        names = [check.name for section in sections for check in section.checks]
        assert len(names) == len(set(names)) > 5
