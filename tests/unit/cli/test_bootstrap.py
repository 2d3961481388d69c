"""`steerway bootstrap`: a file that gRPC's clients accept, with an identity that no other client has."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
import yaml
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2

from testbed.process.deadline import PATIENCE_SECONDS

Run = Callable[..., tuple[int, str, str]]

_CALL = """
import grpc, sys
with grpc.insecure_channel("xds:///backend:1") as channel:
    try:
        channel.unary_unary("/a.B/C")(b"", timeout=float(sys.argv[1]))
    except grpc.RpcError as error:
        print(error.details())
"""


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No pod around; returns where a service account's namespace would be."""
    monkeypatch.delenv("POD_NAME", raising=False)
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    own = tmp_path / "namespace"
    monkeypatch.setattr("steerway.cli.client_options._SERVICE_ACCOUNT_NAMESPACE", own)
    return own


def document(steerway: Run, *arguments: str) -> dict[str, Any]:
    """The printed bootstrap file."""
    code, out, err = steerway("bootstrap", "--server", "xds.mesh:18000", *arguments)
    assert (code, err) == (0, "")
    results: dict[str, Any] = json.loads(out)
    return results


def test_every_part_of_the_file(steerway: Run) -> None:
    """The whole document, with all flags."""
    result = document(steerway, "--node-id", "me", "--zone", "eu-1", "--namespace", "shop")
    assert result == {
        "xds_servers": [
            {
                "server_uri": "xds.mesh:18000",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3", "ignore_resource_deletion"],
            }
        ],
        "node": {"id": "me", "locality": {"zone": "eu-1"}, "metadata": {"NAMESPACE": "shop"}},
    }


def test_locality_is_there_without_a_zone(steerway: Run) -> None:
    """grpc-js refuses a node without `locality`; an empty one is enough for it."""
    assert document(steerway)["node"]["locality"] == {}


def test_each_client_gets_its_own_identity(steerway: Run) -> None:
    """Two runs on one host give two node ids."""
    ids = {document(steerway)["node"]["id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_pod_is_known_by_its_name_and_namespace(steerway: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The downward API's usual variables are used."""
    monkeypatch.setenv("POD_NAME", "web-0")
    monkeypatch.setenv("POD_NAMESPACE", "shop")
    node = document(steerway)["node"]
    assert (node["id"], node["metadata"]) == ("web-0.shop", {"NAMESPACE": "shop"})


def test_the_service_account_gives_the_namespace(steerway: Run, outside: Path) -> None:
    """Every pod has that file, with or without variables; outside of a pod nothing is claimed."""
    assert document(steerway)["node"]["metadata"] == {}
    outside.write_text("shop\n", encoding="utf-8")
    assert document(steerway)["node"]["metadata"] == {"NAMESPACE": "shop"}


def test_tls_warns_on_stderr_about_node(steerway: Run) -> None:
    """stdout stays a file; the warning goes beside it. No call credentials are asked for."""
    code, out, err = steerway("bootstrap", "--server", "a:1", "--creds", "tls")
    (server,) = json.loads(out)["xds_servers"]
    assert code == 0
    assert server["channel_creds"] == [{"type": "tls", "config": {}}]
    assert "call_creds" not in server
    assert "grpc-js: has no TLS" in err


@pytest.mark.parametrize(
    "server", ["18000", ":18000", "host", "host:", "host:0", "host:65536", "::1:1", "http://a:1", "a b:1"]
)
def test_a_wrong_server_is_a_usage_error(steerway: Run, server: str) -> None:
    """HOST:PORT, nothing else."""
    code, out, err = steerway("bootstrap", "--server", server)
    assert (code, out) == (2, "")
    assert "is not HOST:PORT" in err


@pytest.mark.parametrize("server", ["steerway:1", "10.0.0.1:65535", "[::1]:18000", "a.b-c.svc:80"])
def test_hosts_addresses_and_bracketed_ipv6_are_servers(steerway: Run, server: str) -> None:
    """What gRPC can dial."""
    code, out, _ = steerway("bootstrap", "--server", server)
    assert code == 0
    assert json.loads(out)["xds_servers"][0]["server_uri"] == server


@pytest.fixture
def control_plane() -> Iterator[tuple[str, "SimpleQueue[base_pb2.Node]"]]:
    """An ADS server that answers nothing and keeps the Node of each first request."""
    nodes: SimpleQueue[base_pb2.Node] = SimpleQueue()

    def stream(requests: Iterator[discovery_pb2.DiscoveryRequest], _context: object) -> Iterator[bytes]:
        nodes.put(next(requests).node)
        for _ in requests:
            pass
        yield from ()

    service = "envoy.service.discovery.v3.AggregatedDiscoveryService"
    handler = grpc.stream_stream_rpc_method_handler(stream, discovery_pb2.DiscoveryRequest.FromString)
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, {"StreamAggregatedResources": handler})]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}", nodes
        finally:
            server.stop(None).wait()


def call(bootstrap: str, seconds: float) -> str:
    """Why a call to `xds:///backend:1` failed, with that bootstrap, in a fresh process."""
    environ = {**os.environ, "GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap}
    done = subprocess.run(
        [sys.executable, "-c", _CALL, str(seconds)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return done.stdout


def test_grpcio_connects_with_it_and_sends_its_node(
    steerway: Run, control_plane: tuple[str, "SimpleQueue[base_pb2.Node]"]
) -> None:
    """A real C-core client takes the file, dials the server and introduces itself as written."""
    address, nodes = control_plane
    _, out, _ = steerway("bootstrap", "--server", address, "--zone", "eu-1", "--namespace", "shop")
    assert "bootstrap" not in call(out, 2).lower()
    node = nodes.get(timeout=PATIENCE_SECONDS)
    assert node.id == json.loads(out)["node"]["id"]
    assert node.locality.zone == "eu-1"
    assert node.metadata["NAMESPACE"] == "shop"


def test_grpcio_takes_the_file_with_tls(steerway: Run) -> None:
    """No server answers with TLS here; the file itself is accepted."""
    _, out, _ = steerway("bootstrap", "--server", "127.0.0.1:1", "--creds", "tls")
    assert "bootstrap" not in call(out, 2).lower()


def test_grpcio_would_name_a_bad_file() -> None:
    """The control experiment for the two tests above: a file without credentials is refused in these
    words."""
    assert "channel_creds" in call('{"xds_servers": [{"server_uri": "127.0.0.1:1"}]}', 2)


def test_files_of_the_client_go_into_its_credentials(steerway: Run) -> None:
    """gRFC A65 (TLS) and A97 (call credentials); a remark names the clients that read the token."""
    files = [
        "--ca",
        "/c/ca.crt",
        "--certificate",
        "/c/tls.crt",
        "--key",
        "/c/tls.key",
        "--token-file",
        "/t/token",
    ]
    code, out, err = steerway("bootstrap", "--server", "x:1", "--creds", "tls", *files)
    assert code == 0
    (server,) = json.loads(out)["xds_servers"]
    config = {
        "ca_certificate_file": "/c/ca.crt",
        "certificate_file": "/c/tls.crt",
        "private_key_file": "/c/tls.key",
    }
    assert server["channel_creds"] == [{"type": "tls", "config": config}]
    assert server["call_creds"] == [{"type": "jwt_token_file", "config": {"jwt_token_file": "/t/token"}}]
    assert "GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS" in err


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--token-file", "/t"], "--token-file: clients use this with --creds tls only"),
        (["--ca", "/c"], "--ca: clients use this with --creds tls only"),
        (["--creds", "tls", "--key", "/k"], "--certificate and --key belong together"),
    ],
)
def test_what_clients_would_ignore_is_refused(steerway: Run, arguments: list[str], wanted: str) -> None:
    """A secret that is not sent, or half a pair."""
    code, out, err = steerway("bootstrap", "--server", "x:1", *arguments)
    assert (code, out) == (2, "")
    assert wanted in err


def test_servers_authorities_and_providers_are_repeatable(steerway: Run) -> None:
    """Each with the credentials of the command; a name of an authority twice is its fallback."""
    code, out, err = steerway(
        *("bootstrap", "--server", "a:1", "--server", "b:1", "--creds", "tls", "--node-id", "me"),
        *("--authority", "x=c:1", "--authority", "x=d:1", "--authority", "y=e:1"),
        *("--certificate-provider", "mesh=/certs", "--certificate-refresh-seconds", "5"),
        *("--server-listener-template", "--metadata", "team=web"),
    )
    assert code == 0
    result = json.loads(out)
    assert [server["server_uri"] for server in result["xds_servers"]] == ["a:1", "b:1"]
    assert [server["server_uri"] for server in result["authorities"]["x"]["xds_servers"]] == ["c:1", "d:1"]
    (server,) = result["authorities"]["y"]["xds_servers"]
    assert server["channel_creds"] == [{"type": "tls", "config": {}}]
    assert result["certificate_providers"]["mesh"]["config"]["refresh_interval"] == "5s"
    assert result["server_listener_resource_name_template"].count("%s") == 1
    assert result["node"]["metadata"] == {"team": "web"}
    assert "grpc-js: uses the first server only" in err


def test_a_server_with_certificates_announces_them(steerway: Run) -> None:
    """TLS resources go only to clients that have the provider, and name no other one."""
    arguments = ("--certificates", "/certs", "--certificate-refresh-seconds", "5", "--node-id", "me")
    result = document(steerway, *arguments, "--service", "cart", "--service", "pay", "--service", "cart")
    provider = result["certificate_providers"]["steerway"]
    assert provider == {
        "plugin_name": "file_watcher",
        "config": {
            "certificate_file": "/certs/tls.crt",
            "private_key_file": "/certs/tls.key",
            "ca_certificate_file": "/certs/ca.crt",
            "refresh_interval": "5s",
        },
    }
    assert result["node"]["metadata"] == {
        "steerway.io/service": "cart,pay",
        "steerway.io/certificate-provider": "steerway",
    }
    template = "grpc/server?xds.resource.listening_address=%s"
    assert result["server_listener_resource_name_template"] == template
    assert document(steerway, "--certificate-provider", "steerway=/certs")["node"]["metadata"] == {
        "steerway.io/certificate-provider": "steerway"
    }


def test_a_shell_reads_the_environment_form(steerway: Run) -> None:
    """Also values with quotes."""
    code, out, _ = steerway(
        "bootstrap", "--server", "a:1", "--node-id", "it's", "--output", "env", "--namespace", "shop"
    )
    assert code == 0
    script = f"{out}\nprintenv GRPC_XDS_BOOTSTRAP_CONFIG"
    printed = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed)["node"]["id"] == "it's"


@pytest.mark.parametrize(("client", "file"), [("grpc", "bootstrap.json"), ("envoy", "envoy.json")])
def test_a_config_map_has_the_file(steerway: Run, client: str, file: str) -> None:
    """In the namespace of the clients, with a note about their common id."""
    code, out, err = steerway(
        *("bootstrap", "--server", "a:1", "--namespace", "shop", "--for", client),
        *("--output", "configmap", "--name", "xds"),
    )
    assert code == 0
    manifest = yaml.safe_load(out)
    assert (manifest["kind"], manifest["metadata"]) == ("ConfigMap", {"name": "xds", "namespace": "shop"})
    assert json.loads(manifest["data"][file])["node"]["id"] == "xds"
    assert f"{file}: |" in out
    assert "all clients with this ConfigMap have the node id xds: set another with --node-id" in err


def test_an_envoy_gets_its_role_and_its_admin_address(steerway: Run) -> None:
    """stderr has the limits of its files."""
    code, out, err = steerway(
        *("bootstrap", "--server", "a:1", "--for", "envoy", "--envoy-role", "gateway"),
        *("--envoy-admin", "127.0.0.1:9901", "--creds", "tls", "--ca", "/ca.crt"),
    )
    assert code == 0
    result = json.loads(out)
    assert result["node"]["metadata"]["steerway.io/role"] == "gateway"
    assert result["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 9901}
    assert "restart it when they change" in err


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--server", "a:1:1"], "'a:1:1' is not HOST:PORT"),
        (["--authority", "x"], "'x' is not NAME=HOST:PORT"),
        (["--authority", "x=y"], "'y' is not HOST:PORT"),
        (["--certificate-provider", "mesh="], "'mesh=' is not NAME=FOLDER"),
        (["--certificate-refresh-seconds", "0"], "0 is not in the range x>=1"),
        (["--metadata", "=x"], "'=x' is not KEY=VALUE"),
        (["--namespace", "Shop_1"], "'Shop_1' is not the name of a namespace"),
        (["--server-listener-template", "x"], "the listener template 'x' needs one %s"),
        (["--client-listener-template", "xdstp://z/%s"], "names authority 'z'"),
        (["--service", "Cart"], "'Cart' is not the name of a Service"),
        (["--for", "envoy", "--certificates", "/c"], "an Envoy has no certificate providers"),
        (["--name", "A_B"], "'A_B' is not the name of a ConfigMap"),
        (["--for", "envoy", "--output", "env"], "an Envoy reads no environment variable"),
        (["--for", "envoy", "--authority", "x=y:1"], "an Envoy has no authorities"),
        (["--for", "envoy", "--envoy-admin", "x"], "'x' is not HOST:PORT"),
        (["--for", "envoy", "--creds", "tls"], "with a CA file only"),
    ],
)
def test_bad_input_is_quoted_with_the_form_that_is_expected(
    steerway: Run, arguments: list[str], wanted: str
) -> None:
    """Nothing on stdout, exit code 2."""
    code, out, err = steerway("bootstrap", "--server", "a:1", *arguments)
    assert (code, out) == (2, "")
    assert wanted in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--metadata", "NAMESPACE=Bad_NS"], "'Bad_NS' is not the name of a namespace"),
        (
            ["--namespace", "shop", "--metadata", "NAMESPACE=pay"],
            "--metadata NAMESPACE=pay differ: remove one",
        ),
        (["--metadata", "a=1", "--metadata", "a=2"], "a is given twice: remove one"),
        (["--certificate-provider", "a=/b", "--certificate-provider", "a=/c"], "a is given twice"),
        (
            ["--certificates", "/a", "--certificate-provider", "steerway=/b"],
            "--certificate-provider steerway=… are the same: remove one",
        ),
        (["--envoy-role", "gateway"], "--envoy-role has no effect without --for envoy: add it, or remove"),
        (["--name", "a"], "--name has no effect without --output configmap"),
        (["--certificate-refresh-seconds", "5"], "--certificate-refresh-seconds has no effect without"),
        (["--authority", "a/b=h:1"], "'a/b' is not the name of an authority"),
        (["--server", "x..y:1"], "x..y is neither a host name nor an IPv4 address"),
        (["--server", "999.1.1.1:1"], "999.1.1.1 is neither a host name nor an IPv4 address"),
        (["--server", "h:1"], "h:1 is given twice: remove one"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    steerway: Run, arguments: list[str], reason: str
) -> None:
    """Instead of the last one applying."""
    code, out, err = steerway("bootstrap", "--server", "h:1", *arguments)
    assert (code, out) == (2, "")
    assert reason in " ".join(err.split())
