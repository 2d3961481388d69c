"""Listen addresses: several ports at once, and Unix sockets."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from steerway import _engine
from steerway.engine.engine import Engine, Opened
from steerway.errors import EngineError
from steerway.testing.ads_client import AdsClient, StreamEndedError
from steerway.translate.xds.type_url import CLUSTER
from testbed.engine_options import engine_options
from testbed.process.deadline import until
from testbed.xds_server import XdsServer, contents, put


@pytest.fixture
def path() -> Iterator[Path]:
    """A path for a socket; paths of pytest's directories exceed the limit of a socket address."""
    with TemporaryDirectory() as directory:
        yield Path(directory) / "xds.sock"


def ask(address: str) -> dict[str, str]:
    """Cluster "a" as a client of this address receives it."""
    with AdsClient(address) as client:
        stream = client.sotw()
        stream.request(CLUSTER, "a")
        return contents(stream.read())


def test_unix_socket_beside_a_port(path: Path) -> None:
    """Both serve the same resources; a client of the socket is local, with a known user."""
    with XdsServer(listen=["127.0.0.1:0", f"unix:{path}"]) as server:
        assert server.more_addresses == [f"unix:{path}"]
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1", "test")])
        assert ask(server.address) == ask(f"unix:{path}") == {"a": "1"}
        (remote,) = server.wait(Opened, transport="plaintext")
        (local,) = server.wait(Opened, transport="unix")
    assert remote.peer.startswith("127.0.0.1:")
    assert local.peer == f"unix:{path} (pid {os.getpid()}, uid {os.getuid()})"


def test_unix_socket_is_for_owner_and_group_and_removed_at_the_end(path: Path) -> None:
    """A remaining file would block the next process and lead clients to a closed socket."""
    with XdsServer(listen=f"unix:{path}"):
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o660
    assert not path.exists()


def test_drain_removes_the_socket_before_the_streams_end(path: Path) -> None:
    """A client whose stream ends reconnects at once, and must not reach this process."""
    with XdsServer(listen=f"unix:{path}") as server:
        server.engine.set_serving(True)
        with AdsClient(f"unix:{path}") as client:
            stream = client.sotw()
            stream.request(CLUSTER, "a")
            server.publish([put(CLUSTER, "a", "1", "test")])
            stream.read()
            server.engine.drain(1.0)
            with pytest.raises(StreamEndedError):
                stream.read()
        until(lambda: not path.exists(), lambda: "the socket is gone")


def test_socket_of_a_dead_process_is_replaced(path: Path) -> None:
    """A killed process leaves a file without a listener."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    with XdsServer(listen=f"unix:{path}") as server:
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1", "test")])
        assert ask(f"unix:{path}") == {"a": "1"}


def test_socket_of_a_live_process_is_an_error(path: Path) -> None:
    """The other process keeps its socket; the ports bound before are released."""
    with XdsServer(listen=f"unix:{path}") as server:
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1", "test")])
        second = Engine(engine_options(listen=["127.0.0.1:0", f"unix:{path}"]))
        with pytest.raises(EngineError, match=rf"cannot listen on unix:{path}: .*in use"):
            second.start()
        second.stop()
        assert ask(f"unix:{path}") == {"a": "1"}


def test_another_file_at_the_socket_path_is_an_error(path: Path) -> None:
    """It is not deleted."""
    path.write_text("precious")
    with pytest.raises(EngineError, match="not a socket"):
        Engine(engine_options(listen=f"unix:{path}")).start()
    assert path.read_text() == "precious"


def test_missing_directory_is_named() -> None:
    """The error is an OSError as that of `open`."""
    engine = _engine.Engine(engine_options(listen="unix:/no/such/directory/xds.sock"))
    with pytest.raises(FileNotFoundError) as raised:
        engine.start()
    assert raised.value.errno == errno.ENOENT
    assert raised.value.filename == "unix:/no/such/directory/xds.sock"


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        ([], "give at least one address"),
        ("unix:xds.sock", "must be absolute"),
        (f"unix:/{'x' * 107}", "longer than 107 bytes"),
        (["127.0.0.1:0", "/run/xds.sock"], "HOST:PORT or unix:/PATH"),
    ],
)
def test_invalid_address_is_refused(listen: str | list[str], reason: str) -> None:
    """By the constructor, not by the start."""
    with pytest.raises(EngineError, match=reason):
        Engine(engine_options(listen=listen))
