"""The document of gRFC A27, and what its parts refuse."""

from collections.abc import Callable

import pytest

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Bootstrap, FileWatcher, Insecure, Node, Server, Tls
from steerway.errors import SettingsError

ADDRESS = ServerAddress("xds.mesh", 18000)
SERVER = Server(ADDRESS)
NODE = Node("web-0.shop")


def test_every_part_of_the_document() -> None:
    """The keys are those of gRFC A27, A29, A36, A47, A53, A65 and A97."""
    tls = Tls("/c/ca.crt", "/c/tls.crt", "/c/tls.key")
    bootstrap = Bootstrap(
        (Server(ADDRESS, (tls, Insecure()), "/t/token"), Server(ServerAddress(path="/run/xds.sock"))),
        Node("web-0", "web", "eu", "eu-1", "rack-7", {"NAMESPACE": "shop"}),
        {"other": (SERVER,)},
        {"mesh": FileWatcher("/certs/", refresh_seconds=10)},
        "grpc/server?xds.resource.listening_address=%s",
        "xdstp://other/envoy.config.listener.v3.Listener/%s",
    )
    features = ["xds_v3", "ignore_resource_deletion"]
    insecure = [{"type": "insecure"}]
    config = {
        "ca_certificate_file": "/c/ca.crt",
        "certificate_file": "/c/tls.crt",
        "private_key_file": "/c/tls.key",
    }
    assert bootstrap.document() == {
        "xds_servers": [
            {
                "server_uri": "xds.mesh:18000",
                "channel_creds": [{"type": "tls", "config": config}, {"type": "insecure"}],
                "call_creds": [{"type": "jwt_token_file", "config": {"jwt_token_file": "/t/token"}}],
                "server_features": features,
            },
            {"server_uri": "unix:/run/xds.sock", "channel_creds": insecure, "server_features": features},
        ],
        "node": {
            "id": "web-0",
            "cluster": "web",
            "locality": {"region": "eu", "zone": "eu-1", "sub_zone": "rack-7"},
            "metadata": {"NAMESPACE": "shop"},
        },
        "authorities": {
            "other": {
                "xds_servers": [
                    {"server_uri": "xds.mesh:18000", "channel_creds": insecure, "server_features": features}
                ]
            }
        },
        "certificate_providers": {
            "mesh": {
                "plugin_name": "file_watcher",
                "config": {
                    "certificate_file": "/certs/tls.crt",
                    "private_key_file": "/certs/tls.key",
                    "ca_certificate_file": "/certs/ca.crt",
                    "refresh_interval": "10s",
                },
            }
        },
        "server_listener_resource_name_template": "grpc/server?xds.resource.listening_address=%s",
        "client_default_listener_resource_name_template": "xdstp://other/envoy.config.listener.v3.Listener/%s",
    }


def test_a_short_document_has_what_each_library_requires() -> None:
    """grpc-js refuses a Node without `locality`."""
    assert Bootstrap((SERVER,), NODE).document().keys() == {"xds_servers", "node"}
    assert NODE.document() == {"id": "web-0.shop", "locality": {}, "metadata": {}}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Tls(certificate="/c/tls.crt"), "belong together"),
        (lambda: Server(ADDRESS, ()), "no channel credentials"),
        (lambda: Server(ADDRESS, jwt_token_file="/t"), "over TLS only"),
        (lambda: Node(""), "the node id is empty"),
        (lambda: FileWatcher(""), "needs the folder"),
        (lambda: FileWatcher("/c", "a/tls.crt"), "three files in its folder"),
        (lambda: FileWatcher("/c", "both.pem", "both.pem"), "three files in its folder"),
        (lambda: FileWatcher("/c", refresh_seconds=0), "too short: use 1 or more"),
        (lambda: Bootstrap((), NODE), "at least one server"),
        (lambda: Bootstrap((SERVER,), NODE, server_listener_template="x"), "needs one %s"),
        (lambda: Bootstrap((SERVER,), NODE, client_listener_template="%s%s"), "needs one %s"),
        (
            lambda: Bootstrap((SERVER,), NODE, client_listener_template="xdstp://a/T/%s"),
            "names authority 'a', which the bootstrap lacks",
        ),
    ],
)
def test_what_a_library_would_refuse_is_refused(make: Callable[[], object], reason: str) -> None:
    """In every part, with the reason."""
    with pytest.raises(SettingsError, match=reason):
        make()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("18000", "is not HOST:PORT"),
        ("host:", "is not HOST:PORT"),
        ("http://a:1", "is not HOST:PORT"),
        ("host:0", "port 0 is out of range, use 1 to 65535"),
        ("host:65536", "port 65536 is out of range"),
        ("host:99999999999", "port 99999999999 is out of range"),
        ("[1::2::3]:1", "is not an IPv6 address"),
        ("[10.0.0.1]:1", "is not an IPv6 address"),
    ],
)
def test_a_wrong_address_is_refused_with_its_reason(text: str, reason: str) -> None:
    """It is quoted."""
    with pytest.raises(SettingsError) as caught:
        ServerAddress.parse(text)
    assert repr(text) in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        ("steerway.mesh:1", True),
        ("localhost:65535", True),
        ("10.0.0.1:80", False),
        ("[::1]:80", False),
        ("unix:/run/xds.sock", False),
    ],
)
def test_an_address_is_written_as_it_was_read(text: str, is_name: bool) -> None:
    """IPv6 in brackets."""
    address = ServerAddress.parse(text)
    assert str(address) == text
    assert address.is_name is is_name
