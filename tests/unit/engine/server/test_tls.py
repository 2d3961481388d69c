"""TLS of the engine's ports: handshakes of real clients, rotation, and refusals."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from tempfile import NamedTemporaryFile
from typing import Any

import grpc
import pytest

from steerway import _engine
from steerway.engine.engine import Engine, HandshakeFailed, Opened
from steerway.errors import EngineError
from steerway.testing.ads_client import AdsClient, SotwStream, StreamEndedError
from steerway.translate.xds.type_url import CLUSTER
from testbed.certificate import Authority, Certified, key_pem, rsa_key
from testbed.client.raw_http2 import PREFACE
from testbed.engine_options import engine_options
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.xds_server import XdsServer, contents, put

NAME = "xds.test"
IDENTITY = "spiffe://cluster.local/ns/shop/sa/cart"
AUTHORITY = Authority()
CLIENT_AUTHORITY = Authority("client authority")
SERVER = AUTHORITY.issue(NAME, usage="server")
CLIENT = CLIENT_AUTHORITY.issue(IDENTITY, "cart.shop.svc", "*.shop.svc", usage="client")


@pytest.fixture
def tls() -> Iterator[XdsServer]:
    """An engine with TLS that requests no client certificate, and serves one cluster."""
    with serving() as server:
        server.engine.set_tls(SERVER.certificate, SERVER.key)
        yield server


@contextmanager
def serving(**options: Any) -> Iterator[XdsServer]:
    with XdsServer(**{"tls": True} | options) as server:
        server.engine.set_serving(True)
        server.publish([put(CLUSTER, "a", "1", "test")])
        yield server


def connect(
    server: XdsServer,
    client: Certified | None = None,
    authority: Authority = AUTHORITY,
    address: str = "",
) -> AdsClient:
    """A client that trusts the authority."""
    chain, key = (client.certificate, client.key) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.certificate, key, chain)
    return AdsClient(address or server.address, credentials=credentials, authority=NAME)


def ask(client: AdsClient) -> SotwStream:
    stream = client.sotw()
    stream.request(CLUSTER, "a")
    return stream


def is_served(client: AdsClient) -> bool:
    try:
        return contents(ask(client).read()) == {"a": "1"}
    except StreamEndedError as ended:
        assert ended.code is grpc.StatusCode.UNAVAILABLE, ended
        return False


def context(**options: Any) -> ssl.SSLContext:
    """A TLS client that trusts the server and offers h2."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=AUTHORITY.certificate.decode())
    made.set_alpn_protocols(["h2"])
    for name, value in options.items():
        setattr(made, name, value)
    return made


def plain_socket(server: XdsServer) -> socket.socket:
    host, _, port = server.address.rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE_SECONDS)


def handshake(server: XdsServer, with_context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = plain_socket(server)
    try:
        return with_context.wrap_socket(plain, server_hostname=NAME)
    except BaseException:
        plain.close()
        raise


def wait_for_failure(server: XdsServer, reason: str) -> HandshakeFailed:
    """The first failure that is reported for the connections of this test."""
    failed = server.wait(HandshakeFailed)[0]
    assert failed.reason == reason, failed.message
    assert failed.peer.startswith("127.0.0.1:")
    assert server.engine.stats().handshake_failures[reason] >= 1
    return failed


def test_client_that_trusts_the_server_is_served(tls: XdsServer) -> None:
    """Without a client certificate, when none is requested."""
    with connect(tls) as client:
        assert is_served(client)
    (opened,) = tls.wait(Opened)
    assert (opened.certificate, opened.transport) == ([], "tls")
    assert tls.engine.stats().handshake_failures == {}


def test_rsa_certificate_and_intermediate_authority_are_served() -> None:
    """Common for private authorities."""
    server = AUTHORITY.issue(NAME, key=rsa_key())
    with serving() as engine:
        engine.engine.set_tls(server.certificate + AUTHORITY.certificate, server.key)
        with connect(engine) as client:
            assert is_served(client)


@pytest.mark.parametrize("required", [True, False])
def test_names_of_the_client_certificate_are_reported(required: bool) -> None:
    """URIs first, as SPIFFE identities are URIs."""
    with serving() as server:
        server.engine.set_tls(SERVER.certificate, SERVER.key, CLIENT_AUTHORITY.certificate, required)
        with connect(server, CLIENT) as client:
            assert is_served(client)
        (opened,) = server.wait(Opened)
        assert opened.certificate == [f"URI:{IDENTITY}", "DNS:cart.shop.svc", "DNS:*.shop.svc"]


def test_certificate_that_was_not_requested_is_not_reported(tls: XdsServer) -> None:
    """It is not verified."""
    with connect(tls, CLIENT) as client:
        assert is_served(client)
    (opened,) = tls.wait(Opened)
    assert opened.certificate == []


def test_client_without_a_certificate_is_served_when_none_is_required() -> None:
    """It may have another credential."""
    with serving() as server:
        server.engine.set_tls(SERVER.certificate, SERVER.key, CLIENT_AUTHORITY.certificate)
        with connect(server) as client:
            assert is_served(client)
        (opened,) = server.wait(Opened)
        assert opened.certificate == []


@pytest.mark.parametrize(
    ("client", "reason", "message"),
    [
        (None, "no_client_certificate", "sent no certificate"),
        (Authority("client authority").issue(IDENTITY), "unknown_ca", "not signed by a client CA"),
        (AUTHORITY.issue(IDENTITY), "unknown_ca", "not signed by a client CA"),
        (
            CLIENT_AUTHORITY.issue(IDENTITY, end=timedelta(hours=-1)),
            "expired_certificate",
            "has expired",
        ),
        (
            CLIENT_AUTHORITY.issue(IDENTITY, begin=timedelta(hours=1)),
            "bad_certificate",
            "not valid yet",
        ),
        (CLIENT_AUTHORITY.issue(IDENTITY, usage="server"), "bad_certificate", "the client's certificate"),
    ],
    ids=["none", "same name", "other authority", "expired", "early", "server's"],
)
def test_invalid_client_certificate_is_refused(client: Certified | None, reason: str, message: str) -> None:
    """Each is counted and reported with its fault."""
    with serving() as server:
        server.engine.set_tls(SERVER.certificate, SERVER.key, CLIENT_AUTHORITY.certificate, True)
        with connect(server, client) as refused:
            assert not is_served(refused)
        assert message in wait_for_failure(server, reason).message
        assert not [event for event in server.events if isinstance(event, Opened)]


def test_invalid_certificate_is_refused_where_none_is_required() -> None:
    """A presented certificate must be valid."""
    with serving() as server:
        server.engine.set_tls(SERVER.certificate, SERVER.key, CLIENT_AUTHORITY.certificate)
        with connect(server, AUTHORITY.issue(IDENTITY)) as refused:
            assert not is_served(refused)
        wait_for_failure(server, "unknown_ca")


def test_client_that_does_not_trust_the_server_disconnects(tls: XdsServer) -> None:
    """The server logs it, too, as its certificate may be wrong. gRPC Core disconnects without an alert."""
    with connect(tls, authority=CLIENT_AUTHORITY) as client:
        assert not is_served(client)
    assert "may not trust the server's certificate" in wait_for_failure(tls, "closed").message


def test_alert_of_the_client_is_reported(tls: XdsServer) -> None:
    """OpenSSL's reason against the certificate."""
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls, stranger)
    assert "UnknownCA" in wait_for_failure(tls, "refused_by_client").message


def test_streams_continue_when_the_certificate_changes(tls: XdsServer) -> None:
    """The next handshake uses the new one."""
    successor = Authority("successor")
    with connect(tls) as old, connect(tls, authority=successor) as new:
        stream = ask(old)
        stream.ack(stream.read())
        renewed = successor.issue(NAME)
        tls.engine.set_tls(renewed.certificate, renewed.key)
        tls.publish([put(CLUSTER, "a", "2", "test")])
        assert contents(stream.read()) == {"a": "2"}
        assert contents(ask(new).read()) == {"a": "2"}
        with connect(tls) as late:
            assert not is_served(late)


def test_removed_client_authority_keeps_streams_and_refuses_new_ones() -> None:
    """Sessions are not resumed, as the old authority verified them."""
    with serving() as server:
        server.engine.set_tls(SERVER.certificate, SERVER.key, CLIENT_AUTHORITY.certificate, True)
        client_context = context()
        with (
            connect(server, CLIENT) as client,
            file_of(CLIENT) as file,
        ):
            client_context.load_cert_chain(file)
            stream = ask(client)
            stream.ack(stream.read())
            with handshake(server, client_context) as before:
                before.sendall(PREFACE + b"\0\0\0\4\0\0\0\0\0")
                assert before.recv(9)
                session = before.session
            server.engine.set_tls(SERVER.certificate, SERVER.key, AUTHORITY.certificate, True)
            server.publish([put(CLUSTER, "a", "2", "test")])
            assert contents(stream.read()) == {"a": "2"}
            assert session is None or not session.has_ticket
            with connect(server, CLIENT) as late:
                assert not is_served(late)
        wait_for_failure(server, "unknown_ca")


@contextmanager
def file_of(certified: Certified) -> Iterator[str]:
    """Certificate and key in one file, as `ssl` requires."""
    with NamedTemporaryFile() as file:
        file.write(certified.certificate + certified.key)
        file.flush()
        yield file.name


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_supported_versions(tls: XdsServer, version: ssl.TLSVersion) -> None:
    """1.2 and 1.3, with h2 negotiated."""
    made = context(minimum_version=version, maximum_version=version)
    with handshake(tls, made) as connection:
        assert connection.version() == version.name.replace("_", ".")
        assert connection.selected_alpn_protocol() == "h2"


def test_tls_1_1_is_refused(tls: XdsServer) -> None:
    """RFC 8996."""
    old = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="alert"):
        handshake(tls, old)
    wait_for_failure(tls, "incompatible")


@pytest.mark.parametrize("protocols", [None, ["http/1.1"]])
def test_client_that_does_not_offer_h2_is_refused(tls: XdsServer, protocols: list[str] | None) -> None:
    """gRPC requires HTTP/2, which TLS negotiates by ALPN only."""
    other = context()
    if protocols is None:
        other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        other.load_verify_locations(cadata=AUTHORITY.certificate.decode())
    else:
        other.set_alpn_protocols(protocols)
    try:
        with handshake(tls, other) as connection:
            assert connection.recv(1) == b""
    except ssl.SSLError as error:
        assert "no application protocol" in str(error).lower().replace("_", " ")
    wait_for_failure(tls, "alpn")


def test_plaintext_client_on_a_tls_port_receives_an_alert(tls: XdsServer) -> None:
    """By a TLS alert, as from any server. An HTTP/2 answer would make gRPC reconnect without a pause."""
    with plain_socket(tls) as connection:
        connection.sendall(PREFACE)
        assert connection.recv(7) == b"\x15\x03\x03\0\x02\x02\x0a"
        assert connection.recv(1) == b""
    with AdsClient(tls.address) as client:
        assert not is_served(client)
    assert tls.engine.stats().handshake_failures["plaintext"] <= 3
    wait_for_failure(tls, "plaintext")


def test_tls_client_on_a_plaintext_port_receives_an_error(server: XdsServer) -> None:
    """As its library reports it."""
    with pytest.raises(ssl.SSLError, match=r"(?i)wrong.version.number|record layer failure"):
        handshake(server, context())
    with connect(server) as client:
        assert not is_served(client)
    wait_for_failure(server, "tls")


def test_client_without_http2_is_refused(tls: XdsServer, server: XdsServer) -> None:
    """With and without TLS."""
    with handshake(tls, context()) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: xds.test\r\n\r\n")
        while connection.recv(1 << 16):
            pass
    wait_for_failure(tls, "http2")
    with plain_socket(server) as plain, suppress(ConnectionResetError):
        plain.sendall(b"GET / HTTP/1.1\r\nHost: xds.test\r\n\r\n")
        while plain.recv(1 << 16):
            pass
    wait_for_failure(server, "http2")


def test_probe_that_connects_and_leaves_is_no_failure(tls: XdsServer, server: XdsServer) -> None:
    """Load balancers and kubelets probe so, every few seconds."""
    for engine in (tls, server):
        for _ in range(3):
            plain_socket(engine).close()
        until(lambda engine=engine: engine.engine.stats().connections == 0, lambda: "they are gone")
        assert engine.engine.stats().handshake_failures == {}


def test_incomplete_handshake_times_out(tls: XdsServer) -> None:
    """A client that sends one byte and stops, or one at a time, is disconnected after a limited time."""
    with plain_socket(tls) as slow:
        slow.sendall(b"\x16\x03\x01")
        assert slow.recv(1 << 10) == b""
    assert "10 s" in wait_for_failure(tls, "timeout").message


def test_failures_are_all_counted_and_reported_once(tls: XdsServer) -> None:
    """A port scan does not fill the log."""
    for _ in range(5):
        with plain_socket(tls) as connection:
            connection.sendall(PREFACE)
            while connection.recv(1 << 10):
                pass
    assert tls.engine.stats().handshake_failures == {"plaintext": 5}
    assert len(tls.wait(HandshakeFailed)) == 1


def test_no_client_is_served_before_there_is_a_certificate() -> None:
    """Not even in plaintext."""
    with serving() as server:
        with connect(server) as client:
            assert not is_served(client)
        wait_for_failure(server, "no_certificate")
        server.engine.set_tls(SERVER.certificate, SERVER.key)
        with connect(server) as client:
            assert is_served(client)


def test_plaintext_address_beside_tls() -> None:
    """Each address serves its own kind of client, reports it, and refuses the other kind."""
    with serving(plaintext_listen=["127.0.0.1:0"]) as server:
        server.engine.set_tls(SERVER.certificate, SERVER.key, CLIENT_AUTHORITY.certificate, True)
        (plaintext,) = server.more_addresses
        with connect(server, CLIENT) as client:
            assert is_served(client)
        with AdsClient(plaintext) as client:
            assert is_served(client)
        assert [opened.transport for opened in server.wait(Opened, 2)] == ["tls", "plaintext"]
        with AdsClient(server.address) as client:
            assert not is_served(client)
        wait_for_failure(server, "plaintext")
        with connect(server, CLIENT, address=plaintext) as client:
            assert not is_served(client)
        server.wait(HandshakeFailed, reason="tls")


def test_unix_socket_of_an_engine_with_tls_is_plaintext(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The kernel identifies the peer."""
    path = tmp_path_factory.getbasetemp().parent / "tls.sock"
    with serving(listen=["127.0.0.1:0", f"unix:{path}"]), AdsClient(f"unix:{path}") as client:
        assert is_served(client)


def test_expiry_of_the_certificate_is_reported(tls: XdsServer) -> None:
    """In seconds since the epoch."""
    soon = AUTHORITY.issue(NAME, end=timedelta(hours=5))
    expiry = tls.engine.set_tls(soon.certificate, soon.key)
    assert expiry - time.time() == pytest.approx(5 * 3600, abs=120)


def bad_credentials() -> dict[str, tuple[tuple[Any, ...], str]]:
    """Arguments of `set_tls` and their fault."""
    good, other = SERVER, AUTHORITY.issue(NAME)
    expired = AUTHORITY.issue(NAME, begin=timedelta(days=-9), end=timedelta(hours=-3))
    early = AUTHORITY.issue(NAME, begin=timedelta(minutes=10))
    broken = good.certificate.replace(b"M", b"!")
    cut = good.certificate[: len(good.certificate) // 2]
    no_der = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    locked = key_pem(rsa_key(), b"secret")
    ca = CLIENT_AUTHORITY.certificate
    return {
        "empty certificate": ((b"", good.key), "certificate: it has no certificate"),
        "key in its place": ((good.key, good.key), "certificate: it has no certificate"),
        "broken PEM": ((broken, good.key), "certificate: not valid PEM: a section is not base64"),
        "cut PEM": ((cut, good.key), "certificate: not valid PEM: a section has no end"),
        "not a certificate": ((no_der, good.key), "certificate: TrailingData"),
        "expired": ((expired.certificate, expired.key), r"certificate: it expired 3 hours ago; renew it"),
        "early": ((early.certificate, early.key), r"not valid for another \d+ (minutes|seconds)"),
        "empty key": ((good.certificate, b""), "key: it has no private key"),
        "certificate in its place": ((good.certificate, good.certificate), "key: it has no private key"),
        "key of another": ((good.certificate, other.key), "key: it does not belong to"),
        "RSA key of another": ((good.certificate, key_pem(rsa_key())), "key: it does not belong to"),
        "encrypted key": ((good.certificate, locked), "key: it is encrypted"),
        "empty CA": ((good.certificate, good.key, b""), "client CA: it has no certificate"),
        "broken CA": ((good.certificate, good.key, ca + no_der), "client CA: certificate 2: "),
        "no CA": (
            (good.certificate, good.key, None, True),
            "client CA: client certificates cannot be required",
        ),
    }


@pytest.mark.parametrize("case", bad_credentials())
def test_invalid_credentials_are_reported_and_not_applied(tls: XdsServer, case: str) -> None:
    """An invalid file disconnects no client."""
    arguments, reason = bad_credentials()[case]
    with pytest.raises(EngineError, match=reason):
        tls.engine.set_tls(*arguments)
    with connect(tls) as client:
        assert is_served(client)


def test_error_never_shows_the_key() -> None:
    """Not even the line that is wrong."""
    engine = _engine.Engine(engine_options(tls=True))
    lines = SERVER.key.splitlines(keepends=True)
    for index in range(len(lines)):
        damaged = b"".join([*lines[:index], b"!!" + lines[index], *lines[index + 1 :]])
        try:
            engine.set_tls(SERVER.certificate, damaged)
        except ValueError as error:
            assert not any(line.strip().decode() in str(error) for line in lines[1:-1])


def test_plaintext_engine_takes_no_certificate() -> None:
    """A mistake of the program: its clients would go on in plaintext."""
    engine = Engine(engine_options())
    with pytest.raises(EngineError, match="made without TLS"):
        engine.set_tls(SERVER.certificate, SERVER.key)
