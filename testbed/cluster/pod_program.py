"""What runs in a pod: a real gRPC server that answers with its own address until SIGTERM.

Run as `python -m testbed.cluster.pod_program ADDRESS:PORT`. It ends as servers should: GOAWAY, calls in flight may
finish.
"""

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from testbed.backend.backend_program import Backend, Gatherings

THREADS = 8


def main(address: str) -> None:
    """Serve until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    with ThreadPoolExecutor(THREADS) as pool:
        backend = Backend(address, pool, Gatherings())
        stop.wait()
        backend.close()


if __name__ == "__main__":
    main(sys.argv[1])
