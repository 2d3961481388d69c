"""The aggregate cluster of the guide: DNS while a Service has no endpoints (gRFC A37)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from testbed import markdown
from testbed.backend.backend import Backends
from testbed.manifest import NAMESPACE, Files
from tests.real.conftest import EVERY_LIBRARY, Connect, Steer

GUIDE = Path(__file__).parents[3] / "docs/guides/from-dns.md"
UID = "6f1c3f0e-6c53-4f0a-9b6b-0f6f5f1f9d10"
"""As in a cluster: names of clusters for grpc-js contain a part of it."""


@EVERY_LIBRARY
def test_calls_go_to_the_host_while_the_service_has_no_endpoints(
    backends: Backends, files: Files, steer: Steer, connect: Connect
) -> None:
    """And back when it has endpoints again."""
    of_service, of_host = backends.open(2)
    files.publish([of_service], "echo", uid=UID)
    files.write("fallback.yaml", _fallback(of_host))
    channel = connect(steer()).dial("xds:///echo-or-dns")
    channel.wait_for_backend(of_service)
    files.publish([], "echo", uid=UID)
    channel.wait_for_backend(of_host)
    files.publish([of_service], "echo", uid=UID)
    channel.wait_for_backend(of_service)


def _fallback(host: str) -> Mapping[str, Any]:
    """The manifest of the guide, with another port and the namespace of the tests."""
    (block,) = (block for block in markdown.blocks(GUIDE, "yaml", "Optional: DNS as a fallback"))
    port, namespace = host.rpartition(":")[2], f"echo.{NAMESPACE}."
    return yaml.safe_load(block.text.replace("50062", port).replace("echo.shop.", namespace))
