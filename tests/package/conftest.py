"""The wheel of this checkout, and the root file system of the image with it, made once for all tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.process.process import installed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what `make build` has compiled; it needs the glibc of this machine, unlike that of `make wheel`."""
    folder = tmp_path_factory.mktemp("dist")
    command = [installed("maturin"), "build", "--release", "--locked", "--quiet", "--compatibility", "linux"]
    run([*command, "--out", str(folder)])
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def image(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root file system that the Dockerfile copies."""
    root = tmp_path_factory.mktemp("image") / "root"
    run([str(ROOT / "deploy" / "image" / "rootfs.sh"), str(wheel), str(root)], PYTHON=sys.executable)
    return root


def run(command: list[str], **environment: str) -> str:
    """The standard output of a command; its error output is part of the failure."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
