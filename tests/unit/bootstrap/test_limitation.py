"""What single libraries do not support of a bootstrap."""

from typing import Any

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Bootstrap, FileWatcher, Insecure, Node, Server, Tls
from steerway.bootstrap.limitation import limitations
from steerway.translate.client.library import Library


def reported(*servers: Server, **parts: Any) -> dict[Library, list[str]]:
    """The reasons by library."""
    reasons: dict[Library, list[str]] = {}
    for limitation in limitations(Bootstrap(servers, Node("web"), **parts)):
        for library in limitation.libraries:
            reasons.setdefault(library, []).append(limitation.reason)
    return reasons


def server(*credentials: Tls | Insecure, token: str = "") -> Server:
    return Server(ServerAddress("xds.mesh", 1), credentials or (Insecure(),), token)


def test_plaintext_and_a_certificate_provider_work_everywhere() -> None:
    """No note without a reason."""
    assert reported(server(), certificate_providers={"mesh": FileWatcher("/certs")}) == {}


def test_only_grpc_js_has_no_fallback() -> None:
    """Also for the servers of an authority; once, however many they are."""
    assert reported(server(), server()).keys() == {Library.NODE}
    reasons = reported(server(), server(), server(), authorities={"a": (server(), server())})
    assert reasons == {Library.NODE: ["uses the first server only, without fallback (gRFC A71)"]}


def test_tls_towards_the_control_plane() -> None:
    """grpc-js has none, grpc-java reads no files."""
    assert reported(server(Tls())).keys() == {Library.NODE}
    assert "refuses this bootstrap" in reported(server(Tls()))[Library.NODE][0]
    assert "in plaintext" in reported(server(Tls(), Insecure()))[Library.NODE][0]
    (ca,) = reported(server(Tls("/c/ca.crt")))[Library.JAVA]
    assert "trustStore" in ca
    assert "client certificate" not in ca
    (both,) = reported(server(Tls("/c/ca.crt", "/c/tls.crt", "/c/tls.key")))[Library.JAVA]
    assert "a client certificate cannot be set" in both


def test_a_pair_in_two_folders_is_refused_by_grpc_go() -> None:
    """The others accept it."""
    assert "two folders" in reported(server(Tls("", "/a/tls.crt", "/b/tls.key")))[Library.GO][0]
    assert Library.GO not in reported(server(Tls("", "/a/tls.crt", "/a/tls.key")))


def test_a_token_needs_a_variable_or_is_not_sent() -> None:
    """gRFC A97 is off by default."""
    reasons = reported(server(Tls(), token="/t"))
    for library in (Library.GO, Library.CORE):
        assert "GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS=true" in reasons[library][0]
    for library in (Library.JAVA, Library.NODE):
        assert "send no token to the control plane" in reasons[library]


def test_a_relative_folder_depends_on_the_working_directory() -> None:
    """Each library reads it."""
    reasons = reported(server(), certificate_providers={"mesh": FileWatcher("certs")})
    assert reasons.keys() == {Library.CORE, Library.GO, Library.JAVA, Library.NODE}
