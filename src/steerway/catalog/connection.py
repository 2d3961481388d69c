"""Whether clients of a kind may connect to the endpoints of a service port, and what its owner should know of it.

A connection that would be another one than the Service asks for is not made: calls to the port fail, at once and in
every route that leads to it.
"""

from steerway.catalog.model import Port
from steerway.catalog.protocol import Protocol


def refusal(port: Port, envoy: bool) -> str:
    """Why clients may not connect, `envoy` or gRPC ones; "" when they may."""
    protocol, origin = port.protocol
    # A gRPC client has channel credentials of its own, and speaks HTTP/2 because its caller wants gRPC.
    if envoy and protocol is Protocol.TLS:
        return f"{origin} states TLS, which Envoy is not configured for"
    if envoy and protocol is Protocol.TCP:
        return f"{origin} states a protocol that is not HTTP, and Envoy routes HTTP alone"
    return ""


def note(port: Port) -> str:
    """A remark on how Envoys connect, where that may surprise; "" when there is none."""
    if port.protocol.protocol is None:
        return "HTTP/2 is assumed for Envoy: name the port http for HTTP/1.1, or grpc"
    if reason := refusal(port, envoy=True):
        return f"Envoys do not connect to it: {reason}"
    return ""
