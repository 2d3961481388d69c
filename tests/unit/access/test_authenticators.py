"""Authenticators from settings: which are on, in which order, and what an operator is warned of."""

from pathlib import Path
from typing import Any

import pytest
import structlog

from steerway.access.authenticators import Authenticators
from steerway.access.result import Credential
from steerway.catalog.locality.pod_index import PodIndex
from steerway.config import AuthenticationSettings, KubernetesSettings, Settings, TlsSettings
from steerway.peer import Transport
from testbed.certificate import Authority


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text("static-token-0123456789,ci\n")
    return file


@pytest.fixture
def tls(tmp_path: Path) -> TlsSettings:
    certified = Authority().issue("xds.test", usage="server")
    paths = (tmp_path / "tls.crt", tmp_path / "tls.key")
    for path, content in zip(paths, (certified.certificate, certified.key), strict=True):
        path.write_bytes(content)
    return TlsSettings(certificate=paths[0], key=paths[1])


def made(authentication: AuthenticationSettings, **settings: Any) -> Authenticators:
    given = Settings(authentication=authentication, kubernetes=KubernetesSettings(enabled=True), **settings)
    return Authenticators(given, lambda *_: 0.0, PodIndex(), lambda _: None)


def warnings(authenticators: Authenticators) -> list[tuple[str, str]]:
    """Logged by `serve`, and the same for `check`."""
    with structlog.testing.capture_logs() as logs:
        authenticators.warn()
    assert [(line["reason"], line["hint"]) for line in logs] == [
        (warning.reason, warning.hint) for warning in authenticators.warnings()
    ]
    return [(line["event"], line["reason"]) for line in logs]


@pytest.mark.parametrize(
    ("pod_address", "transports"), [("plaintext", {"plaintext"}), ("all", {"plaintext", "tls"})]
)
def test_the_address_of_a_pod_comes_last(pod_address: Any, transports: set[str], token_file: Path) -> None:
    """Other credentials take precedence."""
    settings = AuthenticationSettings(unix_socket=True, token_file=token_file, pod_address=pod_address)
    authenticators = made(settings).authenticators
    assert [authenticator.method for authenticator in authenticators] == [
        "unix_socket",
        "token",
        "pod_address",
    ]
    every: tuple[Transport, ...] = ("plaintext", "tls", "unix", "rest")
    reads = authenticators[-1].reads
    accepted = {name for name in every if reads(Credential(transport=name, peer="10.0.0.7:1"))}
    assert accepted == transports
    assert not reads(Credential("token", transport="plaintext", peer="10.0.0.7:1"))


def test_without_a_method_every_client_is_let_in() -> None:
    """It is warned of; with the addresses of pods alone it is not."""
    assert [event for event, _ in warnings(made(AuthenticationSettings()))] == ["no_authentication"]
    assert warnings(made(AuthenticationSettings(pod_address="plaintext"))) == []


def test_tokens_without_tls(token_file: Path, tls: TlsSettings) -> None:
    """Each address where clients depend on tokens in plaintext is named."""
    tokens = AuthenticationSettings(token_file=token_file)
    listen = ("0.0.0.0:1", "unix:/s")
    more = {"listen": listen, "plaintext_listen": ("0.0.0.0:2",)}
    reason = "clients of {} send their tokens without TLS"
    assert warnings(made(tokens, **more)) == [("tokens_in_clear_text", reason.format("0.0.0.0:1, 0.0.0.0:2"))]
    assert warnings(made(tokens, tls=tls, **more)) == [("tokens_in_clear_text", reason.format("0.0.0.0:2"))]
    assert warnings(made(tokens, tls=tls, listen=listen)) == []


def test_tokens_beside_addresses_of_pods(token_file: Path, tls: TlsSettings) -> None:
    """With TLS, clients in plaintext need no token: only one that comes is a mistake."""
    both = AuthenticationSettings(token_file=token_file, pod_address="plaintext")
    mixed = made(both, tls=tls, plaintext_listen=("0.0.0.0:2",))
    assert (warnings(mixed), mixed.tokens_belong_to_tls) == ([], True)
    plaintext = made(both)
    assert [event for event, _ in warnings(plaintext)] == ["tokens_in_clear_text"]
    assert not plaintext.tokens_belong_to_tls
