"""One question to an xDS server, as a process of its own: `ADDRESS TOKEN NAMESPACE NAME…` are its arguments.

It prints, as JSON, which Listeners the client is given (`{"backend.shop": true}`), or the status that ended its stream
(`{"status": "UNAUTHENTICATED"}`). Threads of gRPC stay in the network namespace that they were made in; a new process
has its parent's.
"""

import json
import subprocess
import sys
from typing import Any

from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.json_format import ParseDict

from steerway.testing.ads_client import AdsClient, StreamEndedError
from steerway.translate.xds.type_url import LISTENER


def ask(address: str, token: str, namespace: str, *names: str) -> dict[str, Any]:
    """The answer to a client with this bearer token and this namespace in its node."""
    command = [sys.executable, "-m", "testbed.client.ads_question", address, token, namespace, *names]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return answer


def _answer(address: str, token: str, namespace: str, *names: str) -> dict[str, Any]:
    node = ParseDict({"id": "test", "metadata": {"NAMESPACE": namespace}}, Node())
    with AdsClient(address, node, metadata=[("authorization", f"Bearer {token}")]) as client:
        stream = client.delta()
        stream.request(LISTENER, *names)
        answer: dict[str, Any] = {}
        try:
            while set(answer) != set(names):
                response = stream.read()
                stream.ack(response)
                answer |= {resource.name: True for resource in response.resources}
                answer |= dict.fromkeys(response.removed_resources, False)
        except StreamEndedError as ended:
            return {"status": ended.code.name}
        return answer


if __name__ == "__main__":
    print(json.dumps(_answer(*sys.argv[1:])))
