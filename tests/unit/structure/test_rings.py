"""`make test` runs each folder of tests."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.process.deadline import PATIENCE_SECONDS, until

ROOT = Path(__file__).parents[3]


def test_every_folder_of_tests_is_in_a_lane() -> None:
    makefile = (ROOT / "Makefile").read_text()
    lanes = "\n".join(
        re.findall(r"^(?:test|test-lane-\d|unit-\w+):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    )
    folders = {file.relative_to(ROOT / "tests").parts[0] for file in (ROOT / "tests").rglob("test_*.py")}
    assert len(folders) > 4
    assert [name for name in sorted(folders) if not re.search(rf"tests/{name}\b", lanes)] == []


def test_folders_of_the_unit_tests_with_a_process_of_their_own_exist() -> None:
    (line,) = re.findall(
        r"^UNIT_IO := \$\(addprefix tests/unit/,(.*)\)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert [name for name in line.split() if not list((ROOT / "tests/unit" / name).rglob("test_*.py"))] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_ring_is_the_last_of_its_lane(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C ends `make test`, although a lane goes on after a ring that fails."""
    endless = "import time; print('started', flush=True); time.sleep(1000)"
    ring = [sys.executable, str(ROOT / ".ci" / "ring.py")]
    lane = f'{ring[0]} {ring[1]} first {sys.executable} -c "{endless}" || true; echo next'
    with subprocess.Popen(
        ["/bin/bash", "-c", lane],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as shell:
        log = tmp_path / "build" / "log" / "first.log"
        until(lambda: log.exists() and "started" in log.read_text(), "the ring runs")
        os.killpg(shell.pid, number)
        output = shell.communicate(timeout=PATIENCE_SECONDS)[0]
    assert "next" not in output
    assert shell.returncode != 0
