"""The workflows of CI: valid, pinned, and made of targets that the Makefile has."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.package.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"


def steps(path: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load(path.read_text())
    return [step for job in document["jobs"].values() for step in job.get("steps", ())]


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = "\n".join(step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step)
    called = set(re.findall(r"\bmake (?:--silent )?([a-z-]+)", commands))
    assert called >= {"test", "wheel", "wheel-check", "sdist", "sbom", "image"}
    assert called <= targets


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    """With the version beside it, by which updates are proposed; a tag can be moved to other code."""
    uses = re.findall(r"uses: *([^\s#]+)(.*)$", path.read_text(), re.MULTILINE)
    assert uses
    for action, comment in uses:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_permissions_are_given_by_job(path: Path) -> None:
    """Read access to the contents for all, more for single jobs; no checkout leaves its token on disk."""
    document = yaml.safe_load(path.read_text())
    assert document["permissions"] == {"contents": "read"}
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.needs("go")
def test_actionlint_finds_nothing() -> None:
    """Syntax, expressions, contexts and types of inputs."""
    command = ["go", "run", ACTIONLINT, "-color=false", "-shellcheck=", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
