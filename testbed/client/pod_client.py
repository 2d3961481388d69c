"""What runs in a pod that is a client: one xDS channel, ready once its first call succeeded.

Run as `python -m testbed.client.pod_client SERVER NAMESPACE TARGET ADDRESS:PORT`; it ends with SIGTERM, or with the
error of the first call.
"""

import os
import signal
import socket
import subprocess
import sys
import threading

import grpc

from testbed.process.process import installed

CALL_SECONDS = 14.0
"""Below the 15 s after which a client treats a resource as absent."""


def main(server: str, namespace: str, target: str, address: str) -> None:
    """Call, then serve until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    host, _, port = address.rpartition(":")
    command = [installed("steerway"), "bootstrap", "--server", server, "--namespace", namespace]
    bootstrap = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = bootstrap
    with grpc.insecure_channel(target) as channel:
        channel.unary_unary("/steerway.test.Backend/Name")(b"", timeout=CALL_SECONDS)
        with socket.create_server((host, int(port))):
            stop.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
