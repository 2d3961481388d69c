"""Files that are published inside of a Go module: a folder with go.mod and go.sum pins version and content."""

import functools
import json
import shutil
import subprocess
from pathlib import Path


@functools.cache
def folder(pinned: Path, module: str) -> Path:
    """Where the module is, which the Go client fetches once into its own cache; to be asked outside of a cluster's
    network, where no module proxy is. AssertionError without Go or network."""
    go = shutil.which("go")
    assert go is not None, f"Go is needed to fetch {module}: install Go 1.26 or newer"
    command = [go, "mod", "download", "-json", module]
    done = subprocess.run(command, cwd=pinned, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{module} could not be fetched: {done.stdout}{done.stderr}"
    return Path(json.loads(done.stdout)["Dir"])
