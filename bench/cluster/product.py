"""`steerway serve` on the API server: started, measured from its start to readiness, asked for its metrics."""

import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.child import Child, ChildError

_ADDRESSES = (re.compile(r"\blistening on (\S+)"), re.compile(r"\badmin on (\S+)"))
_START_SECONDS = 60.0
_READY_SECONDS = 300.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Product:
    """A ready steerway. `ready_seconds` are those from its start until it served everything."""

    pid: int
    address: str
    admin: str
    ready_seconds: float

    def metrics(self) -> dict[tuple[str, str], float]:
        """Samples by name and step (or type, or ""), summed over the rest of their labels."""
        found: dict[tuple[str, str], float] = {}
        text = urllib.request.urlopen(f"{self.admin}/metrics", timeout=_START_SECONDS).read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = sample.name, sample.labels.get("step", "") + sample.labels.get("le", "")
                found[key] = found.get(key, 0.0) + sample.value
        return found


@contextmanager
def serve(kubeconfig: Path) -> Iterator[Product]:
    """Start it on all namespaces. ChildError when it does not become ready."""
    command = [
        str(Path(sys.executable).with_name("steerway")),
        "serve",
        "--kubernetes",
        "--kubeconfig",
        kubeconfig,
    ]
    command += ["--namespace", "all", "--log-level", "warning"]
    command += ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    started = time.monotonic()
    with Child(command) as child:
        address, admin = (child.hear(pattern, _START_SECONDS)[1] for pattern in _ADDRESSES)
        while not _ready(admin):
            if time.monotonic() - started > _READY_SECONDS:
                raise ChildError(f"steerway was not ready within {_READY_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)
        yield Product(child.pid, address, admin, time.monotonic() - started)


def _ready(admin: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{admin}/readyz", timeout=_START_SECONDS).status == 200)
    except urllib.error.HTTPError:
        return False
