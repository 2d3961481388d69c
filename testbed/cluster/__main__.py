"""`python -m testbed.cluster start|stop|status`: a Kubernetes cluster to play with, in a network namespace of its own.

It goes on until it is stopped. Its state is in the user's cache directory; each start begins with an empty cluster.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from testbed.cluster.build import build, kubernetes_version
from testbed.cluster.cluster import Cluster
from testbed.cluster.command import DNS_SERVER, Commands
from testbed.cluster.network import Network, NetworkError
from testbed.process.built_program import cache
from testbed.process.deadline import until

NETWORK = "steerway-cluster"
_STEERWAY = Path(__file__).parents[2] / ".venv" / "bin" / "steerway"


def main(arguments: list[str]) -> int:
    """Run the command of the one argument; returns the exit code."""
    match arguments:
        case ["start"]:
            return start()
        case ["stop"]:
            return stop()
        case ["status"]:
            return status()
    print("usage: python -m testbed.cluster start|stop|status", file=sys.stderr)
    return 2


def start() -> int:
    """Build kubebox unless it is there, start the cluster and print how to use it."""
    if _running():
        print("It runs already.")
        return status()
    _clear()
    box = build()
    folder = _folder()
    folder.mkdir(parents=True)
    began = time.monotonic()
    cluster = Cluster(box, folder, Network(NETWORK), ends_with_parent=False)
    try:
        cluster.start()
        pids = {name: part.pid for name, part in cluster.parts.items()}
        _record().write_text(json.dumps({"box": str(box), "pids": pids}, indent=2) + "\n")
    except BaseException:
        cluster.stop()
        raise
    print(f"Kubernetes {kubernetes_version()} is ready after {time.monotonic() - began:.1f} s.")
    return status()


def stop() -> int:
    """End every part and remove everything that was kept."""
    for pid in _running().values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not _running(), "the end of every part")
    _clear()
    print("No cluster runs.")
    return 0


def status() -> int:
    """Print what runs and how to use it; exit code 1 when nothing does."""
    running = _running()
    if not running:
        print("No cluster runs; `make cluster` starts one.")
        return 1
    inside = f"ip netns exec {NETWORK}"
    file = Commands(Path(), _folder()).kubeconfig
    print(f"Running: {', '.join(f'{name} (process {pid})' for name, pid in running.items())}")
    print(f"Kubeconfig: {file}")
    print(f"Logs:       {_folder()}/*.log")
    print("Its addresses exist in its network namespace only, so run steerway, clients and kubectl inside:")
    print(f"  {inside} {_STEERWAY} serve --kubernetes --kubeconfig {file} --namespace all")
    print(f"  {inside} kubectl --kubeconfig {file} get endpointslices --all-namespaces --watch")
    print(f"  {inside} bash")
    print(f"Services have their ClusterIPs inside, and names by the DNS server {DNS_SERVER}.")
    print("Containers run as processes with this machine's files. `make cluster-stop` ends them all.")
    return 0


def _folder() -> Path:
    return cache() / "cluster"


def _record() -> Path:
    return _folder() / "cluster.json"


def _running() -> dict[str, int]:
    """The parts of the recorded cluster that run, by name. A process id that is another's by now is none of them."""
    try:
        record: dict[str, Any] = json.loads(_record().read_text())
    except FileNotFoundError:
        return {}
    return {name: pid for name, pid in record["pids"].items() if _program(pid) == record["box"]}


def _program(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:  # ended: also a zombie has no program
        return ""


def _clear() -> None:
    Network(NETWORK).delete()
    shutil.rmtree(_folder(), ignore_errors=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (NetworkError, AssertionError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        sys.exit(1)
