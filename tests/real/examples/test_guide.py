"""The commands of docs/guides/from-dns.md, run as its reader would."""

import re
from pathlib import Path

import pytest

from testbed.process import example_program
from tests.support import guide_commands

GUIDE = Path(__file__).parents[3] / "docs/guides/from-dns.md"


@pytest.mark.timeout(900)
def test_the_commands_work_as_pasted(tmp_path: Path) -> None:
    for path in example_program.build("python").program.iterdir():
        (tmp_path / path.name).symlink_to(path)
    guide_commands.write_manifests(GUIDE, "Try it", tmp_path / "manifests/echo.yaml")
    sections = ("Try it", "Rollout", "Observe before and after")
    _start, clients, explanation, metrics = guide_commands.run(GUIDE, sections, tmp_path)
    ports = re.findall(r"^OK .*:(\d+)$", clients, re.MULTILINE)
    assert ports[:4] == ["50061"] * 4
    assert len(ports) == 8
    assert set(ports[4:]) == {"50061", "50062"}
    assert "✓ 2 endpoints in 2 EndpointSlices" in explanation
    assert "steerway_nacks_total" in metrics
    assert '"streams"' in metrics
