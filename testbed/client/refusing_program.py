"""A client that accepts the first response and refuses each later one: `python -m … ADDRESS NODE TYPE NAME TEXT`.

It subscribes to one name of a type URL, writes the line `accepted`, and then `refused` for each NACK, until it ends.
TEXT is the text of its errors. Threads of gRPC stay in the network namespace that they were made in; a new process has
its parent's.
"""

import sys

from envoy.config.core.v3.base_pb2 import Node

from steerway.testing.ads_client import AdsClient

_FOREVER_SECONDS = 3600.0


def main(address: str, node_id: str, type_url: str, name: str, text: str) -> None:
    """Run until the stream ends."""
    node = Node(id=node_id, user_agent_name="gRPC Go", user_agent_version="1.80.0")
    with AdsClient(address, node) as client:
        stream = client.sotw()
        stream.request(type_url, name)
        stream.ack(stream.read())
        print("accepted", flush=True)
        while True:
            stream.nack(stream.read(_FOREVER_SECONDS), text)
            print("refused", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
