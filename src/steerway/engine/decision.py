"""What Python decides about opened streams, in the shape in which the native engine takes it."""

from collections.abc import Sequence
from typing import NamedTuple


class Identification(NamedTuple):
    """The identity that the client of a stream proved."""

    stream: int
    identity: str


class Classification(NamedTuple):
    """The view of a stream."""

    stream: int
    audience: str
    grant: Sequence[str] | None
    """None: everything. Otherwise patterns for the scopes of resources: "" (public), "NAMESPACE/NAME", "NAMESPACE/*"
    and "*". A resource that no pattern matches is absent for the stream."""


class Rejection(NamedTuple):
    """The end of a stream that was not admitted."""

    stream: int
    code: int
    """A gRPC status code from 1 to 16."""
    message: str
    """Sent to the client."""
