"""One attack on an xDS server until it is ended: `python -m bench.hostile.client KIND HOST:PORT`; `dummy` is a server.

The attacks stay within the defaults of `max_names_per_stream`, `max_name_bytes` and `max_request_bytes`. A stream that
the server ends is opened again at once, with other names.
"""

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from steerway.testing.ads_client import Service
from steerway.translate.xds.type_url import ENDPOINT, LISTENER

METHOD = Service.ADS.method("Delta")
NAMES = 50_000
_LONG = 4000
_PER_REQUEST = {"long": 900}
STREAMS = {"absent": 20, "long": 4, "pods": 20, "unreadable": 20}
_rounds = itertools.count()


def _name(kind: str, stream: str, number: int) -> tuple[str, str]:
    """Type and name: of no Service that exists, the same with 4 kB, of a pod of one that exists, or of nothing."""
    match kind:
        case "absent":
            return LISTENER, f"s{number}-{stream}.nowhere:8080"
        case "long":
            return ENDPOINT, f"s{number}-{stream}".ljust(_LONG, "x")
        case "pods":
            return LISTENER, f"p{number}-{stream}.service-0.shop"
    return ENDPOINT, f"{number}/{stream}"


def _requests(kind: str, stream: str, ended: threading.Event) -> Iterator[bytes]:
    """All names of one stream, in as few requests as may be; then silence."""
    per_request = _PER_REQUEST.get(kind, 10_000)
    for first in range(0, NAMES, per_request):
        named = [_name(kind, stream, number) for number in range(first, min(first + per_request, NAMES))]
        yield DeltaDiscoveryRequest(
            node=Node(id=f"hostile-{stream}") if first == 0 else None,
            type_url=named[0][0],
            resource_names_subscribe=[name for _, name in named],
        ).SerializeToString()
    print("round", flush=True)
    ended.wait()


def _attack(kind: str, address: str, stream: int) -> None:
    """One stream on a connection of its own, again and again. It reads what it is sent and answers nothing."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(address, options) as channel:
        call: Callable[..., Any] = channel.stream_stream(METHOD, bytes, bytes)
        while True:
            ended = threading.Event()
            with suppress(grpc.RpcError):
                for _ in call(_requests(kind, f"{stream}-{next(_rounds)}", ended)):
                    pass
            ended.set()


class _Sink(grpc.GenericRpcHandler):
    """Takes every stream, reads it and answers nothing."""

    def service(self, _details: Any) -> Any:
        def read(requests: Iterator[bytes], _context: Any) -> Iterator[bytes]:
            for _ in requests:
                pass
            return iter(())

        return grpc.stream_stream_rpc_method_handler(read)


def _serve() -> None:
    """What the attacks cost the machine when nothing is done for them."""
    server = grpc.server(ThreadPoolExecutor(64), handlers=[_Sink()])
    print(f"listening on 127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", flush=True)
    server.start()
    server.wait_for_termination()


def _main(kind: str, address: str = "") -> None:
    if kind == "dummy":
        return _serve()
    threads = [
        threading.Thread(target=_attack, args=(kind, address, stream)) for stream in range(STREAMS[kind])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return None


if __name__ == "__main__":
    _main(*sys.argv[1:])
