"""A gRPC client without xDS, in this process: it dials a proxy, and names the service by its authority."""

from types import TracebackType
from typing import Self

import grpc

from testbed.client.grpc_client import Answer

_METHOD = "/steerway.test.Backend/Name"


class PlainGrpc:
    """One channel to `HOST:PORT`."""

    def __init__(self, address: str, authority: str, deadline_seconds: float) -> None:
        self._deadline_seconds = deadline_seconds
        options = [
            ("grpc.default_authority", authority),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self._channel = grpc.insecure_channel(address, options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def call(self, method: str = _METHOD, **metadata: str) -> Answer:
        """One call with these metadata (`x_user` is `x-user`)."""
        return self._answer(self.begin(method, **metadata))

    def calls(self, count: int, method: str = _METHOD, **metadata: str) -> list[Answer]:
        """Calls one after another."""
        return [self.call(method, **metadata) for _ in range(count)]

    def begin(self, method: str = _METHOD, **metadata: str) -> grpc.Future:
        """Send a call and do not wait for its answer."""
        pairs = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        return self._channel.unary_unary(method).future(b"", metadata=pairs, timeout=self._deadline_seconds)

    def _answer(self, call: grpc.Future) -> Answer:
        code, error = call.code(), call.details() or ""
        pairs = [*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())]
        metadata = {name: value for name, value in pairs if isinstance(value, str)}
        backend = call.result().decode() if code is grpc.StatusCode.OK else ""
        return Answer(backend, code, error, metadata)
