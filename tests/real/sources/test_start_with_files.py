"""A start with files that cannot be read: not ready for a limited time, with the last good objects if there are any."""

import subprocess
from pathlib import Path

import pytest

from testbed.backend.backend import Backends
from testbed.manifest import Files
from testbed.process.deadline import until
from testbed.process.process import installed
from tests.real.conftest import Connect, Steer

TARGET = "xds:///backend.shop:50051"

pytestmark = pytest.mark.parametrize("connect", ["grpcio"], indirect=True)


def test_a_path_that_does_not_exist_ends_it_with_exit_code_2(tmp_path: Path, connect: Connect) -> None:
    """One line names it, and the setting to wait for it."""
    del connect
    command = [installed("steerway"), "serve", "--files", str(tmp_path / "none"), "--listen", "127.0.0.1:0"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: --files {tmp_path}/none does not exist: ")
    assert "--files-optional" in ended.stderr


def test_a_broken_file_keeps_a_new_replica_unready_and_clients_on_what_they_have(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """A rollout stops; after the wait it serves all else, and the file is a problem."""
    addresses = backends.open(1)
    files.publish(addresses)
    files.write_text("broken.yaml", "a: [")
    plane = steer("--files-sync-timeout-seconds", "3600")
    plane.wait_for_problem("broken.yaml:1", "YAML")
    assert not plane.ready()
    later = steer("--files-sync-timeout-seconds", "0.1")
    until(later.ready, "it is ready")
    assert connect(later).dial(TARGET).call()[0].backend == addresses[0]
    assert [problem["where"] for problem in later.problems()] == [f"{files.directory}/broken.yaml:1"]


def test_files_that_break_while_it_is_away_are_served_from_its_state(
    backends: Backends, files: Files, steer: Steer, connect: Connect, tmp_path: Path
) -> None:
    """At once, with a problem and an age."""
    addresses = backends.open(1)
    files.publish(addresses)
    plane = steer("--state-dir", str(tmp_path / "state"))
    assert connect(plane).dial(TARGET).call()[0].ok
    plane.stop()
    for file in files.directory.iterdir():
        file.write_text("a: [")
    plane.restart()
    until(plane.ready, "it is ready")
    assert connect(plane).dial(TARGET).call()[0].backend == addresses[0]
    assert plane.wait_for_problem(".yaml", "is served as it was read at")["hint"]
    assert plane.metric("steerway_files_restored_age_seconds") > 0
