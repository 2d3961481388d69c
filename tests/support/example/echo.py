"""The Services of the conformance suite, behind which real gRPC servers stand, and the backend of a call."""

import pytest

from testbed.client.grpc_client import Channel
from testbed.manifest import Files
from tests.real.conftest import Serve
from tests.support.example.conformance import V1, V2, V3, Case

Echo = dict[str, str]
"""Names of Services by the address of their only backend."""


@pytest.fixture
def echo(serve: Serve, files: Files) -> Echo:
    """The Services of the suite with a backend each, and `echo` with that of `echo-v1` and `echo-v2`; by address."""
    addresses = serve(V1, V2, V3)
    files.publish(addresses[:2], "echo")
    return dict(zip(addresses, (V1, V2, V3), strict=True))


def asked(channel: Channel, case: Case, echo: Echo) -> str:
    """The backend that answers a call; UNAVAILABLE without one."""
    (answer,) = channel.call(method=case.path, metadata=case.headers, deadline_seconds=10)
    return echo[answer.backend] if answer.ok else answer.code.name


def targets(channel: Channel, echo: Echo, count: int = 6) -> set[str]:
    """The backends that answer a few calls."""
    return {echo[answer.backend] for answer in channel.call(count)}
