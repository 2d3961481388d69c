"""The control planes on the API server: started, measured from their start to readiness, asked for their metrics."""

import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.child import Child, ChildError
from bench.plan import ASSIGNMENT_NAMES
from bench.server.contestant import steerway_command

_ADDRESSES = (re.compile(r"\blistening on (\S+)"), re.compile(r"\badmin on (\S+)"))
_START_SECONDS = 60.0
_READY_SECONDS = 300.0
_LOOK_SECONDS = 0.02
_SETTLE_SECONDS = 3.0
_WONGNAI = "127.0.0.1:5000"


@dataclass(frozen=True, slots=True)
class Product:
    """A ready control plane. `ready_seconds` are those from its start until it served everything."""

    pid: int
    address: str
    admin: str
    ready_seconds: float
    names: str = ASSIGNMENT_NAMES
    """What its assignments are called."""
    responses_metric: str = "steerway_responses_total"

    def metrics(self) -> dict[tuple[str, str], float]:
        """Samples by name and step (or type, or ""), summed over the rest of their labels."""
        metrics: dict[tuple[str, str], float] = {}
        text = urllib.request.urlopen(f"{self.admin}/metrics", timeout=_START_SECONDS).read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = sample.name, sample.labels.get("step", "") + sample.labels.get("le", "")
                metrics[key] = metrics.get(key, 0.0) + sample.value
        return metrics

    def responses(self) -> float:
        """How many responses it has sent."""
        return self.metrics()[self.responses_metric, ""]


@contextmanager
def serve(kubeconfig: Path) -> Iterator[Product]:
    """Start it on all namespaces. ChildError when it does not become ready."""
    command = [steerway_command(), "serve", "--kubernetes", "--kubeconfig", kubeconfig]
    command += ["--namespace", "all", "--log-level", "warning"]
    # All clients of a measurement have one address.
    command += ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--max-connections-per-address", "0"]
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


@contextmanager
def serve_wongnai(program: Path, kubeconfig: Path, touch: Callable[[], None]) -> Iterator[Product]:
    """wongnai/xds, at the ports that it always has. Its first snapshot has no version, and no client is answered with
    it: `touch` is called to change something."""
    started = time.monotonic()
    with Child(["env", f"KUBECONFIG={kubeconfig}", program]) as child:
        while not _listens(_WONGNAI):
            if time.monotonic() - started > _START_SECONDS:
                raise ChildError(f"{program} does not listen on {_WONGNAI}")
            time.sleep(_LOOK_SECONDS)
        time.sleep(_SETTLE_SECONDS)
        touch()
        time.sleep(_SETTLE_SECONDS)
        seconds = time.monotonic() - started
        metric = "xds_server_stream_responses_total"
        yield Product(child.pid, _WONGNAI, "http://127.0.0.1:9000", seconds, "svc-{}.bench:grpc", metric)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
