"""docs/admin.md keeps up with the admin server and with what is counted."""

import itertools
import re
from pathlib import Path

from steerway import telemetry
from steerway.admin.api.type_name import SHORT
from steerway.admin.page import ENDPOINTS
from steerway.engine.engine import Engine
from steerway.engine.stats import StatsCollector
from testbed.engine_options import engine_options

DOCUMENT = (Path(__file__).parents[3] / "docs" / "admin.md").read_text()


def test_every_path_is_documented() -> None:
    """Those that the page lists; a listing of one type stands for its `?type=`."""
    for path in ENDPOINTS:
        shown = path.replace("/cds/NAME", "/TYPE/NAME")
        assert f"`{shown}`" in DOCUMENT or shown == "/api/v1/resources/cds", path


def test_every_metric_has_its_row_with_its_type() -> None:
    """Name with the ending that a scrape shows, and type."""
    rows = dict(re.findall(r"^\| `(steerway_\w+)` \| (\w+) \|", DOCUMENT, re.MULTILINE))
    counted = StatsCollector(Engine(engine_options(identifier="never started"))).collect()
    for metric in itertools.chain(telemetry.REGISTRY.collect(), counted):
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        assert rows.get(name) == metric.type, name


def test_the_short_names_of_types_are_documented() -> None:
    """Those of the types that are served."""
    for short in SHORT.keys() - {"vhds"}:
        assert f"`{short}`" in DOCUMENT
