"""TLS between gRPC workloads: transport sockets by certificate providers (gRFC A29).

Both sides name the provider instance of the bootstrap. Only these fields are accepted by all four libraries.
"""

from collections.abc import Sequence

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf.message import Message

from steerway.catalog.model.security import TextMatch, TlsMode
from steerway.translate.client.metadata import CERTIFICATE_PROVIDER
from steerway.translate.grpc.rbac import text_matcher
from steerway.translate.protobuf.packing import pack

_NAME = "envoy.transport_sockets.tls"
"""gRFC A29: a socket of another name is refused."""


def downstream(mode: TlsMode) -> base_pb2.TransportSocket | None:
    """What a server demands of its clients; None: plaintext."""
    if mode is TlsMode.OFF:
        return None
    context = tls_pb2.DownstreamTlsContext(common_tls_context=_common(()))
    if mode is TlsMode.STRICT:
        context.require_client_certificate.value = True
    # Otherwise absent: grpc-java 1.85 takes a field that is false for true, grpc-js refuses it without a CA.
    return _socket(context)


def upstream(identities: Sequence[TextMatch]) -> base_pb2.TransportSocket:
    """What clients demand of servers: a certificate with one of `identities` as its URI."""
    matchers = [text_matcher(identity) for identity in identities]
    return _socket(tls_pb2.UpstreamTlsContext(common_tls_context=_common(matchers)))


def _common(names: Sequence[string_pb2.StringMatcher]) -> tls_pb2.CommonTlsContext:
    instance = common_pb2.CertificateProviderPluginInstance(instance_name=CERTIFICATE_PROVIDER)
    # `match_subject_alt_names`, because `match_typed_subject_alt_names` is not read by all.
    validation = common_pb2.CertificateValidationContext(
        ca_certificate_provider_instance=instance, match_subject_alt_names=names
    )
    return tls_pb2.CommonTlsContext(tls_certificate_provider_instance=instance, validation_context=validation)


def _socket(context: Message) -> base_pb2.TransportSocket:
    return base_pb2.TransportSocket(name=_NAME, typed_config=pack(context))
