"""`steerway run`: what it checks before it starts a program, and the environment of that program."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.service.discovery.v3 import discovery_pb2

Run = Callable[..., tuple[int, str, str]]
Requests = Iterator[discovery_pb2.DiscoveryRequest]
Answer = Callable[[discovery_pb2.DiscoveryRequest, Any], discovery_pb2.DiscoveryResponse | None]

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"


class ControlPlane:
    """An ADS server; `answer` makes the response to each first request, None ends the stream."""

    def __init__(self) -> None:
        self.requests: list[discovery_pb2.DiscoveryRequest] = []
        self.services = ["backend.shop"]
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        self.silent = False
        self.address = ""

    def stream(
        self, requests: Requests, context: grpc.ServicerContext
    ) -> Iterator[discovery_pb2.DiscoveryResponse]:
        request = next(requests)
        self.requests.append(request)
        if self.refusal:
            context.abort(*self.refusal)
        if self.silent:
            for _ in requests:
                pass
            return
        response = discovery_pb2.DiscoveryResponse(type_url=request.type_url, nonce="1")
        for name in request.resource_names:
            if name in self.services:
                response.resources.add(type_url=request.type_url)
            else:
                error = response.resource_errors.add()
                error.resource_name.name = name
                error.error_detail.message = f"service {name} not found"
        yield response
        for _ in requests:
            pass


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    plane = ControlPlane()
    handler = grpc.stream_stream_rpc_method_handler(
        plane.stream,
        discovery_pb2.DiscoveryRequest.FromString,
        discovery_pb2.DiscoveryResponse.SerializeToString,
    )
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        methods = {"StreamAggregatedResources": handler}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
        plane.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield plane
        finally:
            server.stop(None).wait()


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """The programs that would have replaced the process: their arguments and environments."""
    programs: list[tuple[tuple[str, ...], dict[str, str]]] = []
    for name in ("POD_NAME", "POD_NAMESPACE", "GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "execve", lambda _path, command, env: programs.append((tuple(command), env)))
    return programs


Started = list[tuple[tuple[str, ...], dict[str, str]]]


def test_a_program_starts_with_the_bootstrap(
    steerway: Run, plane: ControlPlane, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the variable for its text; one for a file would take precedence and is removed."""
    monkeypatch.setenv("GRPC_XDS_BOOTSTRAP", "/other")
    result = steerway(
        "run", "--server", plane.address, "--namespace", "shop", "--", sys.executable, "-c", "--x"
    )
    assert result == (0, "", "")
    ((command, environment),) = started
    assert command == (sys.executable, "-c", "--x")
    bootstrap = json.loads(environment["GRPC_XDS_BOOTSTRAP_CONFIG"])
    assert bootstrap["xds_servers"][0]["server_uri"] == plane.address
    assert "GRPC_XDS_BOOTSTRAP" not in environment
    (request,) = plane.requests
    assert request.node.id == bootstrap["node"]["id"]
    assert request.node.metadata["NAMESPACE"] == "shop"


def test_a_program_that_reads_files_gets_one(
    steerway: Run, plane: ControlPlane, started: Started, tmp_path: Path
) -> None:
    """And only that variable."""
    file = tmp_path / "bootstrap.json"
    assert steerway("run", "--server", plane.address, "--bootstrap-file", str(file), "true")[0] == 0
    ((_, environment),) = started
    assert environment["GRPC_XDS_BOOTSTRAP"] == str(file)
    assert "GRPC_XDS_BOOTSTRAP_CONFIG" not in environment
    assert json.loads(file.read_text())["xds_servers"][0]["server_uri"] == plane.address


def test_targets_are_looked_up(steerway: Run, plane: ControlPlane, started: Started) -> None:
    """Those of --target must exist; those among the arguments may come later."""
    server = ("run", "--server", plane.address)
    code, _, err = steerway(*server, "--target", "xds:///backend.shop", "--", "true", "xds:///next")
    assert (code, err) == (0, "note: xds:///next: service next not found\n")
    assert [list(request.resource_names) for request in plane.requests[1:]] == [["backend.shop"], ["next"]]
    code, _, err = steerway(*server, "--target", "xds:///next", "--", "true", "xds:///next")
    assert (code, err) == (1, "error: xds:///next: service next not found\n")
    assert len(started) == 1


def test_a_target_of_an_authority_is_asked_for_at_its_server(
    steerway: Run, plane: ControlPlane, started: Started
) -> None:
    """By its xdstp name."""
    plane.services = ["xdstp://mesh/envoy.config.listener.v3.Listener/backend%20x"]
    server = ("run", "--server", plane.address, "--authority", f"mesh={plane.address}")
    assert steerway(*server, "--target", "xds://mesh/backend x", "true")[::2] == (0, "")
    assert len(started) == 1
    code, _, err = steerway(*server, "--target", "xds://other/backend", "true")
    assert (code, err) == (
        2,
        "error: xds://other/backend: the bootstrap has no authority 'other': add --authority\n",
    )


@pytest.mark.parametrize(
    ("code", "details", "reason"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "no token", "refuses the client: no token; give a token with"),
        (grpc.StatusCode.PERMISSION_DENIED, "not shop", "denies the request: not shop; correct --namespace"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "full", "ends the stream with RESOURCE_EXHAUSTED: full"),
        (grpc.StatusCode.UNIMPLEMENTED, "", "is a gRPC server, but no xDS server"),
    ],
)
def test_a_refusal_is_named(
    steerway: Run,
    plane: ControlPlane,
    started: Started,
    code: grpc.StatusCode,
    details: str,
    reason: str,
) -> None:
    """Exit code 1, and the program does not start."""
    plane.refusal = (code, details)
    exit_code, out, err = steerway("run", "--server", plane.address, "true")
    assert (exit_code, out, started) == (1, "", [])
    assert err.startswith(f"error: {plane.address} ")
    assert reason in err


def test_a_proxy_of_the_environment_is_named(
    steerway: Run, plane: ControlPlane, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gRPC clients connect through it, also to loopback."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = steerway("run", "--server", plane.address, "true")
    assert (code, started) == (1, [])
    assert "http_proxy is set: add the host to no_proxy" in err


def test_a_control_plane_that_does_not_answer(steerway: Run, plane: ControlPlane, started: Started) -> None:
    """It reads its sources first."""
    plane.silent = True
    code, _, err = steerway("run", "--server", plane.address, "--check-seconds", "0.2", "true")
    assert (code, started) == (1, [])
    assert "does not answer a request within 0.2 s" in err


def test_the_next_server_is_enough(steerway: Run, plane: ControlPlane, started: Started) -> None:
    """With a note; without one each server has its line."""
    away = ("--server", "127.0.0.1:1")
    code, _, err = steerway("run", *away, "--server", plane.address, "true")
    assert code == 0
    assert err.startswith("note: no server listens on 127.0.0.1:1")
    code, _, err = steerway("run", *away, "--server", "127.0.0.1:2", "true")
    assert code == 1
    assert [line[:34] for line in err.splitlines()] == [
        "error: no server listens on 127.0.",
        "error: no server listens on 127.0.",
    ]
    assert len(started) == 1


def test_without_the_check_nothing_is_asked(steerway: Run, started: Started) -> None:
    assert steerway("run", "--no-check", "true") == (0, "", "")
    ((_, environment),) = started
    servers = json.loads(environment["GRPC_XDS_BOOTSTRAP_CONFIG"])["xds_servers"]
    assert servers[0]["server_uri"] == "localhost:18000"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ([], 2, "Missing argument"),
        (["--no-check", "--target", "xds:///x", "true"], 2, "--target is part of the check"),
        (["--check-seconds", "0", "true"], 2, "is not in the range"),
        (["--check-seconds", "nan", "true"], 2, "'nan' is not a number of seconds"),
        (["--server", "x", "true"], 2, "is not HOST:PORT"),
        (["--no-check", "no-such-program"], 127, "the program no-such-program does not exist, or its folder"),
        (["--no-check", "/no/such/program"], 127, "the program /no/such/program does not exist\n"),
        (["--no-check", "/"], 126, "/ cannot be executed"),
        (["--no-check", "--bootstrap-file", "/no/such/file", "true"], 2, "cannot be written: No such file"),
        (["--creds", "tls", "--ca", "/no/ca", "true"], 1, "/no/ca cannot be read"),
    ],
)
def test_bad_input_names_the_object(
    steerway: Run, started: Started, arguments: list[str], code: int, reason: str
) -> None:
    """Nothing starts."""
    exit_code, out, err = steerway("run", *arguments)
    assert (exit_code, out, started) == (code, "", [])
    assert reason in err


def test_a_target_of_another_scheme_is_refused(steerway: Run, plane: ControlPlane, started: Started) -> None:
    """With the target to use."""
    code, _, err = steerway("run", "--server", plane.address, "--target", "dns:///backend.shop", "true")
    assert (code, started) == (1, [])
    assert "has the scheme 'dns'" in err
    assert "dial xds:///backend.shop" in err


def test_a_program_that_cannot_be_executed(steerway: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells report it."""

    def fail(*_: object) -> None:
        raise OSError(8, "Exec format error")

    monkeypatch.setattr(os, "execve", fail)
    assert steerway("run", "--no-check", "true") == (
        126,
        "",
        "error: true cannot be executed: Exec format error\n",
    )
