"""The programs of examples/, built and started by the commands of their READMEs."""

import json
import re
import signal
from pathlib import Path
from typing import get_args

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from testbed.manifest import NAMESPACE, PORT, Files, Manifest
from testbed.process import example_program
from testbed.process.control_plane import ControlPlane, Steer
from testbed.process.deadline import PATIENCE_SECONDS
from testbed.process.example_program import Language
from testbed.process.free_port import free_port
from testbed.process.process import Processes
from tests.support.example.echo_program import CONSOLE, Client, Server, output

TARGET = f"xds:///echo.{NAMESPACE}:{PORT}"
CALL_METRICS = {"grpc.client.attempt.started", "grpc.client.attempt.duration", "grpc.client.call.duration"}
XDS_METRICS = {"grpc.xds_client.resource_updates_valid"}
METRICS: dict[Language, set[str]] = {
    "go": CALL_METRICS | XDS_METRICS,
    "java": CALL_METRICS | XDS_METRICS | {"grpc.xds_client.connected"},
    "python": CALL_METRICS - {"grpc.client.call.duration"},
    "node": {"grpc.client.call.duration"},
    "cpp": set(),
}
"""What the table of examples/README.md promises of clients (gRFC A66, A78)."""
SPANS: dict[Language, tuple[str, str]] = {
    "go": ("Attempt.echo.v1.Echo.Echo", "Recv.echo.v1.Echo.Echo"),
    "java": ("Attempt.echo.v1.Echo.Echo", "Recv.echo.v1.Echo.Echo"),
    "python": ("/echo.v1.Echo/Echo", "/echo.v1.Echo/Echo"),
    "node": ("grpc.echo.v1.Echo/Echo", "grpc.echo.v1.Echo/Echo"),
}
"""Names of spans of the client and of the server."""


def _needs(language: Language) -> object:
    marks = [pytest.mark.timeout(900)]
    if language != "python":
        marks.append(pytest.mark.needs(language))
    return pytest.param(language, marks=marks)


EVERY_LANGUAGE = pytest.mark.parametrize("language", [_needs(language) for language in get_args(Language)])


@pytest.fixture
def bootstrap(tmp_path: Path) -> Path:
    return tmp_path / "bootstrap.json"


def connect(plane: ControlPlane, file: Path) -> dict[str, str]:
    return {"GRPC_XDS_BOOTSTRAP": str(plane.bootstrap(file, "--namespace", NAMESPACE))}


@EVERY_LANGUAGE
def test_a_server_drains_without_a_failed_call(
    language: Language, processes: Processes, files: Files, steer: Steer, bootstrap: Path
) -> None:
    """SIGTERM under load, as in a rolling update: the other server answers, and telemetry is complete."""
    example = example_program.build(language)
    leaving, staying = [Server(processes, example, **CONSOLE) for _ in range(2)]
    ports = leaving.wait_for_port(), staying.wait_for_port()
    files.publish([leaving.endpoint(), staying.endpoint()], "echo")
    plane = steer()
    client = Client(processes, example, TARGET, **connect(plane, bootstrap), **CONSOLE)
    client.wait_for_ports(*ports)
    with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
        states = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(states).status == health_pb2.HealthCheckResponse.SERVING
        assert "echo.v1.Echo" in reflected(channel)
        leaving.process.signal(signal.SIGTERM)
        # Kubernetes does this from the moment that it terminates the pod.
        terminating = leaving.endpoint(ready=False, terminating=True)
        files.publish([terminating, staying.endpoint()], "echo")
        assert next(states).status == health_pb2.HealthCheckResponse.NOT_SERVING
    leaving.ended()
    client.wait_for_ports(ports[1])
    if language == "java":
        # Its console exporter writes a log, which a JVM closes when it gets SIGTERM.
        client.process.wait(lambda: METRICS["java"] <= metrics(client), "its metrics")
    client.process.signal(signal.SIGTERM)
    client.ended()
    assert client.ports, "no call has failed"
    assert metrics(client) >= METRICS[language]
    plane.assert_no_nack()
    for span, process in zip(SPANS.get(language, ()), (client.process, leaving.process), strict=False):
        assert span in output(process)


@EVERY_LANGUAGE
def test_the_same_client_resolves_by_dns(language: Language, processes: Processes) -> None:
    """Also without a bootstrap."""
    example = example_program.build(language)
    server = Server(processes, example)
    port = server.wait_for_port()
    client = Client(processes, example, f"dns:///localhost:{port}", calls=3)
    client.ended()
    assert client.ports == [port] * 3


@pytest.mark.needs("java")
@pytest.mark.timeout(900)
def test_java_reads_the_bootstrap_of_a_system_property(
    processes: Processes, files: Files, steer: Steer, bootstrap: Path
) -> None:
    example = example_program.build("java")
    server = Server(processes, example)
    files.publish([server.endpoint()], "echo")
    connect(steer(), bootstrap)
    options = f"-Dio.grpc.xds.bootstrap={bootstrap}"
    client = Client(processes, example, TARGET, calls=2, JAVA_TOOL_OPTIONS=options)
    client.ended()
    assert client.ports == [server.wait_for_port()] * 2


@EVERY_LANGUAGE
def test_an_xds_server_serves_when_it_has_its_listener(
    language: Language, processes: Processes, files: Files, steer: Steer, bootstrap: Path
) -> None:
    port = free_port()
    address = f"0.0.0.0:{port}"
    environment = connect(steer(), bootstrap)
    content = json.loads(bootstrap.read_text())
    bootstrap.write_text(json.dumps({**content, "server_listener_resource_name_template": "%s"}))
    example = example_program.build(language)
    server = Server(processes, example, "--xds", "--port", str(port), **environment)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        states = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=PATIENCE_SECONDS, wait_for_ready=True
        )
        files.write("listener.yaml", listener(address, port))
        assert next(states).status == health_pb2.HealthCheckResponse.SERVING
        server.process.signal(signal.SIGTERM)
        assert next(states).status == health_pb2.HealthCheckResponse.NOT_SERVING
    server.ended()


@pytest.mark.needs("go", "java", "node", "cpp")
def test_servers_of_all_languages_are_one_service(
    processes: Processes, files: Files, steer: Steer, bootstrap: Path
) -> None:
    servers = [Server(processes, example_program.build(language)) for language in get_args(Language)]
    files.publish([server.endpoint() for server in servers], "echo")
    client = Client(processes, example_program.build("node"), TARGET, **connect(steer(), bootstrap))
    client.wait_for_ports(*(server.wait_for_port() for server in servers))


def listener(name: str, port: int) -> Manifest:
    """A Listener of an xDS server that serves every method in plaintext (gRFC A36)."""
    extensions = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "route_config": {
            "name": "inbound",
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": ""}, "non_forwarding_action": {}}],
                }
            ],
        },
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{extensions}.http.router.v3.Router"}}
        ],
    }
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
        "default_filter_chain": {"name": "all", "filters": [{"name": "hcm", "typed_config": manager}]},
    }


def metrics(client: Client) -> set[str]:
    """The names of gRPC's metrics that a client has written."""
    return set(re.findall(r"\bgrpc\.\w+\.[\w.]+", output(client.process)))


def reflected(channel: grpc.Channel) -> list[str]:
    """The services that reflection lists, in the version that the server has; the messages of both are equal."""
    for version in ("v1", "v1alpha"):
        call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        try:
            (response,) = call(iter([request]), timeout=PATIENCE_SECONDS)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        else:
            return [service.name for service in response.list_services_response.service]
    return []
