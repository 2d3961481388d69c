"""What runs in a pod: a real xDS server that answers with its own address until SIGTERM.

Run as `python -m testbed.backend.xds_pod_program ADDRESS:PORT ADDRESS:PROBE_PORT`. The second port is a plaintext
server without methods, for the kubelet's probe. It ends as servers should: GOAWAY, calls in flight may finish.
"""

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from testbed.backend.xds_server_program import Server


def main(address: str, probe_address: str) -> None:
    """Serve until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    server = Server(address, address)
    with ThreadPoolExecutor(1) as pool:
        probed = grpc.server(pool)
        probed.add_insecure_port(probe_address)
        probed.start()
        stop.wait()
        server.close()
        probed.stop(None).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
