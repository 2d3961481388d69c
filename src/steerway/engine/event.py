"""The events of the native engine; `steerway/_engine.pyi` documents their members."""

from typing import TypeAlias

from steerway._engine import (
    Call,
    Closed,
    Demand,
    HandshakeFailed,
    Limited,
    Nack,
    Opened,
    Panicked,
    Withdrawn,
)

Event: TypeAlias = Opened | Demand | Withdrawn | Nack | HandshakeFailed | Closed | Limited | Panicked | Call
