"""The TLS of an Envoy to the endpoints of a port, as a BackendTLSPolicy asks for it.

A cluster with TLS has a name of its own. Envoy keeps the last version of a cluster whose next one it refuses, as it
does when the file with the CA certificates is missing: under one name that would be the version in plaintext.

Sources: Gateway API reference, BackendTLSPolicyValidation (SNI, and which names authenticate); Envoy,
extensions.transport_sockets.tls.v3.UpstreamTlsContext.
"""

from collections.abc import Iterator

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2
from envoy.type.matcher.v3 import string_pb2

from steerway.catalog.model.tls import BackendTLS
from steerway.translate.protobuf.packing import pack

_SOCKET = "envoy.transport_sockets.tls"
_Matcher = common_pb2.SubjectAltNameMatcher


def socket(tls: BackendTLS, system_ca_file: str) -> base_pb2.TransportSocket:
    """The transport socket of a cluster. `system_ca_file`: where Envoy finds the CA certificates of its system."""
    validation = common_pb2.CertificateValidationContext(
        trusted_ca=base_pb2.DataSource(filename=system_ca_file),
        match_typed_subject_alt_names=list(_names(tls)),
    )
    common = tls_pb2.CommonTlsContext(validation_context=validation)
    context = tls_pb2.UpstreamTlsContext(common_tls_context=common, sni=tls.hostname)
    return base_pb2.TransportSocket(name=_SOCKET, typed_config=pack(context))


def _names(tls: BackendTLS) -> Iterator[common_pb2.SubjectAltNameMatcher]:
    """The certificate must have one of them. subjectAltNames stand instead of the hostname."""
    dns_names = tls.dns_names if tls.dns_names or tls.uris else (tls.hostname,)
    for name in dns_names:
        yield _Matcher(san_type=_Matcher.DNS, matcher=string_pb2.StringMatcher(exact=name))
    for uri in tls.uris:
        yield _Matcher(san_type=_Matcher.URI, matcher=string_pb2.StringMatcher(exact=uri))
