"""Small values of protobuf that many resources are made of."""

from google.protobuf import duration_pb2, wrappers_pb2
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message


def pack(message: Message) -> Any:
    """A message in an `Any`; equal messages give equal bytes."""
    packed = Any()
    packed.Pack(message, deterministic=True)
    return packed


def duration(seconds: float) -> duration_pb2.Duration:
    """Seconds as a Duration, to the microsecond."""
    micros = round(seconds * 1_000_000)
    return duration_pb2.Duration(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def uint32(value: int) -> wrappers_pb2.UInt32Value:
    """A number that is set."""
    return wrappers_pb2.UInt32Value(value=value)


def percent(share: float) -> wrappers_pb2.UInt32Value:
    """A share as a whole number of percent that is set."""
    return wrappers_pb2.UInt32Value(value=round(share * 100))
