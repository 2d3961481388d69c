"""Whether clients of a kind connect to the endpoints of a service port.

A connection that differs from the one that the Service requires is not made: calls to the port fail, at once and in
every route that leads to it. The limitations of clients are those of the table in `translate.client.capability`; a test
compares them.
"""

from steerway.catalog.model.mesh import Port
from steerway.catalog.model.protocol import Protocol


def refusal(port: Port, envoy: bool) -> str:
    """Why clients may not connect, `envoy` or gRPC ones; "" when they may."""
    protocol, origin = port.protocol
    if port.tls is not None:
        if port.tls.fault:
            return f"{port.tls.origin} cannot be followed: {port.tls.fault}"
        if not envoy:
            return f"TLS to backends ({port.tls.origin}) is supported by Envoy only"
    # A gRPC client has channel credentials of its own, and speaks HTTP/2 because its caller wants gRPC.
    elif envoy and protocol is Protocol.TLS:
        return f"{origin} states TLS: TLS without a BackendTLSPolicy is not supported by Envoy"
    if envoy and port.mtls.mode:
        return f"mTLS to gRPC servers ({port.mtls.origin}) is not supported by Envoy"
    if envoy and protocol is Protocol.TCP:
        return f"{origin}: protocols other than HTTP are not supported by Envoy"
    return ""


def refusals(port: Port) -> tuple[str, str]:
    """Which clients do not connect, as the subject of a sentence, and why; twice "" when all do."""
    by_grpc, by_envoy = refusal(port, envoy=False), refusal(port, envoy=True)
    if by_grpc and by_envoy:
        return "clients", by_grpc
    return ("gRPC clients", by_grpc) if by_grpc else ("Envoys" if by_envoy else "", by_envoy)


def note(port: Port) -> str:
    """A remark on how Envoys connect, where that may surprise; "" when there is none."""
    if port.tls is not None:
        return ""
    if port.protocol.protocol is None:
        return "HTTP/2 is assumed for Envoy: name the port http for HTTP/1.1, or grpc"
    if reason := refusal(port, envoy=True):
        return f"Envoys do not connect to it: {reason}"
    return ""
