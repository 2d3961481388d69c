"""The bootstrap of an Envoy."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2  # noqa: F401
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2  # noqa: F401
from google.protobuf.json_format import ParseDict

from steerway.bootstrap import envoy
from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Bootstrap, FileWatcher, Node, Server, Tls
from steerway.errors import SettingsError
from steerway.translate.client.metadata import SIDECAR

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "envoy.md"
NODE = Node("web-0", "web", zone="eu-1a", metadata={"NAMESPACE": "shop"})


def document(*servers: Server, node: Node = NODE, **parts: Any) -> dict[str, Any]:
    """The document, in whose fields Envoy finds no unknown one."""
    result = envoy.document(Bootstrap(servers, node, **parts), SIDECAR, envoy.ADMIN)
    ParseDict(result, bootstrap_pb2.Bootstrap())
    return result


def server(host: str, tls: Tls | None = None) -> Server:
    address = ServerAddress.parse(f"{host}:18000")
    return Server(address, (tls,)) if tls else Server(address)


def test_it_is_the_bootstrap_of_the_guide() -> None:
    """The guide explains its parts."""
    match = re.search(r"```yaml\n(node:.*?)```", GUIDE.read_text(), re.DOTALL)
    assert match is not None
    assert document(server("steerway.steerway-system")) == yaml.safe_load(match[1])


def test_servers_are_endpoints_of_one_cluster() -> None:
    """Envoy resolves names only where one is given."""
    (cluster,) = document(server("10.0.0.1"), server("[::1]"))["static_resources"]["clusters"]
    (locality,) = cluster["load_assignment"]["endpoints"]
    hosts = [item["endpoint"]["address"]["socket_address"]["address"] for item in locality["lb_endpoints"]]
    assert (cluster["type"], hosts) == ("STATIC", ["10.0.0.1", "::1"])
    (cluster,) = document(Server(ServerAddress(path="/run/xds.sock")))["static_resources"]["clusters"]
    assert "/run/xds.sock" in str(cluster)


def test_a_node_without_a_cluster_has_that_of_its_namespace() -> None:
    """Else its id."""
    assert (
        document(server("a"), node=Node("web-0", metadata={"NAMESPACE": "shop"}))["node"]["cluster"] == "shop"
    )
    assert document(server("a"), node=Node("web-0"))["node"]["cluster"] == "web-0"


def test_tls_verifies_the_host_of_each_server() -> None:
    """A name by DNS, an address by IP."""
    tls = Tls("/c/ca.crt", "/c/tls.crt", "/c/tls.key")
    (cluster,) = document(server("xds.mesh", tls), server("10.0.0.1", tls))["static_resources"]["clusters"]
    config = cluster["transport_socket"]["typed_config"]
    assert config["sni"] == "xds.mesh"
    names = config["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    assert [(name["san_type"], name["matcher"]["exact"]) for name in names] == [
        ("DNS", "xds.mesh"),
        ("IP_ADDRESS", "10.0.0.1"),
    ]


@pytest.mark.parametrize(
    ("servers", "parts", "reason"),
    [
        ([server("a")], {"authorities": {"x": (server("a"),)}}, "an Envoy has no authorities"),
        ([server("a")], {"certificate_providers": {"m": FileWatcher("/c")}}, "no certificate providers"),
        ([server("a")], {"server_listener_template": "%s"}, "no listener templates"),
        ([server("a", Tls())], {}, "with a CA file only"),
        ([Server(ServerAddress("a", 1), (Tls("/ca"),), "/t")], {}, "reads no token file"),
        ([server("a"), Server(ServerAddress(path="/x"))], {}, "not both"),
    ],
)
def test_what_an_envoy_does_not_support_is_refused(
    servers: list[Server], parts: dict[str, Any], reason: str
) -> None:
    """A bootstrap without it would be another one."""
    with pytest.raises(SettingsError, match=reason):
        document(*servers, **parts)
