"""What answers at the address of a control plane, and the error for each."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Tls
from steerway.errors import SourceError
from steerway.preflight.connection import connect
from testbed.certificate import Authority
from testbed.process.deadline import PATIENCE_SECONDS

SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
ALERT = b"\x15\x03\x03\0\x02\x02\x0a"

Answer = Callable[[socket.socket], None]


@contextmanager
def server(answer: Answer) -> Iterator[ServerAddress]:
    """Accepts one connection and answers it."""

    def accept() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):  # the client is the one that is tested
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield ServerAddress(*listener.getsockname())
        finally:
            thread.join(PATIENCE_SECONDS)


def replying(content: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1000)

    return answer


def over_tls(context: ssl.SSLContext, content: bytes = SETTINGS) -> Answer:
    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1000)
            secure.sendall(content)

    return answer


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca(authority: Authority, tmp_path: Path) -> str:
    file = tmp_path / "ca.crt"
    file.write_bytes(authority.certificate)
    return str(file)


@pytest.fixture
def context(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    """TLS of a server at 127.0.0.1."""
    certified = authority.issue("127.0.0.1", usage="server")
    files = (tmp_path / "server.crt", tmp_path / "server.key")
    for file, content in zip(files, (certified.certificate, certified.key), strict=True):
        file.write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.set_alpn_protocols(["h2"])
    return context


def failure(address: ServerAddress, tls: Tls | None = None) -> SourceError:
    with pytest.raises(SourceError) as caught:
        connect(address, tls, PATIENCE_SECONDS)
    return caught.value


def test_a_settings_frame_is_all_that_is_needed() -> None:
    with server(replying(SETTINGS)) as address:
        connect(address, None, PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("content", "reason", "hint"),
    [
        (ALERT, "requires TLS", "use --creds tls"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP/1 and is no xDS server", "--admin"),
        (b"", "closes the connection", "use --creds tls if it requires TLS"),
        (b"SSH-2.0-OpenSSH", "does not speak HTTP/2 and is no xDS server", "--listen"),
        (b"x", "does not speak HTTP/2 and is no xDS server", "--listen"),
    ],
)
def test_another_answer_is_named(content: bytes, reason: str, hint: str) -> None:
    """With the fix."""
    with server(replying(content)) as address:
        error = failure(address)
    assert reason in str(error)
    assert str(address) in str(error)
    assert hint in error.hint


def test_tls_with_the_authority_of_the_server(context: ssl.SSLContext, ca: str) -> None:
    with server(over_tls(context)) as address:
        connect(address, Tls(ca), PATIENCE_SECONDS)


def test_a_server_without_tls_is_named(ca: str) -> None:
    """Whatever it answers."""
    for content in (SETTINGS, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        with server(replying(content)) as address:
            assert "has no TLS" in str(failure(address, Tls(ca)))


def test_a_server_that_closes_during_the_handshake(ca: str) -> None:
    with server(replying(b"")) as address:
        assert "during the TLS handshake" in str(failure(address, Tls(ca)))


def test_a_certificate_of_another_authority_or_host(context: ssl.SSLContext, tmp_path: Path, ca: str) -> None:
    """The reason of OpenSSL is part of the text."""
    other = tmp_path / "other.crt"
    other.write_bytes(Authority("other").certificate)
    with server(over_tls(context)) as address:
        error = failure(address, Tls(str(other)))
    assert "is not valid for this client" in str(error)
    assert "--ca" in error.hint
    with server(over_tls(context)) as address:
        assert "mismatch" in str(failure(ServerAddress("localhost", address.port), Tls(ca)))


def test_a_client_certificate_that_is_required(context: ssl.SSLContext, ca: str) -> None:
    """With TLS 1.3 the server refuses after the handshake, and the reason may be lost with the connection."""
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
    with server(over_tls(context)) as address:
        error = failure(address, Tls(ca))
    assert "refuses the client certificate" in str(error) or "after the TLS handshake" in str(error)
    assert "--certificate" in error.hint


def test_tls_that_ends_with_the_handshake(context: ssl.SSLContext, ca: str) -> None:
    with server(over_tls(context, b"")) as address:
        assert "after the TLS handshake" in str(failure(address, Tls(ca)))


def test_tls_without_http2(context: ssl.SSLContext, ca: str) -> None:
    with server(over_tls(context, b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address:
        assert "does not speak HTTP/2" in str(failure(address, Tls(ca)))


def test_addresses_without_a_server(tmp_path: Path) -> None:
    """Refused, not resolvable, no socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "connection refused" in str(failure(ServerAddress("127.0.0.1", port)))
    assert "does not resolve" in str(failure(ServerAddress("no-such-host.invalid", 1)))
    assert "there is no socket" in str(failure(ServerAddress(path=f"{tmp_path}/none")))


def test_a_server_that_never_answers() -> None:
    """The limit is that of the caller."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(SourceError, match="does not answer"),
    ):
        connect(ServerAddress(*listener.getsockname()), None, 0.05)


@pytest.mark.parametrize("name", ["ca", "certificate"])
def test_files_that_cannot_be_used_are_named(name: str, ca: str, tmp_path: Path) -> None:
    """Missing, empty, or with other content."""
    file = tmp_path / "file.pem"

    def reason() -> str:
        tls = Tls(str(file)) if name == "ca" else Tls(ca, str(file), str(file))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return str(failure(ServerAddress(*listener.getsockname()), tls))

    assert f"{file} cannot be read: No such file" in reason()
    file.touch()
    assert f"{file} is empty" in reason()
    file.write_text("no certificate")
    assert str(file) in reason()
