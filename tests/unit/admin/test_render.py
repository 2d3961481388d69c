"""Rendering: any message as JSON, and no secret in it however deep."""

import json

from admin_world import CLUSTER, LISTENER, SECRET
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.redis_proxy.v3 import redis_proxy_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2, tls_pb2
from google.protobuf import any_pb2

from steerway.admin.render import REDACTED, render


def test_fields_keep_the_names_of_the_proto_files() -> None:
    """What is shown can be pasted into a file of raw resources."""
    body = cluster_pb2.Cluster(name="a", lrs_report_endpoint_metrics=["x"]).SerializeToString()
    assert render(CLUSTER, body) == {"@type": CLUSTER, "name": "a", "lrs_report_endpoint_metrics": ["x"]}


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
    rendered = render(LISTENER, listener.SerializeToString())
    text = json.dumps(rendered)
    assert "PUBLIC" in text
    assert "PRIVATE" not in text
    assert "UFJJVkFURS0y" not in text  # the base64 of PRIVATE-2
    assert text.count(REDACTED) == 2


def test_a_sensitive_message_of_another_filter_is_redacted() -> None:
    """The marks of every extension count, not a list of our own."""
    proxy = redis_proxy_pb2.RedisProxy(stat_prefix="r")
    proxy.downstream_auth_password.inline_string = "PRIVATE"
    listener = listener_pb2.Listener(name="l")
    listener.filter_chains.add().filters.add(name="redis").typed_config.Pack(proxy)
    text = json.dumps(render(LISTENER, listener.SerializeToString()))
    assert "PRIVATE" not in text
    assert "stat_prefix" in text


def test_generic_secrets_show_nothing() -> None:
    """Every kind of Secret is covered, since nothing of it is shown."""
    secret = secret_pb2.Secret(name="token")
    secret.generic_secret.secret.inline_string = "PRIVATE"
    assert render(SECRET, secret.SerializeToString()) == {
        "@type": SECRET,
        "name": "token",
        "secret": REDACTED,
    }


def test_a_nested_message_of_an_unknown_type_is_named_and_not_shown() -> None:
    """It cannot be searched for secrets, and must not break the page."""
    listener = listener_pb2.Listener(name="l")
    unknown = any_pb2.Any(type_url="type.googleapis.com/acme.Filter", value=b"PRIVATE")
    listener.filter_chains.add().filters.add(name="acme").typed_config.CopyFrom(unknown)
    text = json.dumps(render(LISTENER, listener.SerializeToString()))
    assert "acme.Filter, whose definition is not installed" in text
    assert "PRIVATE" not in text


def test_a_resource_of_an_unknown_type_comes_as_base64() -> None:
    """Raw bytes rather than an error."""
    assert render("type.googleapis.com/acme.Thing", b"abc") == {
        "@type": "type.googleapis.com/acme.Thing",
        "value": "YWJj",
    }
