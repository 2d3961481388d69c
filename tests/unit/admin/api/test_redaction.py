"""Redaction: no secret leaves, however deep it stands, and nothing else is lost."""

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.redis_proxy.v3 import redis_proxy_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2, tls_pb2
from google.protobuf import any_pb2

from steerway.admin.api.redaction import REDACTED, redact
from tests.unit.admin.admin_world import CLUSTER, LISTENER, SECRET


def test_a_resource_without_secrets_is_unchanged() -> None:
    """What is shown is what is served."""
    body = cluster_pb2.Cluster(name="a", lrs_report_endpoint_metrics=["x"]).SerializeToString()
    assert redact(CLUSTER, body) == body


def test_an_inline_private_key_deep_in_a_listener_is_redacted() -> None:
    """Fields that Envoy marks as sensitive are replaced inside of nested Any messages, the rest stays."""
    tls = tls_pb2.DownstreamTlsContext()
    certificate = tls.common_tls_context.tls_certificates.add()
    certificate.certificate_chain.inline_string = "PUBLIC"
    certificate.private_key.inline_string = "PRIVATE-1"
    certificate.password.inline_bytes = b"PRIVATE-2"
    listener = listener_pb2.Listener(name="l")
    socket = listener.filter_chains.add().transport_socket
    socket.name = "tls"
    socket.typed_config.Pack(tls)
    shown = redact(LISTENER, listener.SerializeToString())
    assert b"PUBLIC" in shown
    assert b"PRIVATE" not in shown
    assert shown.count(REDACTED.encode()) == 2


def test_a_secret_of_another_filter_is_redacted() -> None:
    """The marks of every extension count, not a list of our own."""
    proxy = redis_proxy_pb2.RedisProxy(stat_prefix="kept")
    proxy.downstream_auth_password.inline_string = "PRIVATE"
    listener = listener_pb2.Listener(name="l")
    listener.filter_chains.add().filters.add(name="redis").typed_config.Pack(proxy)
    shown = redact(LISTENER, listener.SerializeToString())
    assert b"PRIVATE" not in shown
    assert b"kept" in shown


def _generic(secret: secret_pb2.Secret) -> None:
    secret.generic_secret.secret.inline_string = "PRIVATE"


def _generic_map(secret: secret_pb2.Secret) -> None:
    secret.generic_secret.secrets["a"].inline_string = "PRIVATE"


def _ticket_keys(secret: secret_pb2.Secret) -> None:
    secret.session_ticket_keys.keys.add().inline_bytes = b"PRIVATE"


def _key(secret: secret_pb2.Secret) -> None:
    secret.tls_certificate.private_key.inline_string = "PRIVATE"
    secret.tls_certificate.pkcs12.inline_bytes = b"PRIVATE"


@pytest.mark.parametrize("fill", [_generic, _generic_map, _ticket_keys, _key])
def test_every_kind_of_secret_resource_is_redacted(fill: object) -> None:
    """Its name stays, its content goes."""
    secret = secret_pb2.Secret(name="token")
    assert callable(fill)
    fill(secret)
    shown = redact(SECRET, secret.SerializeToString())
    assert b"token" in shown
    assert b"PRIVATE" not in shown
    assert REDACTED.encode() in shown


def test_a_nested_message_of_an_unknown_type_is_named_and_not_shown() -> None:
    """It cannot be searched for secrets."""
    listener = listener_pb2.Listener(name="l")
    unknown = any_pb2.Any(type_url="type.googleapis.com/acme.Filter", value=b"PRIVATE")
    listener.filter_chains.add().filters.add(name="acme").typed_config.CopyFrom(unknown)
    shown = redact(LISTENER, listener.SerializeToString())
    assert b"acme.Filter, whose definition is not installed" in shown
    assert b"PRIVATE" not in shown


@pytest.mark.parametrize(
    ("type_url", "body"), [("type.googleapis.com/acme.Thing", b"abc"), (CLUSTER, b"\xff")]
)
def test_what_cannot_be_searched_is_not_shown(type_url: str, body: bytes) -> None:
    """Neither unknown types nor broken bytes."""
    assert redact(type_url, body) == b""
