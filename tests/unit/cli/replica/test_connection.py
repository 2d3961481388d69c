"""Where replicas are: addresses, Unix sockets, this host, a cluster; and completion of names from them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import click
import pytest

from steerway.cli import cli
from steerway.cli.replica import connection
from steerway.cli.replica.forward import PortForward
from steerway.cli.replica.replica import Replica
from steerway.errors import SourceError
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.event import Failure
from tests.support.admin_replica import AdminReplica

Run = Callable[..., tuple[int, str, str]]
PROBLEMS = {"/api/v1/problems": {"problems": []}}


def test_a_unix_socket_is_an_address(steerway: Run, tmp_path: Path) -> None:
    """With the token of a file."""
    (tmp_path / "token").write_text("secret\n")
    with AdminReplica(PROBLEMS, uds=str(tmp_path / "admin.sock")) as replica:
        replica.token = "secret"
        where = ("--address", f"unix:{tmp_path}/admin.sock")
        assert steerway("problems", *where, "--token-file", str(tmp_path / "token")) == (
            0,
            "",
            "note: no problems\n",
        )
        code, _, err = steerway("problems", *where)
        assert (code, err.endswith("wants a token: give its file with --token-file\n")) == (1, True)
    code, _, err = steerway("problems", *where)
    assert code == 1
    assert f"no control plane answers at unix:{tmp_path}/admin.sock" in err


def test_without_options_this_host_is_queried(
    steerway: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Then the cluster of the kubeconfig; without either the error names both."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with AdminReplica(PROBLEMS) as replica:
        address = replica.address
        monkeypatch.setattr(connection.HttpSettings, "admin", address)
        monkeypatch.setattr(connection, "_LOCAL", f"http://{address}")
        assert steerway("problems")[0] == 0
        code, out, _ = steerway("page", "--no-browser")
        assert (code, out) == (0, f"http://{address}/\n")
    code, _, err = steerway("problems")
    assert code == 1
    assert f"no control plane answers at http://{address}, and there is no kubeconfig: start one" in err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--address", "unix:relative"], "is not unix:/PATH with an absolute path"),
        (["--address", "a:b:c"], "is not http://HOST:PORT"),
        (["--address", "127.0.0.1:1", "--context", "x"], "--address names replicas"),
        (["--kubeconfig", "none.yaml"], "none.yaml: no kubeconfig there"),
        (["--admin-port", "0"], "0 is not in the range"),
    ],
)
def test_a_wrong_option_is_an_error(steerway: Run, arguments: list[str], error: str) -> None:
    code, out, err = steerway("status", *arguments)
    assert (code in (1, 2), out) == (True, "")
    assert error in err
    assert "Traceback" not in err


def completed(words: str, incomplete: str) -> list[str]:
    """What completes the last word of a command line."""
    name, *arguments = words.split()
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    with click.Context(cli, info_name="steerway", **cli.context_settings) as root:
        context = command.make_context(name, arguments, parent=root, resilient_parsing=True)
    argument = next(parameter for parameter in command.params if isinstance(parameter, click.Argument))
    return [item.value for item in argument.shell_complete(context, incomplete)]


def test_names_are_completed_from_a_control_plane() -> None:
    """One that does not answer completes nothing."""
    services = {"items": [{"id": "shop/backend"}, {"id": "shop/web"}], "next": None}
    clients = {"items": [{"id": "shop/checkout"}], "next": None}
    with AdminReplica({"/api/v1/services": services, "/api/v1/clients": clients}) as replica:
        where = f"--address {replica.address}"
        assert completed(f"services {where}", "shop/b") == ["shop/backend"]
        assert completed(f"endpoints {where}", "") == ["backend.shop", "web.shop"]
        assert completed(f"explain {where}", "web") == ["web.shop"]
        assert completed(f"describe {where}", "") == ["service", "client"]
        assert completed(f"describe service {where}", "") == ["shop/backend", "shop/web"]
        assert completed(f"describe client {where}", "") == ["shop/checkout"]
        replica.documents.clear()
        assert completed(f"services {where}", "") == []
    assert completed(f"services {where}", "") == []
    assert completed("services --kubeconfig /nowhere", "") == []


def test_an_error_names_the_source_of_a_refused_token(steerway: Run, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old\n")
    with AdminReplica(PROBLEMS) as replica:
        replica.token = "secret"
        code, _, err = steerway(
            "problems", "--address", replica.address, "--token-file", str(tmp_path / "token")
        )
    assert code == 1
    assert f"refuses the token in --token-file {tmp_path}/token: it must be that of the replica's" in err


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("name.invalid", "the host name name.invalid does not resolve"),
        ("127.0.0.1", "Connection refused"),
        ("localhost", "Connection refused"),
    ],
)
def test_a_failed_connection_has_its_reason_in_words(steerway: Run, host: str, error: str) -> None:
    """No number of an error of the system."""
    code, _, err = steerway("problems", "--address", f"{host}:1")
    assert code == 1
    assert f"no control plane answers at http://{host}:1: {error}; start one" in err
    assert "Errno" not in err


async def test_an_event_stream_that_is_cut_ends_with_an_error() -> None:
    """The server is the admin server of a control plane: it has sent events."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        content = b'event: status\ndata: {"id": 1}\n\nevent: st'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + content)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1") as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        replica = Replica("a", url, url, session)
        events = replica.events("status")
        assert (await anext(events)).data == {"id": 1}
        with pytest.raises(SourceError, match=f"^the connection to {url} ended$"):
            await anext(events)


async def test_a_failed_port_forward_names_the_pod(tmp_path: Path) -> None:
    """For a pod that is gone, a missing permission, and anything else."""
    for failure, wanted in (
        (Failure(404, "NotFound", "x"), "pod mesh/a is gone"),
        (Failure(403, "Forbidden", "no"), "port-forward to pod mesh/a: no; add {apiGroups: ['']"),
        (Failure(None, "connection lost", "no"), "port-forward to pod mesh/a: connection lost: no"),
    ):
        client: Any = _NoWebSocket(failure)
        forward = PortForward(client, "mesh", "a", 18001)
        socket = tmp_path / f"{failure.reason[:3]}.sock"
        async with (
            forward.on_socket(socket),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
        ):
            replica = Replica(
                "a", "pod a", "http://localhost", session, failure=lambda forward=forward: forward.failure
            )
            with pytest.raises(SourceError) as raised:
                await replica.get("/api/v1/status", {})
        assert str(raised.value).startswith(wanted)


class _NoWebSocket:
    """An API server that opens none."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure

    @contextlib.asynccontextmanager
    async def websocket(self, *_arguments: object) -> AsyncIterator[None]:
        raise RequestError(self.failure)
        yield
