"""Annotations of wongnai/xds, in the words of steerway's own.

That passes on what it finds, and its clients ignore what they do not know. So a value that its clients act on is never
dropped as a whole because of a part that they ignore.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from steerway.catalog.model.policy import MOST_RETRIES

GATEWAY_ANNOTATION = "xds.lmwn.com/api-gateway"
GRPC_SERVICE_ANNOTATION = "xds.lmwn.com/grpc-service"
RETRIED = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")
"""Codes after which gRPC clients can try again (gRFC A44)."""

_UNIT = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_MOST_CHARACTERS = 64
_MOST_SECONDS = 2**63 / 1e9
"""Of a Go Duration, which is a number of nanoseconds in 64 bits."""


class Remark(NamedTuple):
    """What of a value is not used, or used otherwise: the part, why, and what to write instead."""

    value: str
    reason: str
    wanted: str


def go_seconds(text: str) -> float | None:
    """The seconds of a duration as Go reads them (time.ParseDuration): `1.5s`, `100us`, `1m30s`, `0`. None when it is
    none, or negative, which no setting of ours can be."""
    text = text.strip().removeprefix("+")
    if len(text) > _MOST_CHARACTERS:
        return None
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    seconds = sum(float(number) * _UNIT[unit] for number, unit in parts)
    return seconds if seconds < _MOST_SECONDS else None


def unsupported(annotations: Mapping[str, str]) -> tuple[str, str] | None:
    """Why its virtual API gateways are not served, and what to write instead; None where a Service is not behind one.

    Any Service of the cluster can add itself to one, which is the reason not to read them: a route belongs to the
    namespace of its parent.
    """
    gateways = _names(annotations.get(GATEWAY_ANNOTATION, ""))
    services = _names(annotations.get(GRPC_SERVICE_ANNOTATION, ""))
    if not gateways or not services:
        return None
    reason = f"annotation {GATEWAY_ANNOTATION}: {', '.join(gateways)}: a virtual API gateway is not supported"
    remedy = (
        f"write a Service {gateways[0]} without selector, and a GRPCRoute with it as parent whose rules match"
        f" method.service {' or '.join(services)} and have this Service as backend; then remove the annotation"
    )
    return reason, remedy


def _names(value: str) -> list[str]:
    return [name for name in map(str.strip, value.split(",")) if name]


def convert(name: str, value: str, remarks: list[Remark]) -> str:
    """The value of an annotation as steerway's own one would have it, "" for none; what is not used of it goes to
    `remarks`."""
    reader = _READERS.get(name)
    return value if reader is None else reader(value, remarks)


def _status(value: str, remarks: list[Remark]) -> str:
    words = [word for word in map(str.strip, value.lower().split(",")) if word]
    wanted = f"one of {', '.join(RETRIED)}"
    remarks += (
        Remark(word, f"is not {wanted}; it is ignored", wanted) for word in words if word not in RETRIED
    )
    return ",".join(word for word in words if word in RETRIED)


def _count(value: str, remarks: list[Remark]) -> str:
    if not re.fullmatch("[0-9]{1,20}", value):
        return value
    if int(value) > MOST_RETRIES:
        wanted = f"a whole number from 0 to {MOST_RETRIES}"
        reason = f"is more than clients do; {MOST_RETRIES} is used"
        remarks.append(Remark(value, reason, wanted))
    return str(min(int(value), MOST_RETRIES))


_READERS: dict[str, Callable[[str, list[Remark]], str]] = {
    "xds.lmwn.com/retry-status": _status,
    "xds.lmwn.com/retry-count": _count,
}
