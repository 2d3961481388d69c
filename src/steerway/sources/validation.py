"""What a Service or EndpointSlice must fulfil to be an object at all, whoever gave it.

A Kubernetes API server refuses all of this itself, so these checks speak up for files above all; both sources
apply them, so that no later stage meets port 0 or an address that is none. What is *legal but cannot be
served* (UDP ports, FQDN slices, duplicate addresses) is not judged here: that is the catalog's.

Rules: API reference, Service v1 and EndpointSlice discovery.k8s.io/v1; RFC 1123 for names.
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from steerway.sources.objects import Endpoint, EndpointSlice, Namespace, Service

Path = tuple[str | int, ...]
"""Where in an object something stands: `("spec", "ports", 0, "port")`."""

PROTOCOLS = ("TCP", "UDP", "SCTP")
ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")
MAX_PORT = 65_535
MAX_ADDRESSES = 100
"""Addresses of one endpoint (EndpointSlice v1, `addresses`: at most 100)."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")

# The forms of msgspec's messages ("Expected `int`, got `str` - at `$.spec.ports[0].port`").
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_WRONG_TYPE = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_TYPES = {
    "int": "a number",
    "str": "a string",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_CURES = {
    "int": "write a whole number without quotes",
    "str": "write a string, in quotes if it looks like something else",
    "bool": "write true or false, without quotes",
    "array": "write a list: each item on a line with '-'",
    "object": "write a mapping: key: value",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an object: where in it, what, and what to do about it."""

    path: Path
    reason: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.reason} at {json_path(self.path)}" if self.path else self.reason


def json_path(path: Path) -> str:
    """`$.spec.ports[0].port`, as `kubectl` and msgspec write it."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def conversion_fault(error: msgspec.ValidationError) -> Fault:
    """What msgspec found, with the place apart from the words and a cure added."""
    text, _, place = str(error).partition(" - at `")
    path: list[str | int] = []
    for key, index in _STEP.findall(place):
        path.append(key or int(index))
    if (missing := _MISSING.fullmatch(text)) is not None:
        field = missing[1]
        return Fault(tuple(path), f"field {field} is missing", f"add {json_path((*path, field))}")
    wrong = _WRONG_TYPE.fullmatch(text)
    if wrong is None:
        return Fault(tuple(path), text)
    expected, got = wrong.groups()
    wanted = expected.removesuffix(" | null")
    return Fault(
        tuple(path),
        f"expected {_TYPES.get(wanted, wanted)}, got {_TYPES.get(got, got)}",
        _CURES.get(wanted, ""),
    )


def first_fault(obj: Namespace | Service | EndpointSlice) -> Fault | None:
    """The first fault in the order of the manifest, or None when the object can be used."""
    return next(faults(obj), None)


def faults(obj: Namespace | Service | EndpointSlice) -> Iterator[Fault]:
    """All faults of an object, in the order of the manifest."""
    yield from _metadata(obj)
    if isinstance(obj, Service):
        yield from _service(obj)
    elif isinstance(obj, EndpointSlice):
        yield from _slice(obj)


def port_fault(port: int, path: Path) -> Fault | None:
    """A fault when `port` is not a port number that a client can connect to."""
    if 1 <= port <= MAX_PORT:
        return None
    return Fault(path, f"port {port} is out of range", f"use a number from 1 to {MAX_PORT}")


def address_family(address: str) -> str | None:
    """`IPv4`, `IPv6`, or None when `address` is no IP literal (a zone such as `%eth0` makes it none)."""
    # inet_pton is as strict as the ipaddress module and takes a tenth of the time: a list of a big cluster has
    # a hundred thousand addresses.
    family, name = (socket.AF_INET6, "IPv6") if ":" in address else (socket.AF_INET, "IPv4")
    try:
        socket.inet_pton(family, address)
    except (OSError, ValueError):  # ValueError: a zero byte or a lone surrogate
        return None
    return name


def _metadata(obj: Namespace | Service | EndpointSlice) -> Iterator[Fault]:
    meta = obj.metadata
    # A Service's name is one DNS label because clients dial it; a slice's is never dialled, and may have
    # dots.
    pattern = _SUBDOMAIN if isinstance(obj, EndpointSlice) else _LABEL
    if not pattern.fullmatch(meta.name) or len(meta.name) > 253:
        yield Fault(
            ("metadata", "name"),
            f"{meta.name!r} is not a valid name" if meta.name else "the name is empty",
            "use lower-case letters, digits and '-', at most 63 of them",
        )
    if not isinstance(obj, Namespace) and not _LABEL.fullmatch(meta.namespace):
        yield Fault(
            ("metadata", "namespace"),
            f"{meta.namespace!r} is not a valid namespace",
            "use lower-case letters, digits and '-', at most 63 of them",
        )


def _service(service: Service) -> Iterator[Fault]:
    if service.spec.type == "ExternalName":
        name = service.spec.external_name or ""
        if not _SUBDOMAIN.fullmatch(name.removesuffix(".")) or len(name) > 253:
            reason = f"{name!r} is not a host name" if name else "an ExternalName has no externalName"
            yield Fault(("spec", "externalName"), reason, "write a host name in lower case: db.example.org")
    seen: set[tuple[int, str]] = set()
    names: set[str] = set()
    ports = service.spec.ports or []
    for index, port in enumerate(ports):
        path: Path = ("spec", "ports", index)
        if (fault := port_fault(port.port, (*path, "port"))) is not None:
            yield fault
        yield from _protocol(port.protocol, path)
        if not port.name and len(ports) > 1:
            yield Fault((*path, "name"), "a port of several has no name", "name each port")
        if port.name:
            if port.name in names:
                yield Fault(
                    (*path, "name"), f"two ports are named {port.name!r}", "give each port its own name"
                )
            names.add(port.name)
        identity = (port.port, port.protocol or "TCP")
        if identity in seen:
            yield Fault(
                (*path, "port"), f"port {port.port}/{identity[1]} is listed twice", "remove one of them"
            )
        seen.add(identity)


def _slice(slice_: EndpointSlice) -> Iterator[Fault]:
    if slice_.address_type not in ADDRESS_TYPES:
        yield Fault(
            ("addressType",),
            f"unknown addressType {slice_.address_type!r}",
            f"use {' or '.join(ADDRESS_TYPES)}",
        )
    for index, endpoint in enumerate(slice_.endpoints or []):
        yield from _endpoint(endpoint, slice_.address_type, ("endpoints", index))
    for index, port in enumerate(slice_.ports or []):
        path: Path = ("ports", index)
        # A port without number means "all ports" (EndpointSlice v1, EndpointPort.port): legal, and the
        # catalog's to judge.
        if port.port is not None and (fault := port_fault(port.port, (*path, "port"))) is not None:
            yield fault
        yield from _protocol(port.protocol, path)


def _endpoint(endpoint: Endpoint, address_type: str, path: Path) -> Iterator[Fault]:
    path = (*path, "addresses")
    if not 1 <= len(endpoint.addresses) <= MAX_ADDRESSES:
        yield Fault(
            path,
            f"an endpoint has {len(endpoint.addresses)} addresses",
            f"give it 1 to {MAX_ADDRESSES} addresses",
        )
    if address_type == "FQDN":
        return
    for index, address in enumerate(endpoint.addresses):
        family = address_family(address)
        if family is None:
            yield Fault(
                (*path, index), f"{address!r} is not an IP address", "write the address as an IP literal"
            )
        elif family != address_type and address_type in ADDRESS_TYPES:
            yield Fault(
                (*path, index),
                f"{address} is {family}, the slice says {address_type}",
                "put each address family into a slice of its own",
            )


def _protocol(protocol: str | None, path: Path) -> Iterator[Fault]:
    if protocol is not None and protocol not in PROTOCOLS:
        yield Fault((*path, "protocol"), f"unknown protocol {protocol!r}", f"use {', '.join(PROTOCOLS)}")
