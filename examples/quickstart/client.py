"""A gRPC client that calls 20 times a second, and prints each second which servers answered: python client.py TARGET

The xDS support is part of grpcio: nothing but the target differs from a client of `dns:///…`.
"""

import contextlib
import sys
import threading
from collections import Counter

import grpc

CALLS_PER_SECOND = 20
CONNECT_SECONDS = 30


def main(target: str) -> None:
    """Call until Ctrl-C."""
    with grpc.insecure_channel(target) as channel:
        try:
            grpc.channel_ready_future(channel).result(CONNECT_SECONDS)
        except grpc.FutureTimeoutError:
            sys.exit(f"client: no server of {target} within {CONNECT_SECONDS} s")
        hello = channel.unary_unary("/quickstart.Greeter/Hello")
        pause = threading.Event()
        while True:
            answers: Counter[str] = Counter()
            for _ in range(CALLS_PER_SECOND):
                try:
                    answers[f"server {hello(b'', timeout=5).decode()}"] += 1
                except grpc.RpcError as error:
                    answers[f"failed ({error.code().name})"] += 1
                pause.wait(1 / CALLS_PER_SECOND)
            print(
                "client:",
                ", ".join(f"{name}: {count}" for name, count in sorted(answers.items())),
                flush=True,
            )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1])
